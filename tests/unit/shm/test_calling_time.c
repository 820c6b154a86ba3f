/* Calling hours on the clocks of five zones: gaps, repeated hours, midnight, weekdays, holidays. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "shm/calling_time.h"
#include "shm/zone_rule.h"
#include "tests/unit/shm/rig.h"

#define KOLKATA	  "Asia/Kolkata"
#define NEW_YORK  "America/New_York"
#define BERLIN	  "Europe/Berlin"
#define LORD_HOWE "Australia/Lord_Howe" /* half an hour */
#define SANTIAGO  "America/Santiago"	/* at midnight */

/* "2026-11-22 03:29:59", UTC */
static int64_t utc_us(const char *text)
{
	struct tm tm = {0};
	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return (int64_t)timegm(&tm) * US_PER_S;
}

static int64_t day_s(const char *text)
{
	int hours, minutes;
	assert_int_equal(sscanf(text, "%2d:%2d", &hours, &minutes), 2);
	return hours * 3600 + minutes * 60;
}

/* "2026-12-25", as the rule counts days. */
static void put_day(char out[16], const char *date)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%s 00:00:00", date);
	(void)snprintf(out, 16, "%lld", (long long)(utc_us(text) / (86400 * US_PER_S)));
}

/* hours "09:00-18:00"; holiday NULL: none. As it is on 2026-01-10. */
static struct calling_rule rule_of(const char *hours, const char *weekdays, const char *holiday)
{
	struct calling_rule rule;
	char day[16] = "";
	if (holiday)
		put_day(day, holiday);
	assert_true(calling_rule_read(&rule, day_s(hours), day_s(hours + 6), str_of(weekdays),
		str_of(day), utc_us("2026-01-10 00:00:00")));
	return rule;
}

struct row {
	const char *zone, *hours, *weekdays, *holiday, *at;
	bool is_open;
	const char *until;
};

static const struct row table[] = {
	/* half hours: 09:00 in India is 03:30 UTC */
	{KOLKATA, "09:00-18:00", "", NULL, "2026-11-22 03:29:59", false, "2026-11-22 03:30:00"},
	{KOLKATA, "09:00-18:00", "", NULL, "2026-11-22 03:30:00", true, "2026-11-22 12:30:00"},
	{KOLKATA, "09:00-18:00", "", NULL, "2026-11-22 12:29:59", true, "2026-11-22 12:30:00"},
	{KOLKATA, "09:00-18:00", "", NULL, "2026-11-22 12:30:00", false, "2026-11-23 03:30:00"},
	/* the local day is not the UTC day */
	{KOLKATA, "00:00-06:00", "", NULL, "2026-11-21 18:30:00", true, "2026-11-22 00:30:00"},
	{NEW_YORK, "20:00-23:00", "", NULL, "2026-11-22 02:00:00", true, "2026-11-22 04:00:00"},
	/* over midnight */
	{KOLKATA, "22:00-02:00", "", NULL, "2026-11-22 16:29:59", false, "2026-11-22 16:30:00"},
	{KOLKATA, "22:00-02:00", "", NULL, "2026-11-22 19:00:00", true, "2026-11-22 20:30:00"},
	{KOLKATA, "22:00-02:00", "", NULL, "2026-11-22 20:30:00", false, "2026-11-23 16:30:00"},
	/* spring: an hour is missing, at 02:00; what begins in it begins when the clock has jumped */
	{BERLIN, "01:00-04:00", "", NULL, "2026-03-29 00:30:00", true, "2026-03-29 01:00:00"},
	{BERLIN, "01:00-04:00", "", NULL, "2026-03-29 01:00:00", true, "2026-03-29 02:00:00"},
	{BERLIN, "02:30-05:00", "", NULL, "2026-03-29 00:45:00", false, "2026-03-29 01:00:00"},
	{BERLIN, "02:30-05:00", "", NULL, "2026-03-29 01:00:00", true, "2026-03-29 03:00:00"},
	{BERLIN, "09:00-18:00", "", NULL, "2026-03-29 06:59:59", false, "2026-03-29 07:00:00"},
	{BERLIN, "22:00-06:00", "", NULL, "2026-03-29 01:00:00", true, "2026-03-29 04:00:00"},
	/* hours wholly inside the missing one: the next day */
	{BERLIN, "02:10-02:50", "", NULL, "2026-03-29 00:30:00", false, "2026-03-30 00:10:00"},
	/* autumn: an hour comes twice; what the clock shows decides */
	{BERLIN, "02:30-04:00", "", NULL, "2026-10-25 00:40:00", true, "2026-10-25 01:00:00"},
	{BERLIN, "02:30-04:00", "", NULL, "2026-10-25 01:00:00", false, "2026-10-25 01:30:00"},
	{BERLIN, "02:30-04:00", "", NULL, "2026-10-25 01:30:00", true, "2026-10-25 03:00:00"},
	{BERLIN, "02:00-02:30", "", NULL, "2026-10-25 00:45:00", false, "2026-10-25 01:00:00"},
	{BERLIN, "02:00-02:30", "", NULL, "2026-10-25 01:15:00", true, "2026-10-25 01:30:00"},
	{NEW_YORK, "01:00-04:00", "", NULL, "2026-03-08 06:30:00", true, "2026-03-08 07:00:00"},
	{NEW_YORK, "02:15-04:00", "", NULL, "2026-03-08 06:30:00", false, "2026-03-08 07:00:00"},
	{NEW_YORK, "01:30-04:00", "", NULL, "2026-11-01 06:10:00", false, "2026-11-01 06:30:00"},
	{NEW_YORK, "09:00-18:00", "", NULL, "2026-11-01 13:59:59", false, "2026-11-01 14:00:00"},
	/* half an hour of daylight saving: 02:00 becomes 02:30, and 02:00 becomes 01:30 */
	{LORD_HOWE, "02:10-05:00", "", NULL, "2026-10-03 15:00:00", false, "2026-10-03 15:30:00"},
	{LORD_HOWE, "02:10-05:00", "", NULL, "2026-10-03 15:30:00", true, "2026-10-03 18:00:00"},
	{LORD_HOWE, "01:45-05:00", "", NULL, "2026-04-04 14:50:00", true, "2026-04-04 15:00:00"},
	{LORD_HOWE, "01:45-05:00", "", NULL, "2026-04-04 15:05:00", false, "2026-04-04 15:15:00"},
	/* midnight itself is missing: the day begins at 01:00; and comes twice: 23:00 to 24:00 */
	{SANTIAGO, "00:30-03:00", "", NULL, "2026-09-06 03:59:59", false, "2026-09-06 04:00:00"},
	{SANTIAGO, "00:30-03:00", "", NULL, "2026-09-06 04:00:00", true, "2026-09-06 06:00:00"},
	{SANTIAGO, "22:00-23:30", "", NULL, "2026-04-05 02:45:00", false, "2026-04-05 03:00:00"},
	{SANTIAGO, "22:00-23:30", "", NULL, "2026-04-05 03:00:00", true, "2026-04-05 03:30:00"},
	/* after the last year of which the file has the changes */
	{NEW_YORK, "09:00-18:00", "", NULL, "2062-07-03 12:59:59", false, "2062-07-03 13:00:00"},
	{NEW_YORK, "09:00-18:00", "", NULL, "2062-12-04 13:59:59", false, "2062-12-04 14:00:00"},
	{SANTIAGO, "09:00-18:00", "", NULL, "2062-07-03 12:59:59", false, "2062-07-03 13:00:00"},
	/* weekdays: 2026-11-21 is a Saturday */
	{KOLKATA, "09:00-18:00", "mon tue wed thu fri", NULL, "2026-11-21 06:00:00", false,
		"2026-11-23 03:30:00"},
	{KOLKATA, "09:00-18:00", "mon sat:10:00-14:00", NULL, "2026-11-21 04:00:00", false,
		"2026-11-21 04:30:00"},
	{KOLKATA, "09:00-18:00", "mon sat:10:00-14:00", NULL, "2026-11-21 04:30:00", true,
		"2026-11-21 08:30:00"},
	/* what began on Friday ends on Saturday; Saturday's own does not begin */
	{KOLKATA, "22:00-02:00", "fri", NULL, "2026-11-20 20:00:00", true, "2026-11-20 20:30:00"},
	{KOLKATA, "22:00-02:00", "fri", NULL, "2026-11-21 16:30:00", false, "2026-11-27 16:30:00"},
	/* whole days, one after the other, and their end */
	{KOLKATA, "09:00-09:00", "mon tue wed", NULL, "2026-11-24 20:00:00", true,
		"2026-11-25 18:30:00"},
	{KOLKATA, "09:00-09:00", "mon tue wed", NULL, "2026-11-25 18:30:00", false,
		"2026-11-29 18:30:00"},
	/* holidays: in the client's own zone, hours of the evening before end at midnight */
	{BERLIN, "09:00-18:00", "", "2026-12-25", "2026-12-24 17:00:00", false,
		"2026-12-26 08:00:00"},
	{BERLIN, "09:00-18:00", "mon tue wed thu fri", "2026-12-25", "2026-12-25 10:00:00", false,
		"2026-12-28 08:00:00"},
	{KOLKATA, "22:00-02:00", "", "2026-01-26", "2026-01-25 18:00:00", true,
		"2026-01-25 18:30:00"},
	{KOLKATA, "22:00-02:00", "", "2026-01-26", "2026-01-25 18:30:00", false,
		"2026-01-27 16:30:00"},
	{NEW_YORK, "09:00-09:00", "", "2026-07-04", "2026-07-03 12:00:00", true,
		"2026-07-04 04:00:00"},
	{NEW_YORK, "09:00-09:00", "", "2026-07-04", "2026-07-04 12:00:00", false,
		"2026-07-05 04:00:00"},
	{SANTIAGO, "09:00-18:00", "", "2026-09-18", "2026-09-18 15:00:00", false,
		"2026-09-19 12:00:00"},
	{LORD_HOWE, "09:00-18:00", "", "2026-04-03", "2026-04-02 23:00:00", false,
		"2026-04-03 22:00:00"},
	/* a holiday on the day on which the clocks change */
	{NEW_YORK, "09:00-18:00", "", "2026-03-08", "2026-03-08 12:00:00", false,
		"2026-03-09 13:00:00"},
};

static void test_U14_hours_by_the_clock_on_the_wall(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct row *row = &table[i];
		struct calling_rule rule = rule_of(row->hours, row->weekdays, row->holiday);
		struct calling_time time =
			calling_time(&rule, zone_find(str_of(row->zone)), utc_us(row->at));
		char until[CLOCK_TEXT_BYTES], expected[CLOCK_TEXT_BYTES];
		(void)clock_utc(time.until_us, until);
		(void)clock_utc(utc_us(row->until), expected);
		if (time.is_open != row->is_open || strcmp(until, expected) != 0)
			fail_msg("%s %s at %s: %s until %s, expected until %s", row->zone,
				row->hours, row->at, time.is_open ? "open" : "closed", until,
				expected);
	}
}

static void test_Q18_equal_times_never_close(void **state)
{
	(void)state;
	struct calling_rule rule = rule_of("09:00-09:00", "", NULL);
	struct calling_time time =
		calling_time(&rule, zone_find(STR(KOLKATA)), utc_us("2026-11-22 03:00:00"));
	assert_true(time.is_open && time.until_us == INT64_MAX);
}

static void assert_never(const struct calling_rule *rule, const struct zone *zone)
{
	struct calling_time time = calling_time(rule, zone, utc_us("2026-11-23 06:00:00"));
	assert_true(!time.is_open && time.until_us == INT64_MAX);
}

static void test_U14_what_nobody_knows_never_opens(void **state)
{
	(void)state;
	struct calling_rule rule = rule_of("09:00-09:00", "", NULL);
	static const char *const names[] = {"Mars/Olympus", "", "/etc/passwd", "../zoneinfo/UTC",
		"Asia//Kolkata", "Asia", "Asia/", "zone.tab", "tzdata.zi"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_null(zone_find(str_of(names[i])));
		assert_never(&rule, zone_find(str_of(names[i])));
	}
	static const char *const weekdays[] = {"monday", "mon:", "mon:9:00-10:00",
		"mon:09:00-24:00", "mon:09:00", "mon  tue", "mon tue mon"};
	int64_t now_us = utc_us("2026-01-10 00:00:00");
	for (size_t i = 0; i < ARRAY_LEN(weekdays); i++) {
		assert_false(calling_rule_read(&rule, 0, 0, str_of(weekdays[i]), STR(""), now_us));
		assert_never(&rule, zone_find(STR(KOLKATA)));
	}
	assert_false(calling_rule_read(&rule, 0, 0, STR(""), STR("tomorrow"), now_us));
	assert_never(&rule, zone_find(STR(KOLKATA)));
	assert_false(calling_rule_read(&rule, -1, 0, STR(""), STR(""), now_us));
	assert_never(&rule, zone_find(STR(KOLKATA)));
}

static void test_holidays_without_an_end(void **state)
{
	(void)state;
	struct calling_rule rule = rule_of("09:00-18:00", "", NULL);
	assert_false(
		calling_holidays_read(&rule.holidays, STR("x"), utc_us("2026-11-23 06:00:00")));
	assert_true(calling_time(&rule, zone_find(STR(KOLKATA)), utc_us("2026-11-23 06:00:00"))
			    .until_us > utc_us("2028-03-01 00:00:00"));
}

static void test_two_calendars_are_one(void **state)
{
	(void)state;
	struct calling_rule rule = rule_of("09:00-18:00", "", "2026-12-24");
	struct calling_holidays others = rule_of("09:00-18:00", "", "2026-12-25").holidays;
	calling_holidays_add(&rule.holidays, &others);
	assert_true(calling_time(&rule, zone_find(STR(BERLIN)), utc_us("2026-12-24 10:00:00"))
			    .until_us == utc_us("2026-12-26 08:00:00"));
}

/* ---- a number that may be in several zones ---- */

static void test_open_only_where_all_zones_are(void **state)
{
	(void)state;
	const struct zone *zones[] = {
		zone_find(STR(NEW_YORK)), zone_find(STR("America/Los_Angeles"))};
	struct calling_rule rule = rule_of("09:00-18:00", "", NULL);
	struct calling_time time =
		calling_time_in_all(&rule, zones, 2, utc_us("2026-11-23 15:00:00"));
	assert_true(!time.is_open && time.until_us == utc_us("2026-11-23 17:00:00"));
	time = calling_time_in_all(&rule, zones, 2, utc_us("2026-11-23 17:00:00"));
	assert_true(time.is_open && time.until_us == utc_us("2026-11-23 23:00:00"));
	time = calling_time_in_all(&rule, zones, 2, utc_us("2026-11-23 23:00:00"));
	assert_true(!time.is_open && time.until_us == utc_us("2026-11-24 17:00:00"));
	assert_true(calling_time_next_us(&rule, zones, 2, utc_us("2026-11-23 23:00:00")) ==
		    utc_us("2026-11-24 17:00:00"));
	assert_true(calling_time_next_us(&rule, zones, 2, utc_us("2026-11-23 18:00:00")) ==
		    utc_us("2026-11-23 18:00:00"));
}

static void test_zones_that_are_never_open_together(void **state)
{
	(void)state;
	const struct zone *zones[] = {zone_find(STR(KOLKATA)), zone_find(STR(NEW_YORK))};
	struct calling_rule rule = rule_of("09:00-12:00", "", NULL);
	int64_t at_us = utc_us("2026-11-23 15:00:00");
	struct calling_time time = calling_time_in_all(&rule, zones, 2, at_us);
	assert_true(!time.is_open && time.until_us > at_us + INT64_C(7) * 86400 * US_PER_S);
	assert_false(calling_time_in_all(&rule, zones, 0, at_us).is_open);
	zones[1] = NULL;
	assert_true(
		calling_time_next_us(&rule, zones, 2, utc_us("2026-11-23 05:00:00")) == INT64_MAX);
}

/* ---- TZif ---- */

static void test_a_damaged_file_is_no_zone(void **state)
{
	(void)state;
	static unsigned char content[8192];
	FILE *file = fopen("/usr/share/zoneinfo/" BERLIN, "re");
	assert_non_null(file);
	size_t n = fread(content, 1, sizeof(content), file);
	assert_int_equal(fclose(file), 0);
	struct zone *whole = zone_read(content, n);
	assert_non_null(whole);
	zone_free(whole);
	for (size_t short_of = 0; short_of < n; short_of++)
		assert_null(zone_read(content, short_of));
	content[0] = 'X';
	assert_null(zone_read(content, n));
}

static void test_rules_that_posix_knows(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int year;
		const char *first, *second;
	} rules[] = {
		{"CET-1CEST,M3.5.0,M10.5.0/3", 2026, "2026-03-29 01:00:00", "2026-10-25 01:00:00"},
		{"EST5EDT,M3.2.0,M11.1.0", 2026, "2026-03-08 07:00:00", "2026-11-01 06:00:00"},
		{"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 2026, "2026-04-04 15:00:00",
			"2026-10-03 15:30:00"},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2026, "2026-03-29 01:00:00",
			"2026-10-25 01:00:00"},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", 2026, "2026-03-29 01:00:00", "2026-10-25 01:00:00"},
		{"AAA3BBB,J60,J300/1:30", 2028, "2028-03-01 05:00:00", "2028-10-27 03:30:00"},
		{"AAA3BBB,59,299", 2028, "2028-02-29 05:00:00", "2028-10-26 04:00:00"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct zone_rule rule;
		struct zone_change changes[2];
		assert_true(zone_rule_read(&rule, str_of(rules[i].text)));
		zone_rule_changes(&rule, rules[i].year, changes);
		assert_true(changes[0].at_s * US_PER_S == utc_us(rules[i].first));
		assert_true(changes[1].at_s * US_PER_S == utc_us(rules[i].second));
	}
	static const char *const wrong[] = {"", "CET", "C-1", "CET-1CEST", "CET-1CEST,M3.5.0",
		"CET-1CEST,M13.1.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/3x", "<CET-1", "CET-1CEST,J0,J300", "CET-999"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct zone_rule rule;
		assert_false(zone_rule_read(&rule, str_of(wrong[i])));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U14_hours_by_the_clock_on_the_wall),
		cmocka_unit_test(test_Q18_equal_times_never_close),
		cmocka_unit_test(test_U14_what_nobody_knows_never_opens),
		cmocka_unit_test(test_holidays_without_an_end),
		cmocka_unit_test(test_two_calendars_are_one),
		cmocka_unit_test(test_open_only_where_all_zones_are),
		cmocka_unit_test(test_zones_that_are_never_open_together),
		cmocka_unit_test(test_a_damaged_file_is_no_zone),
		cmocka_unit_test(test_rules_that_posix_knows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
