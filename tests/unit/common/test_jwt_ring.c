/* The file of signing keys: rotation that signs nobody out, and files that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/jwt.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

#define NOW_US (INT64_C(1795338000) * US_PER_S)
#define KEY    "kid00001 1700000000 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER  "kid00002 1700000001 100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static char folder[] = "/tmp/ccs-jwt-ring-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/jwt.keys", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int remove_keys(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

static void write_file(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void load(struct jwt_ring *ring)
{
	struct err err;
	if (!jwt_ring_load(ring, path, &err))
		fail_msg("%s", err.text);
}

static void must(bool done, const struct err *err)
{
	if (!done)
		fail_msg("%s", err->text);
}

static void issue(const struct jwt_ring *ring, char token[JWT_TEXT_BYTES])
{
	const struct jwt_claims claims = {.user_id = 1,
		.session_id = 1,
		.version = 1,
		.issued_s = NOW_US / US_PER_S,
		.expires_s = NOW_US / US_PER_S + 60,
		.id = "x"};
	struct err err;
	must(jwt_issue(ring, JWT_ACCESS, &claims, token, &err), &err);
}

static bool is_good(struct jwt_ring *ring, const char *token)
{
	struct jwt_claims claims;
	return jwt_verify(ring, JWT_ACCESS, str_of(token), NOW_US, &claims, NULL);
}

/* As if it had last looked a second ago. */
static void look_again(struct jwt_ring *ring)
{
	ring->checked_mono_us = 0;
	jwt_ring_check(ring);
}

static void test_made_for_its_owner_alone_and_only_once(void **state)
{
	(void)state;
	struct jwt_ring ring;
	struct stat st;
	struct err err;
	must(jwt_ring_create(path, &err), &err);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	load(&ring);
	assert_int_equal(ring.n, 1);
	assert_false(jwt_ring_create(path, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
}

static void test_rotation_signs_nobody_out_until_the_key_is_retired(void **state)
{
	(void)state;
	struct jwt_ring before, after;
	char old_token[JWT_TEXT_BYTES], new_token[JWT_TEXT_BYTES];
	struct err err;

	must(jwt_ring_create(path, &err), &err);
	load(&before);
	issue(&before, old_token);
	must(jwt_ring_rotate(path, &err), &err);
	load(&after);
	issue(&after, new_token);
	assert_int_equal(after.n, 2);
	assert_string_equal(after.key[0].kid, before.key[0].kid);
	assert_true(is_good(&after, old_token) && is_good(&after, new_token));

	must(jwt_ring_retire(path, str_of(before.key[0].kid), &err), &err);
	load(&after);
	assert_int_equal(after.n, 1);
	assert_false(is_good(&after, old_token));
	assert_true(is_good(&after, new_token));
}

static void test_a_ring_keeps_its_last_key_and_has_an_end(void **state)
{
	(void)state;
	struct jwt_ring ring;
	struct err err;
	must(jwt_ring_create(path, &err), &err);
	load(&ring);
	assert_false(jwt_ring_retire(path, str_of(ring.key[0].kid), &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_false(jwt_ring_retire(path, STR("nobody00"), &err));
	assert_int_equal(err.kind, ERR_MISSING);
	for (int i = 1; i < JWT_KEYS_MAX; i++)
		must(jwt_ring_rotate(path, &err), &err);
	assert_false(jwt_ring_rotate(path, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	load(&ring);
	assert_int_equal(ring.n, JWT_KEYS_MAX);
}

/* One process signs with the new key as soon as it has looked; the others looked just before it was made. */
static void test_a_key_younger_than_the_last_look_verifies(void **state)
{
	(void)state;
	struct jwt_ring signer, verifier;
	char token[JWT_TEXT_BYTES];
	struct err err;

	must(jwt_ring_create(path, &err), &err);
	load(&verifier);
	for (int i = 1; i < JWT_KEYS_MAX; i++) {
		must(jwt_ring_rotate(path, &err), &err);
		load(&signer);
		issue(&signer, token);
		assert_true(is_good(&verifier, token));
	}
}

/* All at once, as cron on one terminal and a person on another: nobody undoes what another has done. */
static void test_keepers_wait_for_each_other(void **state)
{
	enum { KEEPERS = JWT_KEYS_MAX - 1 };
	(void)state;
	struct jwt_ring ring;
	struct err err;
	int status;

	must(jwt_ring_create(path, &err), &err);
	for (int i = 0; i < KEEPERS; i++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(jwt_ring_rotate(path, &err) ? 0 : 1);
	}
	for (int i = 0; i < KEEPERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	load(&ring);
	assert_int_equal(ring.n, 1 + KEEPERS);
}

static void test_what_a_killed_keeper_left_is_in_nobodys_way(void **state)
{
	(void)state;
	struct jwt_ring ring;
	struct stat st;
	struct err err;
	char half[80];

	must(jwt_ring_create(path, &err), &err);
	(void)snprintf(half, sizeof(half), "%s.new", path);
	FILE *file = fopen(half, "we");
	assert_non_null(file);
	assert_true(fputs("half a key", file) >= 0 && fclose(file) == 0);
	must(jwt_ring_rotate(path, &err), &err);
	load(&ring);
	assert_int_equal(ring.n, 2);
	assert_int_not_equal(stat(half, &st), 0);
}

static void test_mode_and_place_survive_a_rotation(void **state)
{
	(void)state;
	struct stat st;
	struct err err;
	write_file(KEY "\n", 0640);
	must(jwt_ring_rotate(path, &err), &err);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void test_a_process_at_work_notices(void **state)
{
	(void)state;
	struct jwt_ring ring;
	char token[JWT_TEXT_BYTES];
	struct err err;

	assert_false(jwt_ring_load(&ring, path, &err));
	assert_non_null(strstr(err.text, "jwt-key init"));
	assert_int_equal(ring.n, 0);
	must(jwt_ring_create(path, &err), &err);
	jwt_ring_check(&ring); /* it looks once a second */
	assert_int_equal(ring.n, 0);
	look_again(&ring);
	assert_int_equal(ring.n, 1);

	issue(&ring, token);
	must(jwt_ring_rotate(path, &err), &err);
	look_again(&ring);
	assert_int_equal(ring.n, 2);
	assert_true(is_good(&ring, token));
}

/* What the refusal says must help without a restart. */
static void test_a_mode_put_right_is_noticed(void **state)
{
	(void)state;
	struct jwt_ring ring;
	struct err err;

	write_file(KEY "\n", 0644);
	assert_false(jwt_ring_load(&ring, path, &err));
	assert_non_null(strstr(err.text, "chmod 600"));
	look_again(&ring);
	assert_int_equal(ring.n, 0);
	assert_int_equal(chmod(path, 0600), 0);
	look_again(&ring);
	assert_int_equal(ring.n, 1);
}

static void test_a_file_that_went_bad_changes_nothing(void **state)
{
	(void)state;
	struct jwt_ring ring;
	write_file(KEY "\n", 0600);
	load(&ring);
	write_file("nonsense\n", 0600);
	look_again(&ring);
	assert_int_equal(ring.n, 1);
	(void)unlink(path);
	look_again(&ring);
	assert_int_equal(ring.n, 1);
}

static void test_files_that_are_refused(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *why;
	} cases[] = {
		{"", 0600, "no key"},
		{"# only words\n", 0600, "no key"},
		{KEY "\n", 0644, "chmod 600"},
		{KEY "\n", 0660, "chmod 600"},
		{KEY "\n" KEY "\n", 0600, ":2:"},
		{"kid0001 1700000000 0001\n", 0600, ":1:"},
		{"kid00001 1700000000\n", 0600, ":1:"},
		{"kid00001 1700000000 \n", 0600, ":1:"},
		{"kid00001\n", 0600, ":1:"},
		{KEY "\r\n", 0600, ":1:"},
		{"#\n\n" KEY "00\n", 0600, ":3:"},
		{KEY " \n", 0600, ":1:"},
		{"kid00001 soon 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
			0600, ":1:"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jwt_ring ring;
		struct err err;
		write_file(cases[i].text, cases[i].mode);
		if (jwt_ring_load(&ring, path, &err))
			fail_msg("case %zu: taken", i);
		if (!strstr(err.text, cases[i].why))
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(ring.n, 0);
	}
	write_file("# two\n" KEY "\n\n" OTHER, 0600);
	struct jwt_ring ring;
	load(&ring);
	assert_int_equal(ring.n, 2);
	assert_string_equal(jwt_ring_signer(&ring)->kid, "kid00002");
}

#define FILE_TEST(test) cmocka_unit_test_teardown(test, remove_keys)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_made_for_its_owner_alone_and_only_once),
		FILE_TEST(test_rotation_signs_nobody_out_until_the_key_is_retired),
		FILE_TEST(test_a_ring_keeps_its_last_key_and_has_an_end),
		FILE_TEST(test_a_key_younger_than_the_last_look_verifies),
		FILE_TEST(test_keepers_wait_for_each_other),
		FILE_TEST(test_what_a_killed_keeper_left_is_in_nobodys_way),
		FILE_TEST(test_mode_and_place_survive_a_rotation),
		FILE_TEST(test_a_process_at_work_notices),
		FILE_TEST(test_a_mode_put_right_is_noticed),
		FILE_TEST(test_a_file_that_went_bad_changes_nothing),
		FILE_TEST(test_files_that_are_refused),
	};
	return cmocka_run_group_tests_name("common/jwt_ring", tests, make_folder, remove_folder);
}
