/* courier/sign: signatures that others' libraries agree with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "courier/sign.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

/* The example of the Standard Webhooks specification's own libraries. */
static void the_standard_form_is_that_of_the_specification(void **state)
{
	struct strbuf out = STRBUF_INIT;

	(void)state;
	assert_true(sign_standard(&out, STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
		STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330, STR("{\"test\": 2432232314}")));
	assert_string_equal(out.p, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	strbuf_free(&out);
}

/* RFC 4231, test case 2. */
static void the_plain_form_is_hmac_of_the_body(void **state)
{
	struct strbuf out = STRBUF_INIT;

	(void)state;
	sign_body(&out, STR("Jefe"), STR("what do ya want for nothing?"));
	assert_string_equal(
		out.p, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	strbuf_free(&out);
}

static void what_is_no_secret_signs_nothing(void **state)
{
	static const char *const wrong[] = {"", "whsec_", "secret", "whsec_abc", "whsec_????",
		"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	struct strbuf out = STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(sign_standard(&out, str_of(wrong[i]), STR("1-1"), 1, STR("{}")));
	assert_int_equal(out.n, 0);
	strbuf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standard_form_is_that_of_the_specification),
		cmocka_unit_test(the_plain_form_is_hmac_of_the_body),
		cmocka_unit_test(what_is_no_secret_signs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
