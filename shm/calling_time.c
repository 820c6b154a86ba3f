/* Calling hours: see calling_time.h. */
#include "shm/calling_time.h"

#include "common/clock.h"

#include "common/base.h"

enum { DAY_S = 86400, SHUT = -1 };

static const char weekday_names[CALLING_WEEKDAYS][4] = {
	"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* Rounded down, also before 1970. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* ---- reading ---- */

/* "10:00" */
static bool read_minute(struct str text, int32_t *seconds)
{
	struct str part;
	uint64_t hours, minutes;
	if (text.n != 5 || !str_split(&text, ':', &part) || part.n != 2 ||
		!str_to_u64(part, 0, 23, &hours) || !str_to_u64(text, 0, 59, &minutes))
		return false;
	*seconds = (int32_t)(hours * 3600 + minutes * 60);
	return true;
}

/* "10:00-14:00" */
static bool read_hours(struct str text, struct calling_hours *hours)
{
	struct str part;
	return str_split(&text, '-', &part) && read_minute(part, &hours->opens_s) &&
	       read_minute(text, &hours->closes_s);
}

/* "mon", or "mon:10:00-14:00" */
static bool read_weekday(struct calling_rule *rule, struct str text)
{
	struct str name;
	if (!str_split(&text, ':', &name))
		return false;
	for (int day = 0; day < CALLING_WEEKDAYS; day++)
		if (str_eq(name, str_of(weekday_names[day]))) {
			bool is_new = !(rule->weekdays >> day & 1);
			rule->weekdays |= 1u << day;
			return is_new && (!text.p || read_hours(text, &rule->hours[day]));
		}
	return false;
}

bool calling_weekday_fine(struct str text)
{
	struct calling_rule rule = {.weekdays = 0};
	return read_weekday(&rule, text);
}

static void set_holiday(struct calling_holidays *holidays, int64_t day)
{
	int64_t i = day - holidays->from;
	if (i >= 0 && i < CALLING_HOLIDAYS)
		holidays->days[i / 64] |= UINT64_C(1) << i % 64;
}

bool calling_holidays_read(struct calling_holidays *holidays, struct str days, int64_t now_us)
{
	struct str text;
	uint64_t day;
	/* Somewhere it is still the day before; and hours of that day may not be over. */
	*holidays = (struct calling_holidays){.from = floor_div(now_us, US_PER_S * DAY_S) - 2};
	while (days.n && str_split(&days, ' ', &text)) {
		if (!str_to_u64(text, 0, INT32_MAX, &day)) {
			memset(holidays->days, 0xff, sizeof(holidays->days));
			return false;
		}
		set_holiday(holidays, (int64_t)day);
	}
	return true;
}

void calling_holidays_add(struct calling_holidays *to, const struct calling_holidays *others)
{
	for (int64_t i = 0; i < CALLING_HOLIDAYS; i++)
		if (others->days[i / 64] >> i % 64 & 1)
			set_holiday(to, others->from + i);
}

bool calling_rule_read(struct calling_rule *rule, int64_t opens_s, int64_t closes_s,
	struct str weekdays, struct str holidays, int64_t now_us)
{
	struct str text;
	bool ok = opens_s >= 0 && opens_s <= DAY_S && closes_s >= 0 && closes_s <= DAY_S;
	*rule = (struct calling_rule){.weekdays = 0};
	for (int day = 0; day < CALLING_WEEKDAYS; day++)
		rule->hours[day] = (struct calling_hours){(int32_t)opens_s, (int32_t)closes_s};
	if (weekdays.n == 0)
		rule->weekdays = (1u << CALLING_WEEKDAYS) - 1;
	while (ok && weekdays.n && str_split(&weekdays, ' ', &text))
		ok = read_weekday(rule, text);
	ok = ok && calling_holidays_read(&rule->holidays, holidays, now_us);
	if (!ok)
		*rule = (struct calling_rule){.weekdays = 0};
	return ok;
}

/* ---- a local day ---- */

static bool is_holiday(const struct calling_rule *rule, int64_t day)
{
	int64_t i = day - rule->holidays.from;
	return i >= 0 && i < CALLING_HOLIDAYS && rule->holidays.days[i / 64] >> i % 64 & 1;
}

/* NULL: it has none. 1970-01-01 was a Thursday. */
static const struct calling_hours *hours_of(const struct calling_rule *rule, int64_t day)
{
	int64_t weekday = ((day + 3) % CALLING_WEEKDAYS + CALLING_WEEKDAYS) % CALLING_WEEKDAYS;
	bool has = rule->weekdays >> weekday & 1 && !is_holiday(rule, day);
	return has ? &rule->hours[weekday] : NULL;
}

/* What is open of a day: the end of the hours of the day before, and its own. */
struct open_parts {
	int32_t from_s[2], to_s[2];
};

static struct open_parts parts_of(const struct calling_rule *rule, int64_t day)
{
	struct open_parts parts = {{0}, {0}};
	const struct calling_hours *before = hours_of(rule, day - 1), *own = hours_of(rule, day);
	if (before && before->closes_s < before->opens_s && !is_holiday(rule, day))
		parts.to_s[0] = before->closes_s;
	if (own) {
		bool whole = own->opens_s == own->closes_s;
		parts.from_s[1] = whole ? 0 : own->opens_s;
		parts.to_s[1] = own->opens_s < own->closes_s ? own->closes_s : DAY_S;
	}
	return parts;
}

/* The first open second of the day from from_s on; SHUT when there is none. */
static int32_t opens_on(const struct open_parts *parts, int32_t from_s)
{
	for (int i = 0; i < 2; i++)
		if (from_s < parts->to_s[i])
			return MAX(from_s, parts->from_s[i]);
	return SHUT;
}

/* Where the part ends in which at_s lies. The end of the day before may reach into the day's own. */
static int32_t closes_on(const struct open_parts *parts, int32_t at_s)
{
	int32_t end_s = at_s;
	for (int i = 0; i < 2; i++)
		if (parts->from_s[i] <= end_s && end_s < parts->to_s[i])
			end_s = parts->to_s[i];
	return end_s;
}

/* ---- local time ---- */

/* The first open second of local time from local_s on; INT64_MAX: none in all the days that the rule knows. */
static int64_t next_local(const struct calling_rule *rule, int64_t local_s)
{
	int64_t day = floor_div(local_s, DAY_S);
	int32_t from_s = (int32_t)(local_s - day * DAY_S);
	if (rule->weekdays == 0)
		return INT64_MAX;
	for (int i = 0; i < CALLING_HOLIDAYS + CALLING_WEEKDAYS; i++, day++, from_s = 0) {
		struct open_parts parts = parts_of(rule, day);
		int32_t at_s = opens_on(&parts, from_s);
		if (at_s != SHUT)
			return day * DAY_S + at_s;
	}
	return INT64_MAX;
}

/* Where what is open at local_s ends; or, when that is midnight and it goes on, one night later. */
static int64_t local_end(const struct calling_rule *rule, int64_t local_s)
{
	int64_t day = floor_div(local_s, DAY_S);
	struct open_parts today = parts_of(rule, day), tomorrow = parts_of(rule, day + 1);
	int32_t end_s = closes_on(&today, (int32_t)(local_s - day * DAY_S));
	return day * DAY_S + (end_s < DAY_S ? end_s : DAY_S + closes_on(&tomorrow, 0));
}

static bool is_always(const struct calling_rule *rule)
{
	bool always = rule->weekdays == (1u << CALLING_WEEKDAYS) - 1;
	for (int day = 0; day < CALLING_WEEKDAYS; day++)
		always &= rule->hours[day].opens_s == rule->hours[day].closes_s;
	for (int i = 0; i < CALLING_HOLIDAY_WORDS; i++)
		always &= rule->holidays.days[i] == 0;
	return always;
}

/* ---- instants ---- */

static int64_t us_of(int64_t s)
{
	return s == INT64_MAX ? INT64_MAX : s * US_PER_S;
}

/* Between two changes of the clocks local time runs evenly, so the rule's arithmetic holds; from one change to the next it
 * is done anew. */
static struct calling_time closed_until(
	const struct calling_rule *rule, const struct zone *zone, int64_t from_s)
{
	enum { CHANGES_MOST = 8 }; /* two a year, four in Ramadan's zones */
	int64_t change_s;
	for (int i = 0; i < CHANGES_MOST; i++, from_s = change_s) {
		int32_t offset_s = zone_offset(zone, from_s, &change_s);
		int64_t next_s = next_local(rule, from_s + offset_s);
		if (next_s != INT64_MAX && next_s - offset_s < change_s)
			return (struct calling_time){.until_us = us_of(next_s - offset_s)};
		if (next_s == INT64_MAX)
			return (struct calling_time){.until_us = INT64_MAX};
	}
	return (struct calling_time){.until_us = us_of(from_s)}; /* to be asked again then */
}

struct calling_time calling_time(
	const struct calling_rule *rule, const struct zone *zone, int64_t at_us)
{
	int64_t at_s = floor_div(at_us, US_PER_S), change_s;
	if (!zone)
		return (struct calling_time){.until_us = INT64_MAX};
	if (is_always(rule))
		return (struct calling_time){true, INT64_MAX};
	int32_t offset_s = zone_offset(zone, at_s, &change_s);
	int64_t local_s = at_s + offset_s;
	if (next_local(rule, local_s) != local_s)
		return closed_until(rule, zone, at_s);
	int64_t end_s = local_end(rule, local_s) - offset_s;
	return (struct calling_time){true, us_of(MIN(end_s, change_s))};
}

struct calling_time calling_time_in_all(
	const struct calling_rule *rule, const struct zone *const *zones, uint32_t n, int64_t at_us)
{
	enum { ROUNDS_MOST = 64 };
	int64_t next_us = at_us;
	if (n == 0)
		return (struct calling_time){.until_us = INT64_MAX};
	for (int round = 0; round < ROUNDS_MOST; round++) {
		struct calling_time all = {true, INT64_MAX};
		for (uint32_t i = 0; i < n && all.is_open; i++) {
			struct calling_time one = calling_time(rule, zones[i], next_us);
			all.is_open = one.is_open;
			all.until_us = one.is_open ? MIN(all.until_us, one.until_us) : one.until_us;
		}
		if (all.is_open && next_us == at_us)
			return all;
		if (all.is_open)
			break;
		next_us = all.until_us;
		if (next_us == INT64_MAX)
			break;
	}
	return (struct calling_time){
		.until_us = next_us}; /* after so many rounds: to be asked again */
}

int64_t calling_time_next_us(
	const struct calling_rule *rule, const struct zone *const *zones, uint32_t n, int64_t at_us)
{
	struct calling_time time = calling_time_in_all(rule, zones, n, at_us);
	return time.is_open ? at_us : time.until_us;
}
