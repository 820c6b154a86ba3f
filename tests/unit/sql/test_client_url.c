/* sql/client_url: what is taken of an address that a client writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "sql/client_url.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static void an_address_is_read_with_or_without_a_driver(void **state)
{
	static const char *const same[] = {"postgresql://u:p%40ss@db.example.com:6432/calls",
		"postgresql+asyncpg://u:p%40ss@db.example.com:6432/calls",
		"postgresql+psycopg://u:p%40ss@db.example.com:6432/calls?sslmode=verify-full"};
	struct client_url url;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		assert_true(client_url_read(str_of(same[i]), &url, NULL));
		assert_string_equal(url.host, "db.example.com");
		assert_string_equal(url.port, "6432");
		assert_string_equal(url.user, "u");
		assert_string_equal(url.password, "p@ss");
		assert_string_equal(url.dbname, "calls");
		assert_true(client_url_is_verified(&url));
	}
	assert_true(client_url_read(
		STR("postgresql://u@[2606:4700::1]/calls?sslmode=require"), &url, NULL));
	assert_string_equal(url.host, "2606:4700::1");
	assert_string_equal(url.port, "5432");
	assert_false(client_url_is_verified(&url));
}

static void what_may_not_stand_there_is_refused_without_the_password(void **state)
{
	static const char *const wrong[] = {"postgres://u:secret@h.example.com/d",
		"mysql://u:secret@h.example.com/d", "postgresqlx://u:secret@h.example.com/d",
		"postgresql://u:secret@h.example.com/d?service=x",
		"postgresql://u:secret@h.example.com/d?options=-cwork_mem%3D1GB",
		"postgresql://u:secret@h.example.com/d?passfile=/etc/shadow",
		"postgresql://u:secret@h.example.com/d?sslkey=/etc/key",
		"postgresql://u:secret@h.example.com/d?sslrootcert=/tmp/ca",
		"postgresql://u:secret@h.example.com/d?hostaddr=127.0.0.1",
		"postgresql://u:secret@h.example.com/d?replication=true",
		"postgresql://u:secret@h.example.com/d?target_session_attrs=any",
		"postgresql://u:secret@h.example.com/d?nonsense=1",
		"postgresql://u:secret@%2Ftmp/d", "postgresql://u:secret@/d?host=/tmp",
		"postgresql://u:secret@%40abstract/d", "postgresql://u:secret@a,b/d",
		"postgresql://u:secret@h.example.com:0/d",
		"postgresql://u:secret@h.example.com:80/d",
		"postgresql://u:secret@h.example.com:99999/d",
		"postgresql://u:secret@h.example.com/", "postgresql://:secret@h.example.com/d",
		"postgresql://u:secret@h.example.com/d?sslmode=prefer",
		"postgresql://u:secret@h.example.com/d?sslmode=allow",
		"postgresql://u:sec ret%zz@h/d"};
	struct client_url url;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (client_url_read(str_of(wrong[i]), &url, &err))
			fail_msg("%s is taken", wrong[i]);
		assert_int_equal(err.kind, ERR_INPUT);
		assert_null(strstr(err.text, "secret"));
	}
}

static void a_word_stands_for_a_port_until_it_is_connected_to(void **state)
{
	struct client_url url;
	struct err err;

	(void)state;
	assert_true(client_url_parse(STR("postgresql://user:pass@host:port/db"), &url, NULL));
	assert_string_equal(url.host, "host");
	assert_string_equal(url.port, "port");
	assert_false(client_url_read(STR("postgresql://user:pass@host:port/db"), &url, &err));
	assert_non_null(strstr(err.text, "port"));
	assert_false(client_url_parse(STR("postgresql://user:pass@host:22/db"), &url, &err));
	assert_false(client_url_parse(STR("postgresql://user:pass@host:22x/db"), &url, &err));
	assert_false(client_url_parse(STR("postgresql://user:pass@host:a,b/db"), &url, &err));
}

static void two_may_name_one_database(void **state)
{
	struct client_url a, b;

	(void)state;
	assert_true(client_url_read(STR("postgresql://u:p@DB.example.com/calls"), &a, NULL));
	assert_true(client_url_read(
		STR("postgresql+psycopg://v:q@db.example.com:5432/calls"), &b, NULL));
	assert_true(client_url_same_database(&a, &b));
	assert_true(client_url_read(STR("postgresql://u:p@db.example.com/other"), &b, NULL));
	assert_false(client_url_same_database(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_read_with_or_without_a_driver),
		cmocka_unit_test(what_may_not_stand_there_is_refused_without_the_password),
		cmocka_unit_test(a_word_stands_for_a_port_until_it_is_connected_to),
		cmocka_unit_test(two_may_name_one_database),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
