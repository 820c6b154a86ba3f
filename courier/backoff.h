/* When what could not be delivered is tried again. Pure. */
#ifndef CCS_COURIER_BACKOFF_H
#define CCS_COURIER_BACKOFF_H

#include "common/base.h"

/* The pause after that many failures (from 1 on): base, 6, 30, 180, 720, and 2,160 times base, with base 10 s: 10 s, 1 min,
 * 5 min, 30 min, 2 h, 6 h. noise, any number, spreads it by a tenth to either side. */
int64_t backoff_us(unsigned failures, int64_t base_us, uint32_t noise);

#endif
