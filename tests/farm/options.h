/* The command line of ccs-farm. */
#ifndef CCS_TESTS_FARM_OPTIONS_H
#define CCS_TESTS_FARM_OPTIONS_H

#include "common/base.h"

enum { SERVERS_MAX = 1000, MOODS_MAX = 64 };

struct options {
	uint32_t servers, speed;
	uint16_t first_port; /* 0: any free ones */
	uint64_t seed;
	const char *versions; /* 22, 16 or both */
	bool all_events;
	const char *log, *json, *control; /* paths, or NULL */
	const char *moods[MOODS_MAX];
	size_t moods_n;
};

/* Prints help and ends the process when that is what was asked for, or when something is wrong. */
void options_read(struct options *options, int argc, char **argv);

#endif
