/* Names of the counters. */
#include "shm/counters.h"

const struct counter_text counter_texts[COUNTER__N] = {
#define COUNTER(name, unit, help) {#name, unit, help},
#include "shm/counters.def"
#undef COUNTER
};
