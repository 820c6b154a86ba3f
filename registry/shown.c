/* Numbers that a client may show: see shown.h. */
#include <stdlib.h>
#include <string.h>

#include "registry/shown.h"

#include "common/base.h"

static bool keep_all(struct shown *shown, const struct rows *rows, struct err *err)
{
	struct arena *arena = shown->arena;
	shown->dids = arena_alloc(arena, ((size_t)rows->n + 1) * sizeof(*shown->dids));
	shown->n = 0;
	for (int i = 0; shown->dids && i < rows->n; i++) {
		struct str did = row_text(rows, i, 0);
		did.p = arena_copy(arena, did);
		if (!did.p)
			break;
		shown->dids[shown->n++] = did;
	}
	shown->is_read = shown->n == (size_t)rows->n;
	return shown->is_read || fail(err, ERR_TOO_LARGE, "the request needs too much memory");
}

static bool read_all(struct shown *shown, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	arg_i64(&args, (int64_t)shown->client_id);
	bool ok = db_query_as(shown->db, shown->client_id, SQL_CALLER_IDS, &args, &rows, err) &&
		  keep_all(shown, &rows, err);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

static int compare(const void *left, const void *right)
{
	const struct str *a = left, *b = right;
	int order = (MIN(a->n, b->n) ? memcmp(a->p, b->p, MIN(a->n, b->n)) : 0);
	return order ? order : (a->n > b->n) - (a->n < b->n);
}

bool shown_find(struct shown *shown, struct str did, bool *may, struct err *err)
{
	if (!shown->is_read && !read_all(shown, err))
		return false;
	*may = bsearch(&did, shown->dids, shown->n, sizeof(did), compare) != NULL;
	return true;
}

bool shown_denied(struct err *err, const char *what)
{
	return fail_code(err, ERR_INPUT, "did_denied",
		"%s is not a number that this account may show; send its did, or one of the "
		"allocated_dids of its servers, as they are listed, or leave it out",
		what);
}
