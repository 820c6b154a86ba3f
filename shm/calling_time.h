/* Calling hours: may somebody be called at an instant, and if not, when next. One pure function for the gates, for explain,
 * for forecasts, and for the times at which retries are due.
 *
 * A rule gives hours to each weekday; a holiday has none. It speaks of the clock on the wall in some zone: an instant is
 * inside when that clock shows a time inside, whatever daylight saving does to it. So hours that begin in the missing hour
 * of spring begin when the clock has jumped over it, and in autumn what lies before the hours when the clock is turned back
 * lies before them again.
 *
 *   hours that end before they begin go on after midnight, as part of the day on which they began
 *   hours that end when they begin are the whole day
 *   a holiday has no hours of its own, and those of the day before it end at midnight
 *
 * What cannot be read, and a zone that nobody knows, is never open.
 */
#ifndef CCS_SHM_CALLING_TIME_H
#define CCS_SHM_CALLING_TIME_H

#include "shm/zone.h"

enum { CALLING_WEEKDAYS = 7, CALLING_HOLIDAY_WORDS = 8 };

/* Days ahead that a rule's holidays reach: who keeps a rule for months makes it anew before that. */
enum { CALLING_HOLIDAYS = CALLING_HOLIDAY_WORDS * 64 };

struct calling_holidays {
	int64_t from; /* day of the first bit, counted from 1970-01-01 */
	uint64_t days[CALLING_HOLIDAY_WORDS];
};

struct calling_hours {
	int32_t opens_s, closes_s; /* of the local day */
};

/* Plain data, also in the segment. All zero: never. */
struct calling_rule {
	struct calling_hours hours[CALLING_WEEKDAYS]; /* from Monday */
	uint32_t weekdays;	 /* a bit for each that has hours, Monday's the lowest */
	uint32_t in_callee_zone; /* the zones of the number are meant, not that of the client */
	struct calling_holidays holidays;
};

/* Makes a rule of what a client's row says: seconds of the day; "mon tue:10:00-14:00" (p NULL or empty: every day; a day
 * without hours of its own has opens_s to closes_s); holidays by calling_holidays_read. False, and never open, when that
 * cannot be read. */
MUST_USE bool calling_rule_read(struct calling_rule *rule, int64_t opens_s, int64_t closes_s,
	struct str weekdays, struct str holidays, int64_t now_us);

/* "mon", or "tue:10:00-14:00" */
MUST_USE bool calling_weekday_fine(struct str text);

/* Days, counted from 1970-01-01, with blanks between them; those that are over, or too far away, are left out. False, with
 * every day a holiday, when that cannot be read. */
MUST_USE bool calling_holidays_read(
	struct calling_holidays *holidays, struct str days, int64_t now_us);

/* Adds those of others. */
void calling_holidays_add(struct calling_holidays *to, const struct calling_holidays *others);

struct calling_time {
	bool is_open;
	int64_t until_us; /* it stays so until then at least; INT64_MAX = for ever */
};

/* Is it open at at_us, in that zone (NULL: never)? Few steps, however long it stays closed. */
struct calling_time calling_time(
	const struct calling_rule *rule, const struct zone *zone, int64_t at_us);

/* The same in all of these zones at once. Never open in none. */
struct calling_time calling_time_in_all(const struct calling_rule *rule,
	const struct zone *const *zones, uint32_t n, int64_t at_us);

/* The first instant from at_us on at which it is open; INT64_MAX: nobody knows one. */
int64_t calling_time_next_us(const struct calling_rule *rule, const struct zone *const *zones,
	uint32_t n, int64_t at_us);

#endif
