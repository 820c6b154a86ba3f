/* Channel templates: what is dialled for a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatcher/ami_channel.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static const struct ami_target indian = {
	.number = {"09876543210", 11},
	.e164 = {"919876543210", 12},
	.country_digits = 2,
	.prefix = {"99", 2},
	.endpoint = {"trunk-1", 7},
};
static const struct ami_target unplanned = {.number = {"+1234", 5}, .endpoint = {"t", 1}};
static const struct ami_target short_code = {.number = {"1909", 4}, .endpoint = {"t", 1}};

static void assert_expands(const char *template, const struct ami_target *target, const char *to)
{
	char out[AMI_CHANNEL_BYTES] = "";
	struct err err = {.text = ""};
	if (!ami_channel_expand(str_of(template), target, out, &err))
		fail_msg("%s: %s", template, err.text);
	assert_string_equal(out, to);
}

static void assert_refused(const char *template, const struct ami_target *target, const char *why)
{
	char out[AMI_CHANNEL_BYTES] = "untouched";
	struct err err = {.text = ""};
	if (ami_channel_expand(str_of(template), target, out, &err))
		fail_msg("%s gave %s", template, out);
	assert_string_equal(out, "untouched");
	assert_int_equal(err.kind, ERR_INPUT);
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", template, err.text, why);
}

static void every_placeholder(void **state)
{
	(void)state;
	assert_expands("PJSIP/{prefix}{number}@{endpoint}", &indian, "PJSIP/9909876543210@trunk-1");
	assert_expands("PJSIP/{national}@{endpoint}", &indian, "PJSIP/9876543210@trunk-1");
	assert_expands("PJSIP/00{e164}@{endpoint}", &indian, "PJSIP/00919876543210@trunk-1");
	assert_expands("PJSIP/{+e164}@{endpoint}", &indian, "PJSIP/+919876543210@trunk-1");
	assert_expands("Local/{number}@far-end/n", &indian, "Local/09876543210@far-end/n");
	assert_expands("DAHDI/g1/{number}", &indian, "DAHDI/g1/09876543210");
}

static void numbers_that_no_plan_knows(void **state)
{
	(void)state;
	assert_expands("PJSIP/{number}@t", &unplanned, "PJSIP/+1234@t");
	assert_expands("PJSIP/{national}@t", &unplanned, "PJSIP/1234@t");
	assert_expands("PJSIP/{e164}@t", &unplanned, "PJSIP/1234@t");
	assert_expands("PJSIP/{+e164}@t", &unplanned, "PJSIP/+1234@t");
	assert_expands("PJSIP/{+e164}@t", &short_code, "PJSIP/1909@t");
}

static void templates_that_make_no_channel(void **state)
{
	(void)state;
	assert_refused("PJSIP/{nummer}@t", &indian, "{nummer}");
	assert_refused("PJSIP/{}@t", &indian, "{}");
	assert_refused("PJSIP/{number@t", &indian, "without its }");
	assert_refused("PJSIP/{number}}@t", &indian, "gives no channel");
	assert_refused("{number}", &indian, "gives no channel");
	assert_refused("/^PJSIP/{number}", &indian, "gives no channel");
	assert_refused("PJSIP/{number}&PJSIP/1", &indian, "gives no channel");
	assert_refused("PJSIP/{number}\nApplication: System", &indian, "gives no channel");
	assert_refused("", &indian, "gives no channel");
	assert_refused("PJSIP/", &indian, "gives no channel");

	char endless[400] = "PJSIP/{number}";
	memset(endless + 14, '1', sizeof(endless) - 15);
	endless[sizeof(endless) - 1] = '\0';
	assert_refused(endless, &indian, "gives no channel");
}

static void targets_with_more_than_digits(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "12@evil", "1 2", "1\n2", "12+3", "+"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ami_target target = indian;
		target.number = str_of(bad[i]);
		assert_refused("PJSIP/{number}@t", &target, "number to dial");
		if (!bad[i][0])
			continue;
		target = indian;
		target.prefix = str_of(bad[i]);
		assert_refused("PJSIP/{number}@t", &target, "provided_prefix");
		target = indian;
		target.e164 = str_of(bad[i]);
		assert_refused("PJSIP/{number}@t", &target, "E.164");
	}
	struct ami_target target = indian;
	target.endpoint = STR("a@b");
	assert_refused("PJSIP/{number}@t", &target, "provided_endpoints");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_placeholder),
		cmocka_unit_test(numbers_that_no_plan_knows),
		cmocka_unit_test(templates_that_make_no_channel),
		cmocka_unit_test(targets_with_more_than_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
