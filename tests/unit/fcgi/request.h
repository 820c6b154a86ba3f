/* A request made of a method, a path and a query, for the unit tests of fcgi. */
#ifndef CCS_TESTS_FCGI_REQUEST_H
#define CCS_TESTS_FCGI_REQUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "fcgi/req.h"
#include "fcgi/router.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#define NOW_US INT64_C(1795337990250000) /* 2026-11-22T08:59:50.250Z */

enum { ENV_MAX = 16 };

struct request {
	struct arena *arena;
	struct req req;
	struct err err;
	struct strbuf text[ENV_MAX];
	char *env[ENV_MAX + 1];
	size_t n;
};

static inline int request_open(void **state)
{
	static struct request request;
	request = (struct request){.arena = arena_new(1024 * 1024)};
	arena_serve_jansson(request.arena);
	*state = &request;
	return 0;
}

static inline int request_close(void **state)
{
	struct request *request = *state;
	arena_free(request->arena);
	for (size_t i = 0; i < ENV_MAX; i++)
		strbuf_free(&request->text[i]);
	return 0;
}

static inline void request_env(struct request *r, const char *name, const char *value)
{
	assert_true(r->n < ENV_MAX);
	strbuf_reset(&r->text[r->n]);
	strbuf_printf(&r->text[r->n], "%s=%s", name, value);
	r->env[r->n] = r->text[r->n].p;
	r->env[++r->n] = NULL;
}

/* Forgets what was before. Further request_env calls come before request_read. */
static inline void request_begin(
	struct request *r, const char *method, const char *path, const char *query)
{
	r->n = 0;
	r->env[0] = NULL;
	arena_reset(r->arena);
	request_env(r, "REQUEST_METHOD", method);
	request_env(r, "DOCUMENT_URI", path);
	request_env(r, "QUERY_STRING", query);
}

static inline bool request_read(struct request *r)
{
	r->err = (struct err){.kind = ERR_NONE};
	return req_read(&r->req, r->env, r->arena, NOW_US, &r->err);
}

static inline bool request_get(struct request *r, const char *path, const char *query)
{
	request_begin(r, "GET", path, query);
	return request_read(r);
}

#endif
