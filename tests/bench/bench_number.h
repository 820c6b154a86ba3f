/* A benchmark's arguments. */
#ifndef CCS_TESTS_BENCH_NUMBER_H
#define CCS_TESTS_BENCH_NUMBER_H

#include "common/log.h"
#include "common/str.h"

/* 1 to most, or the end. */
static inline uint32_t bench_number(const char *text, uint64_t most)
{
	uint64_t value;
	if (!str_to_u64(str_of(text), 1, most, &value))
		die("bench.usage", "why=\"%s is no number\"", text);
	return (uint32_t)value;
}

#endif
