/* shm/calling_time.h as a program: a question a line, with tabs between its parts (zone, opening and closing second, weekdays,
 * holidays, the instant in seconds); answers "open 1790000000" or "closed 1790000000", "-" for what has no end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "shm/calling_time.h"

static struct str part_of(struct str *line)
{
	struct str part = {NULL, 0};
	(void)str_split(line, '\t', &part);
	return part;
}

static uint64_t number_of(struct str *line)
{
	uint64_t number = 0;
	if (!str_to_u64(part_of(line), 0, UINT32_MAX, &number))
		exit(2);
	return number;
}

static void answer(struct str line)
{
	struct calling_rule rule;
	const struct zone *zone = zone_find(part_of(&line));
	int64_t opens_s = (int64_t)number_of(&line), closes_s = (int64_t)number_of(&line);
	struct str weekdays = part_of(&line), holidays = part_of(&line);
	int64_t at_us = (int64_t)number_of(&line) * US_PER_S;
	if (!calling_rule_read(&rule, opens_s, closes_s, weekdays, holidays, at_us))
		exit(3);
	struct calling_time time = calling_time(&rule, zone, at_us);
	(void)printf("%s ", time.is_open ? "open" : "closed");
	if (time.until_us == INT64_MAX)
		(void)puts("-");
	else
		(void)printf("%" PRId64 "\n", time.until_us / US_PER_S);
}

int main(void)
{
	char line[1024];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		answer(str_of(line));
	}
	return 0;
}
