/* The rule at the end of a TZif file: what POSIX lets TZ say, as "CET-1CEST,M3.5.0,M10.5.0/3", in the wider form of RFC 8536. */
#ifndef CCS_SHM_ZONE_RULE_H
#define CCS_SHM_ZONE_RULE_H

#include "common/str.h"

/* A day of each year, and the local time on it (before 0 or beyond 24 hours: of another day). */
struct zone_day {
	enum { ZONE_DAY_WEEK, ZONE_DAY_JULIAN, ZONE_DAY_OF_YEAR } form;
	int month, week, weekday; /* WEEK: the week-th (5: last) weekday (Sunday 0) of a month */
	int day;		  /* JULIAN: 1 to 365, never 29 February; OF_YEAR: 0 to 365 */
	int32_t time_s;
};

struct zone_rule {
	int32_t standard_s, summer_s; /* ahead of UTC */
	bool has_summer;
	struct zone_day begins, ends; /* summer */
};

/* From an instant on, so much ahead of UTC. */
struct zone_change {
	int64_t at_s;
	int32_t offset_s;
};

/* False when the text is no such rule. */
MUST_USE bool zone_rule_read(struct zone_rule *rule, struct str text);

/* Both changes of a year, the earlier one first. Of a rule with summer only. */
void zone_rule_changes(const struct zone_rule *rule, int year, struct zone_change changes[2]);

#endif
