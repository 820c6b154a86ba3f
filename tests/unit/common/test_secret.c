/* Sealing and opening of secrets, and the key file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/secret.h"
#include "common/token.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static char folder[] = "/tmp/ccs-secret-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/key", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder);
}

static int remove_key(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

static void test_opens_what_it_sealed(void **state)
{
	(void)state;
	struct secret_key key;
	struct err err;
	const struct str plains[] = {
		STR(""), STR("x"), STR("sixteen bytes ok"), STR("a \0 inside")};

	random_bytes(&key, sizeof(key));
	for (size_t i = 0; i < ARRAY_LEN(plains); i++) {
		struct strbuf sealed = STRBUF_INIT, plain = STRBUF_INIT;
		secret_seal(&key, plains[i], &sealed);
		assert_int_equal(sealed.n, plains[i].n + SECRET_EXTRA_BYTES);
		assert_true(secret_open(&key, strbuf_view(&sealed), &plain, &err));
		assert_true(str_eq(strbuf_view(&plain), plains[i]));
		strbuf_free(&sealed);
		strbuf_free(&plain);
	}
}

static void test_two_seals_of_one_text_differ(void **state)
{
	(void)state;
	struct secret_key key = {{0}};
	struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;

	secret_seal(&key, STR("same"), &a);
	secret_seal(&key, STR("same"), &b);
	assert_false(str_eq(strbuf_view(&a), strbuf_view(&b)));
	strbuf_free(&a);
	strbuf_free(&b);
}

static void test_any_changed_bit_and_any_cut_is_refused(void **state)
{
	(void)state;
	struct secret_key key;
	struct strbuf sealed = STRBUF_INIT, plain = STRBUF_INIT;
	struct err err;

	random_bytes(&key, sizeof(key));
	strbuf_puts(&plain, "before");
	secret_seal(&key, STR("the secret"), &sealed);
	for (size_t bit = 0; bit < sealed.n * 8; bit++) {
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(secret_open(&key, strbuf_view(&sealed), &plain, &err));
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t n = 0; n < sealed.n; n++)
		assert_false(secret_open(&key, (struct str){sealed.p, n}, &plain, &err));
	assert_string_equal(plain.p, "before");
	strbuf_free(&sealed);
	strbuf_free(&plain);
}

static void test_another_key_opens_nothing(void **state)
{
	(void)state;
	struct secret_key key = {{1}}, other = {{2}};
	struct strbuf sealed = STRBUF_INIT, plain = STRBUF_INIT;
	struct err err;

	secret_seal(&key, STR("the secret"), &sealed);
	assert_false(secret_open(&other, strbuf_view(&sealed), &plain, &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_int_equal(plain.n, 0);
	strbuf_free(&sealed);
	strbuf_free(&plain);
}

static void test_key_file_is_private_and_never_replaced(void **state)
{
	(void)state;
	struct secret_key first, again;
	struct stat st;
	struct err err;

	assert_true(secret_create_key(path, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(secret_load_key(path, &first, &err));
	assert_false(secret_create_key(path, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_true(secret_load_key(path, &again, &err));
	assert_memory_equal(&first, &again, sizeof(first));
}

static void test_key_file_that_others_may_read_is_refused(void **state)
{
	(void)state;
	struct secret_key key;
	struct err err;

	assert_true(secret_create_key(path, &err));
	assert_int_equal(chmod(path, 0640), 0);
	assert_true(secret_load_key(path, &key, &err));
	assert_int_equal(chmod(path, 0644), 0);
	assert_false(secret_load_key(path, &key, &err));
	assert_non_null(strstr(err.text, "mode 644"));
}

static void test_missing_or_short_key_file_names_the_remedy(void **state)
{
	(void)state;
	struct secret_key key;
	struct err err;

	assert_false(secret_load_key(path, &key, &err));
	assert_non_null(strstr(err.text, "ccsctl secret init"));
	assert_true(secret_create_key(path, &err));
	assert_int_equal(truncate(path, SECRET_KEY_BYTES - 1), 0);
	assert_false(secret_load_key(path, &key, &err));
	assert_non_null(strstr(err.text, "ccsctl secret init"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens_what_it_sealed),
		cmocka_unit_test(test_two_seals_of_one_text_differ),
		cmocka_unit_test(test_any_changed_bit_and_any_cut_is_refused),
		cmocka_unit_test(test_another_key_opens_nothing),
		cmocka_unit_test_teardown(test_key_file_is_private_and_never_replaced, remove_key),
		cmocka_unit_test_teardown(
			test_key_file_that_others_may_read_is_refused, remove_key),
		cmocka_unit_test_teardown(
			test_missing_or_short_key_file_names_the_remedy, remove_key),
	};
	return cmocka_run_group_tests_name("common/secret", tests, make_folder, remove_folder);
}
