/* The encoder: the exact bytes of each action, and that nothing hostile becomes bytes at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatcher/ami_action.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static const struct ami_originate good = {
	.call_id = {"ccs-0000000000042a01", 20},
	.channel = {"PJSIP/919876543210@trunk", 24},
	.context = {"ccs-answered", 12},
	.exten = {"s", 1},
	.caller_number = {"+911140000000", 13},
	.account = {"client_7", 8},
	.ring_ms = 45000,
	.max_call_s = 3600,
};

static void assert_text(const struct strbuf *out, const char *text)
{
	assert_string_equal(out->p, text);
	assert_int_equal(out->n, strlen(text));
}

static void an_originate_says_exactly_this(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT;
	struct err err;
	assert_true(ami_originate(&out, &good, &err));
	assert_text(&out, "Action: Originate\r\n"
			  "ActionID: ccs-0000000000042a01\r\n"
			  "ChannelId: ccs-0000000000042a01\r\n"
			  "Channel: PJSIP/919876543210@trunk\r\n"
			  "Context: ccs-answered\r\n"
			  "Exten: s\r\n"
			  "Priority: 1\r\n"
			  "Timeout: 45000\r\n"
			  "CallerID: +911140000000\r\n"
			  "Account: client_7\r\n"
			  "Variable: CCS_CALL_ID=ccs-0000000000042a01\r\n"
			  "Variable: TIMEOUT(absolute)=3600\r\n"
			  "Async: true\r\n"
			  "\r\n");
	strbuf_free(&out);
}

static void the_other_actions_say_exactly_this(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT;
	struct err err;
	assert_true(ami_hangup(&out, good.call_id, 16, &err));
	assert_true(ami_challenge(&out, STR("c1"), &err));
	assert_true(ami_login_plain(&out, STR("l1"), STR("disp"), STR("s p: \xc3\xa9!"), &err));
	assert_true(
		ami_login_md5(&out, STR("l2"), STR("disp"), STR("secret"), STR("123456789"), &err));
	assert_true(ami_ping(&out, STR("p1"), &err));
	assert_true(ami_core_show_channels(&out, STR("r1"), &err));
	assert_true(ami_logoff(&out, STR("o1"), &err));
	assert_text(&out,
		"Action: Hangup\r\nActionID: hangup-ccs-0000000000042a01\r\n"
		"Channel: ccs-0000000000042a01\r\nCause: 16\r\n\r\n"
		"Action: Challenge\r\nActionID: c1\r\nAuthType: MD5\r\n\r\n"
		"Action: Login\r\nActionID: l1\r\nUsername: disp\r\nEvents: "
		"call,cdr,system,user\r\n"
		"Secret: s p: \xc3\xa9!\r\n\r\n"
		"Action: Login\r\nActionID: l2\r\nAuthType: MD5\r\nUsername: disp\r\n"
		"Events: call,cdr,system,user\r\nKey: 7ccde16e862dfe7681297713e9e9cadb\r\n\r\n"
		"Action: Ping\r\nActionID: p1\r\n\r\n"
		"Action: CoreShowChannels\r\nActionID: r1\r\n\r\n"
		"Action: Logoff\r\nActionID: o1\r\n\r\n");
	strbuf_free(&out);
}

static void what_is_refused_leaves_no_byte(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		size_t offset; /* of the struct str in struct ami_originate */
		const char *value;
	} cases[] = {
#define BAD(member, value) {#member, offsetof(struct ami_originate, member), value}
		BAD(call_id, ""),
		BAD(call_id, "ccs-0000000000042a0"),
		BAD(call_id, "ccs-0000000000042A01"),
		BAD(call_id, "ccs-0000000000042s01"),
		BAD(call_id, "ccs--000000000042a01"),
		BAD(call_id, "abc-0000000000042a01"),
		BAD(channel, "PJSIP"),
		BAD(channel, "/trunk-.*/"),
		BAD(channel, "PJSIP/1@trunk&PJSIP/2@trunk"),
		BAD(channel, "PJSIP/1@trunk\nApplication: System"),
		BAD(context, ""),
		BAD(context, "a b"),
		BAD(context, "a,1"),
		BAD(exten, "s\r\nApplication: System"),
		BAD(exten, "s\nData: x"),
		BAD(caller_number, "\"x\" <1>"),
		BAD(caller_number, "1+1"),
		BAD(caller_number, "+"),
		BAD(caller_number, "123456789012345678901234"),
		BAD(account, "a\x7f"),
		BAD(account, "a=b"),
		BAD(account, "a\xc3\xa9"),
#undef BAD
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ami_originate bad = good;
		struct strbuf out = STRBUF_INIT;
		struct err err = {.kind = ERR_NONE};
		struct str value = str_of(cases[i].value);
		memcpy((char *)&bad + cases[i].offset, &value, sizeof(value));
		strbuf_puts(&out, "before");
		if (ami_originate(&out, &bad, &err))
			fail_msg("%s = \"%s\" was taken", cases[i].what, cases[i].value);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_non_null(strstr(err.text, "cannot be sent to Asterisk"));
		assert_text(&out, "before");
		strbuf_free(&out);
	}
}

static void nothing_rings_or_lasts_for_ever(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT;
	struct err err;
	struct ami_originate bad = good;
	bad.ring_ms = 0;
	assert_false(ami_originate(&out, &bad, &err));
	assert_non_null(strstr(err.text, "Timeout: "));
	bad = good;
	bad.max_call_s = 0;
	assert_false(ami_originate(&out, &bad, &err));
	assert_non_null(strstr(err.text, "TIMEOUT(absolute)"));
	assert_int_equal(out.n, 0);
	strbuf_free(&out);
}

static void a_nul_or_control_byte_is_refused_everywhere(void **state)
{
	(void)state;
	for (int type = 0; type < AMI_TYPE__N; type++) {
		for (int c = 0; c < 0x20; c++) {
			char value[] = {'1', (char)c, '1'};
			assert_false(ami_fits((enum ami_type)type, (struct str){value, 3}));
		}
		assert_false(ami_fits((enum ami_type)type, STR("1\x7f"
							       "1")));
		assert_false(ami_fits((enum ami_type)type, STR("")));
	}
}

static void each_type_ends_where_it_says(void **state)
{
	(void)state;
	static const size_t max[AMI_TYPE__N] = {
#define AMI_TYPE(constant, allowed, max, rule, words) [AMI_TYPE_##constant] = max,
#include "dispatcher/ami_types.def"
#undef AMI_TYPE
	};
	char value[600];

	memset(value, '1', sizeof(value));
	for (int type = 0; type < AMI_TYPE__N; type++) {
		if (type == AMI_TYPE_CALL_ID || type == AMI_TYPE_CHANNEL || type == AMI_TYPE_PATH)
			continue;
		assert_true(ami_fits((enum ami_type)type, (struct str){value, max[type]}));
		assert_false(ami_fits((enum ami_type)type, (struct str){value, max[type] + 1}));
	}
	value[0] = '/';
	assert_true(ami_fits(AMI_TYPE_PATH, (struct str){value, max[AMI_TYPE_PATH]}));
	assert_false(ami_fits(AMI_TYPE_PATH, (struct str){value, max[AMI_TYPE_PATH] + 1}));
	assert_false(ami_fits(AMI_TYPE_PATH, STR("rec/1.wav")));
	assert_false(ami_fits(AMI_TYPE_PATH, STR("/rec/../1.wav")));
	assert_false(ami_fits(AMI_TYPE_PATH, STR("/rec/a,b.wav")));
	memcpy(value, "PJSIP/", 6);
	assert_true(ami_fits(AMI_TYPE_CHANNEL, (struct str){value, 126}));
	assert_false(ami_fits(AMI_TYPE_CHANNEL, (struct str){value, 127}));
	assert_false(ami_fits(AMI_TYPE_CHANNEL, (struct str){value, 6}));
}

static void secrets_that_asterisk_would_change_are_refused(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT;
	struct err err;
	static const char *const bad[] = {" hush", "hush ", "hush\nAction: Logoff", "\thush", ""};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(ami_login_plain(&out, STR("l"), STR("disp"), str_of(bad[i]), &err));
		assert_null(strstr(err.text, "hush"));
		assert_int_equal(out.n, 0);
	}
	assert_false(ami_login_plain(&out, STR("l"), STR("disp\n"), STR("secret"), &err));
	assert_false(ami_hangup(&out, STR("/^PJSIP/"), 16, &err));
	assert_int_equal(out.n, 0);
	strbuf_free(&out);
}

/* The names of all lines of text, each with a blank behind it. */
static void names_of(struct str text, char *out, size_t size)
{
	struct str rest = text, line, name;
	size_t n = 0;
	while (str_split(&rest, '\n', &line)) {
		str_split(&line, ':', &name);
		n += (size_t)snprintf(out + n, size - n, "%.*s ", (int)name.n, name.p);
		assert_true(n < size);
	}
}

static void hostile_bytes_in_any_value_add_no_header(void **state)
{
	(void)state;
	static const char alphabet[] = "a0+/@._-*#,:=\n\r\t \x01\x7f\xff&()\"";
	struct strbuf out = STRBUF_INIT;
	char expected[512], names[512];
	unsigned seed = 7, taken = 0;

	assert_true(ami_originate(&out, &good, NULL));
	names_of(strbuf_view(&out), expected, sizeof(expected));
	for (unsigned round = 0; round < 100000; round++) {
		char bytes[12];
		struct ami_originate o = good;
		struct str *values[] = {
			&o.call_id, &o.channel, &o.context, &o.exten, &o.caller_number, &o.account};
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = alphabet[(size_t)rand_r(&seed) % sizeof(alphabet)];
		*values[round % ARRAY_LEN(values)] =
			(struct str){bytes, (size_t)rand_r(&seed) % sizeof(bytes)};
		strbuf_reset(&out);
		if (!ami_originate(&out, &o, NULL)) {
			assert_int_equal(out.n, 0);
			continue;
		}
		taken++;
		names_of(strbuf_view(&out), names, sizeof(names));
		assert_string_equal(names, expected);
	}
	assert_true(taken > 1000);
	strbuf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_originate_says_exactly_this),
		cmocka_unit_test(the_other_actions_say_exactly_this),
		cmocka_unit_test(what_is_refused_leaves_no_byte),
		cmocka_unit_test(nothing_rings_or_lasts_for_ever),
		cmocka_unit_test(a_nul_or_control_byte_is_refused_everywhere),
		cmocka_unit_test(each_type_ends_where_it_says),
		cmocka_unit_test(secrets_that_asterisk_would_change_are_refused),
		cmocka_unit_test(hostile_bytes_in_any_value_add_no_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
