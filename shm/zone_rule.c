/* Rules of time zones: see zone_rule.h. */
#include "shm/zone_rule.h"

#include "common/base.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

/* ---- reading ---- */

static bool is_there(const struct str *rest, char c)
{
	return rest->n && *rest->p == c;
}

static bool take(struct str *rest, char c)
{
	if (!is_there(rest, c))
		return false;
	rest->p++;
	rest->n--;
	return true;
}

static bool take_number(struct str *rest, int most, int *value)
{
	bool any = false;
	*value = 0;
	while (rest->n && *rest->p >= '0' && *rest->p <= '9' && *value <= most) {
		*value = *value * 10 + (*rest->p - '0');
		rest->p++;
		rest->n--;
		any = true;
	}
	return any && *value <= most;
}

/* "EST", or "<+1030>" */
static bool take_name(struct str *rest)
{
	size_t n = 0;
	bool quoted = take(rest, '<');
	while (rest->n &&
		(quoted ? *rest->p != '>' : (*rest->p | 0x20) >= 'a' && (*rest->p | 0x20) <= 'z')) {
		rest->p++;
		rest->n--;
		n++;
	}
	return n >= 3 && (!quoted || take(rest, '>'));
}

/* "[+-]hh[:mm[:ss]]" */
static bool take_time(struct str *rest, int32_t *seconds)
{
	int hours, minutes = 0, s = 0;
	bool negative = take(rest, '-');
	if (!negative)
		(void)take(rest, '+');
	if (!take_number(rest, 167, &hours) ||
		(take(rest, ':') && !take_number(rest, 59, &minutes)) ||
		(take(rest, ':') && !take_number(rest, 59, &s)))
		return false;
	*seconds = hours * HOUR_S + minutes * 60 + s;
	if (negative)
		*seconds = -*seconds;
	return true;
}

/* POSIX counts westwards. */
static bool take_offset(struct str *rest, int32_t *seconds)
{
	bool ok = take_time(rest, seconds);
	*seconds = -*seconds;
	return ok;
}

static bool take_day(struct str *rest, struct zone_day *day)
{
	*day = (struct zone_day){.form = ZONE_DAY_OF_YEAR, .time_s = 2 * HOUR_S};
	bool ok;
	if (take(rest, 'M')) {
		day->form = ZONE_DAY_WEEK;
		ok = take_number(rest, 12, &day->month) && take(rest, '.') &&
		     take_number(rest, 5, &day->week) && take(rest, '.') &&
		     take_number(rest, 6, &day->weekday) && day->month && day->week;
	} else if (take(rest, 'J')) {
		day->form = ZONE_DAY_JULIAN;
		ok = take_number(rest, 365, &day->day) && day->day;
	} else {
		ok = take_number(rest, 365, &day->day);
	}
	return ok && (!take(rest, '/') || take_time(rest, &day->time_s));
}

bool zone_rule_read(struct zone_rule *rule, struct str text)
{
	*rule = (struct zone_rule){.has_summer = false};
	if (!take_name(&text) || !take_offset(&text, &rule->standard_s))
		return false;
	if (text.n == 0)
		return true;
	rule->has_summer = true;
	rule->summer_s = rule->standard_s + HOUR_S;
	return take_name(&text) && (is_there(&text, ',') || take_offset(&text, &rule->summer_s)) &&
	       take(&text, ',') && take_day(&text, &rule->begins) && take(&text, ',') &&
	       take_day(&text, &rule->ends) && text.n == 0;
}

/* ---- a year ---- */

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to 1 January of the year. */
static int64_t days_before(int year)
{
	int64_t y = year - 1;
	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static int64_t day_of(const struct zone_day *day, int year)
{
	static const int before[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	int64_t first = days_before(year);
	int leap = is_leap(year);
	if (day->form == ZONE_DAY_OF_YEAR)
		return first + day->day;
	if (day->form == ZONE_DAY_JULIAN)
		return first + day->day - 1 + (leap && day->day >= 60);
	int64_t begins = first + before[day->month - 1] + (leap && day->month > 2);
	int64_t ends = first + before[day->month] + (leap && day->month >= 2);
	int64_t weekday = ((begins + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
	int64_t at = begins + (day->weekday - weekday + 7) % 7 + 7 * (day->week - 1);
	return at < ends ? at : at - 7;
}

/* The clock that shows the time is still that of the season before. */
static int64_t instant_of(const struct zone_day *day, int year, int32_t shown_s)
{
	return day_of(day, year) * DAY_S + day->time_s - shown_s;
}

void zone_rule_changes(const struct zone_rule *rule, int year, struct zone_change changes[2])
{
	struct zone_change begins = {
		instant_of(&rule->begins, year, rule->standard_s), rule->summer_s};
	struct zone_change ends = {instant_of(&rule->ends, year, rule->summer_s), rule->standard_s};
	bool in_order = begins.at_s < ends.at_s;
	changes[0] = in_order ? begins : ends;
	changes[1] = in_order ? ends : begins;
}
