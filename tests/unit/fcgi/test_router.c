/* Which handler answers which path and method. */
#include "tests/unit/fcgi/request.h"

#include "common/base.h"

enum { ALLOW_BYTES = 64 };

static bool no_handler(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	(void)app;
	(void)req;
	(void)reply;
	(void)err;
	return true;
}

#define ROW(method, pattern, name)                                                                 \
	{METHOD_##method, pattern, ROUTE_FAST, WHO_PUBLIC, SCOPE_NONE, no_handler, name, ""}

static const struct route table[] = {
	ROW(GET, "/clients/me", "me"),
	ROW(GET, "/batches/{batch:id}", "batch"),
	ROW(DELETE, "/batches/{batch:id}", "batch_cancel"),
	ROW(GET, "/batches/{batch:id}/entries/{entry:id}", "entry"),
	ROW(GET, "/servers/{code:text}", "server"),
	ROW(POST, "/queues/quickcall", "quick"),
};

static bool find(struct request *r, const char *method, const char *path, char *allow)
{
	request_begin(r, method, path, "");
	assert_true(request_read(r));
	return route_find(table, ARRAY_LEN(table), &r->req, allow, ALLOW_BYTES, &r->err);
}

static void test_finds_with_and_without_slash(void **state)
{
	static const struct {
		const char *method, *path, *name;
	} cases[] = {
		{"GET", "/api/v1/clients/me", "me"},
		{"GET", "/api/v1/clients/me/", "me"},
		{"HEAD", "/api/v1/clients/me", "me"},
		{"POST", "/api/v1/queues/quickcall/", "quick"},
		{"GET", "/api/v1/batches/7", "batch"},
		{"DELETE", "/api/v1/batches/7/", "batch_cancel"},
		{"GET", "/api/v1/batches/7/entries/9/", "entry"},
		{"GET", "/api/v1/servers/fra-2", "server"},
	};
	char allow[ALLOW_BYTES];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (!find(*state, cases[i].method, cases[i].path, allow))
			fail_msg("%s %s: not found", cases[i].method, cases[i].path);
		assert_string_equal(((struct request *)*state)->req.route->name, cases[i].name);
	}
}

static void test_refuses_what_is_not_there(void **state)
{
	static const char *const paths[] = {"/", "/api/v1", "/api/v1/", "/api/v1/clients",
		"/api/v1/clients/me/x", "/api/v1/clients/me//", "/api/v1//clients/me",
		"/api/v1clients/me", "/api/v1/clients/ME", "/api/v2/clients/me", "/api/v1/batches/",
		"/api/v1/batches//entries/9", "/api/v1/queues/quickcall2"};
	struct request *r = *state;
	char allow[ALLOW_BYTES];
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (find(r, "GET", paths[i], allow))
			fail_msg("%s: found", paths[i]);
		assert_int_equal(r->err.kind, ERR_MISSING);
		assert_string_equal(allow, "");
	}
}

static void test_says_which_methods_would_do(void **state)
{
	static const struct {
		const char *method, *path, *allow;
	} cases[] = {
		{"POST", "/api/v1/clients/me", "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/api/v1/clients/me", "GET, HEAD, OPTIONS"},
		{"get", "/api/v1/clients/me", "GET, HEAD, OPTIONS"},
		{"PUT", "/api/v1/batches/7", "GET, HEAD, DELETE, OPTIONS"},
		{"GET", "/api/v1/queues/quickcall", "POST, OPTIONS"},
	};
	struct request *r = *state;
	char allow[ALLOW_BYTES];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_false(find(r, cases[i].method, cases[i].path, allow));
		assert_int_equal(r->err.kind, ERR_METHOD);
		assert_string_equal(allow, cases[i].allow);
	}
}

static void test_reads_parameters_by_name(void **state)
{
	struct request *r = *state;
	char allow[ALLOW_BYTES];
	assert_true(find(r, "GET", "/api/v1/batches/7/entries/9007199254740991", allow));
	assert_int_equal(req_param_id(&r->req, "batch"), 7);
	assert_int_equal(req_param_id(&r->req, "entry"), 9007199254740991);
	assert_true(find(r, "GET", "/api/v1/servers/fra-2/", allow));
	assert_true(str_eq(req_param(&r->req, "code"), STR("fra-2")));
}

/* Nobody learns by a strange id that others are less strange. */
static void test_what_is_no_id_is_nobodys(void **state)
{
	static const char *const paths[] = {"/api/v1/batches/0", "/api/v1/batches/-1",
		"/api/v1/batches/x", "/api/v1/batches/7.0", "/api/v1/batches/9007199254740992"};
	struct request *r = *state;
	char allow[ALLOW_BYTES];
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_true(find(r, "GET", paths[i], allow));
		assert_int_equal(req_param_id(&r->req, "batch"), 0);
	}
}

/* Two rows that answer the same would leave one of them unreachable. */
static void test_no_route_hides_another(void **state)
{
	struct request *r = *state;
	char allow[ALLOW_BYTES], path[256];
	for (size_t i = 0; i < routes_n; i++) {
		(void)snprintf(path, sizeof(path), API_PREFIX "%s", routes[i].pattern);
		for (char *p = path; (p = strchr(p, '{'));) {
			*p = '1';
			memmove(p + 1, strchr(p, '}') + 1, strlen(strchr(p, '}')));
		}
		request_begin(r, method_name(routes[i].method), path, "");
		assert_true(request_read(r));
		assert_true(route_find(routes, routes_n, &r->req, allow, sizeof(allow), &r->err));
		assert_ptr_equal(r->req.route, &routes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_with_and_without_slash),
		cmocka_unit_test(test_refuses_what_is_not_there),
		cmocka_unit_test(test_says_which_methods_would_do),
		cmocka_unit_test(test_reads_parameters_by_name),
		cmocka_unit_test(test_what_is_no_id_is_nobodys),
		cmocka_unit_test(test_no_route_hides_another),
	};
	return cmocka_run_group_tests_name("router", tests, request_open, request_close);
}
