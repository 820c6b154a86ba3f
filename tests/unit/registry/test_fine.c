/* Conditions on single values: times of day, addresses, numbers, channel templates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "registry/fine.h"
#include "registry/server.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

struct sample {
	const char *text;
	bool is_fine;
};

static void assert_samples(bool (*is_fine)(struct str), const struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_fine(str_of(samples[i].text)) != samples[i].is_fine)
			fail_msg("\"%s\" should %sbe fine", samples[i].text,
				samples[i].is_fine ? "" : "not ");
}

static void test_time_of_day_is_read_from_every_form(void **state)
{
	(void)state;
	char out[DAY_TIME_BYTES];
	static const struct {
		const char *given, *read;
	} good[] = {{"09:00", "09:00:00"}, {"23:59:59", "23:59:59"}, {"00:00", "00:00:00"},
		{"2024-01-01T09:00:00", "09:00:00"}, {"2024-01-01T18:30", "18:30:00"},
		{"2024-01-01 18:30:15", "18:30:15"}};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(day_time_read(str_of(good[i].given), out));
		assert_string_equal(out, good[i].read);
	}
}

static void test_no_time_of_day_leaves_the_output_alone(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "9:00", "09", "24:00", "09:60", "09:00:60",
		"09:00:00Z", "2024-01-01T09:00:00Z", "2024-01-01T09:00:00+05:30", "2024-01-01",
		"2024-1-1T09:00:00", "0900", "ab:cd", "2024-01-01T", "2024-01-01X09:00:00"};
	char out[DAY_TIME_BYTES] = "before";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (day_time_read(str_of(bad[i]), out))
			fail_msg("\"%s\" is no time of day", bad[i]);
	assert_string_equal(out, "before");
}

static void test_addresses(void **state)
{
	(void)state;
	static const struct sample https[] = {{"https://example.com/callback", true},
		{"https://[::1]:8443/x", true}, {"http://example.com", false}, {"https://", false},
		{"https:///path", false}, {"https://user:secret@host/", false},
		{"https://host/a@b", true}, {"https://:443/", false},
		{"https://exa mple.com", false}, {"ftp://example.com", false}};
	static const struct sample database[] = {{"postgresql://u:p@h:5432/d", true},
		{"postgresql+asyncpg://u:p@h/d", true}, {"postgresql+asyncpg", false},
		{"postgresql://", false}, {"mysql://u@h/d", false}, {"host=/tmp user=x", false}};

	assert_samples(fine_https, https, ARRAY_LEN(https));
	assert_samples(fine_database, database, ARRAY_LEN(database));
}

static void test_numbers_and_regions(void **state)
{
	(void)state;
	static const struct sample phone[] = {{"1234567890", true}, {"+911140000001", true},
		{"1", true}, {"", false}, {"+", false}, {"12+3", false}, {"12 3", false},
		{"123456789012345678901", false}, {"your_did_number", false}};
	static const struct sample digits[] = {
		{"0", true}, {"*31#", true}, {"", false}, {"0a", false}};
	static const struct sample region[] = {
		{"IN", true}, {"in", false}, {"IND", false}, {"I", false}, {"1N", false}};

	assert_samples(fine_phone, phone, ARRAY_LEN(phone));
	assert_samples(fine_digits, digits, ARRAY_LEN(digits));
	assert_samples(fine_region, region, ARRAY_LEN(region));
}

static void test_statuses_have_the_names_of_sql(void **state)
{
	(void)state;
	uint32_t status;

	assert_true(client_status_read(STR("suspended"), &status));
	assert_int_equal(status, CLIENT_SUSPENDED);
	assert_false(client_status_read(STR("draining"), &status));
	assert_true(server_status_read(STR("draining"), &status));
	assert_int_equal(status, SERVER_DRAINING);
	assert_false(server_status_read(STR("paused"), &status));
	for (uint32_t i = 0; i < CLIENT_STATUS__N; i++)
		assert_true(fine_client_status(str_of(client_status_name(i))));
	for (uint32_t i = 0; i < SERVER_STATUS__N; i++)
		assert_true(fine_server_status(str_of(server_status_name(i))));
	assert_string_equal(server_status_name(SERVER_STATUS__N), "unknown");
}

static bool template_is_fine(struct str text)
{
	return channel_template_check(text, NULL);
}

static void test_channel_templates(void **state)
{
	(void)state;
	static const struct sample templates[] = {{"PJSIP/{prefix}{number}@{endpoint}", true},
		{"PJSIP/{national}@farend", true}, {"SIP/trunk/{+e164}", true},
		{"Local/{e164}@out", true}, {"PJSIP/trunk", false}, {"PJSIP/", false},
		{"/{number}", false}, {"{number}@trunk", false}, {"PJSIP/{number", false},
		{"PJSIP/number}", false}, {"PJSIP/{number}}", false}, {"PJSIP/{nubmer}@x", false},
		{"PJSIP/{}{number}", false}, {"PJSIP/{number}{e164}", false},
		{"P{number}/{number}", false}, {"", false}};

	assert_samples(template_is_fine, templates, ARRAY_LEN(templates));
}

static void test_an_error_about_a_template_says_what(void **state)
{
	(void)state;
	struct err err;

	assert_false(channel_template_check(STR("PJSIP/{nubmer}@x"), &err));
	assert_non_null(strstr(err.text, "{nubmer}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_of_day_is_read_from_every_form),
		cmocka_unit_test(test_no_time_of_day_leaves_the_output_alone),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_numbers_and_regions),
		cmocka_unit_test(test_statuses_have_the_names_of_sql),
		cmocka_unit_test(test_channel_templates),
		cmocka_unit_test(test_an_error_about_a_template_says_what),
	};
	return cmocka_run_group_tests_name("registry/fine", tests, NULL, NULL);
}
