/* How many workers each pool shall have, what may be wished, and who runs the pools. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/pool.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static char folder[] = "/tmp/ccs-pool-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/workers.conf", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static struct conf configured(int fast, int sql, int login, int slots)
{
	struct conf conf = {.api_fast_workers = fast,
		.api_sql_workers = sql,
		.api_call_workers = 2,
		.api_login_workers = login,
		.api_admin_workers = 1,
		.segment_worker_slots = slots};
	(void)snprintf(conf.api_workers_file, sizeof(conf.api_workers_file), "%s", path);
	return conf;
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void assert_refused(const struct err *err, const char *words)
{
	assert_int_equal(err->kind, ERR_INPUT);
	if (!strstr(err->text, words))
		fail_msg("\"%s\" does not say \"%s\"", err->text, words);
}

/* ---- numbers ---- */

static void test_what_is_asked_for_is_taken(void **state)
{
	const struct conf conf = configured(5, 7, 3, 36);
	int n[POOL__N];
	(void)state;
	assert_true(pool_numbers(n, &conf, NULL));
	assert_int_equal(n[POOL_FAST], 5);
	assert_int_equal(n[POOL_SQL], 7);
	assert_int_equal(n[POOL_CALL], 2);
	assert_int_equal(n[POOL_LOGIN], 3);
	assert_int_equal(pool_slots(n), 36);
	assert_int_equal(pool_connected(n), 13);
}

static void test_left_to_us_there_are_as_many_as_suit_the_machine(void **state)
{
	struct conf conf = configured(0, 0, 0, 1024);
	int n[POOL__N], cores = pool_cores();
	(void)state;
	assert_true(pool_numbers(n, &conf, NULL));
	assert_int_equal(n[POOL_FAST], MIN(cores, 128));
	assert_int_equal(n[POOL_SQL], MIN(4 * cores, 32));
	assert_int_equal(n[POOL_LOGIN], cores < 4 ? 1 : 2);
	conf.segment_worker_slots = 32;
	assert_true(pool_numbers(n, &conf, NULL));
	assert_int_equal(n[POOL_FAST], MIN(cores, 4));
	assert_int_equal(n[POOL_SQL], MIN(4 * cores, 8));
}

static void test_more_than_the_slots_is_refused(void **state)
{
	const struct conf conf = configured(5, 7, 3, 35);
	int n[POOL__N] = {-1, -1, -1};
	struct err err = {0};
	(void)state;
	assert_false(pool_numbers(n, &conf, &err));
	assert_refused(
		&err, "workers (fast 5, sql 7, call 2, login 3, admin 1) need 36 worker slots");
	assert_int_equal(n[POOL_SQL], -1);
}

/* ---- wishes ---- */

static void test_wishes_are_kept_and_win(void **state)
{
	struct conf conf = configured(1, 1, 1, 128);
	struct pool_wishes wishes = {0}, read;
	int n[POOL__N];
	(void)state;
	assert_true(pool_wish(&wishes, POOL_FAST, "auto", NULL));
	assert_true(pool_wish(&wishes, POOL_SQL, "11", NULL));
	assert_true(pool_wishes_write(&wishes, &conf, NULL));
	assert_true(pool_wishes_read(&read, &conf, NULL));
	assert_memory_equal(&read, &wishes, sizeof(read));
	assert_true(pool_numbers_wished(n, &conf, NULL));
	assert_int_equal(n[POOL_FAST], pool_cores());
	assert_int_equal(n[POOL_SQL], 11);
	assert_int_equal(n[POOL_LOGIN], 1);

	const struct pool_wishes none = {0};
	assert_true(pool_wishes_write(&none, &conf, NULL));
	assert_int_equal(access(path, F_OK), -1);
	assert_true(pool_wishes_write(&none, &conf, NULL));
	assert_true(pool_numbers_wished(n, &conf, NULL));
	assert_int_equal(n[POOL_SQL], 1);
}

static void test_wishes_that_cannot_be(void **state)
{
	static const struct {
		enum pool pool;
		const char *number;
	} bad[] = {{POOL_FAST, "257"}, {POOL_SQL, "-1"}, {POOL_SQL, ""}, {POOL_SQL, "8 "},
		{POOL_LOGIN, "65"}, {POOL_LOGIN, "1.5"}, {POOL_FAST, "many"}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct pool_wishes wishes = {0};
		struct err err = {0};
		assert_false(pool_wish(&wishes, bad[i].pool, bad[i].number, &err));
		assert_refused(&err, "must be a whole number from");
		assert_false(wishes.is_wished[bad[i].pool]);
	}
}

static void test_a_file_that_somebody_else_has_written(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"[api]\nfast_workers = 300\n", ":2: fast_workers is \"300\""},
		{"[api]\nmax_body_bytes = 1\n",
			":2: max_body_bytes of section [api] does not belong"},
		{"[relay]\nfast_workers = 3\n", ":2: fast_workers of section [relay]"},
		{"[api\n", ":1"},
	};
	const struct conf conf = configured(1, 1, 1, 128);
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct pool_wishes wishes;
		struct err err = {0};
		write_file(bad[i].text);
		assert_false(pool_wishes_read(&wishes, &conf, &err));
		assert_refused(&err, bad[i].why);
	}
	assert_int_equal(unlink(path), 0);
}

static void test_a_file_that_cannot_be_written(void **state)
{
	struct conf conf = configured(1, 1, 1, 128);
	struct pool_wishes wishes = {0};
	struct err err = {0};
	(void)state;
	(void)snprintf(conf.api_workers_file, sizeof(conf.api_workers_file), "%s/no/such", folder);
	assert_true(pool_wish(&wishes, POOL_SQL, "2", NULL));
	assert_false(pool_wishes_write(&wishes, &conf, &err));
	assert_refused(&err, "No such file");
}

/* ---- who runs them ---- */

/* Takes the lock as a master does, says so, and stays. */
static pid_t spawn_master(const char *lock, int said)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		(void)!write(said, fcntl(fd, F_SETLK, &all) == 0 ? "y" : "n", 1);
		for (;;)
			(void)pause();
	}
	return pid;
}

static void test_the_master_is_who_holds_the_lock(void **state)
{
	char socket[64], lock[POOL_LOCK_BYTES], byte;
	int said[2];
	pid_t found = -1;
	(void)state;
	assert_true(pool_master(&found, folder, POOL_SQL, NULL));
	assert_int_equal(found, 0);
	assert_true(pool_socket(socket, sizeof(socket), folder, POOL_SQL, NULL));
	pool_lock(lock, socket);
	assert_int_equal(pipe(said), 0);
	pid_t master = spawn_master(lock, said[1]);
	assert_int_equal(read(said[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_true(pool_master(&found, folder, POOL_SQL, NULL));
	assert_int_equal(found, master);
	assert_true(pool_master(&found, folder, POOL_FAST, NULL));
	assert_int_equal(found, 0);
	(void)kill(master, SIGKILL);
	assert_int_equal(waitpid(master, NULL, 0), master);
	assert_true(pool_master(&found, folder, POOL_SQL, NULL));
	assert_int_equal(found, 0);
	(void)close(said[0]);
	(void)close(said[1]);
	assert_int_equal(unlink(lock), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_asked_for_is_taken),
		cmocka_unit_test(test_left_to_us_there_are_as_many_as_suit_the_machine),
		cmocka_unit_test(test_more_than_the_slots_is_refused),
		cmocka_unit_test(test_wishes_are_kept_and_win),
		cmocka_unit_test(test_wishes_that_cannot_be),
		cmocka_unit_test(test_a_file_that_somebody_else_has_written),
		cmocka_unit_test(test_a_file_that_cannot_be_written),
		cmocka_unit_test(test_the_master_is_who_holds_the_lock),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
