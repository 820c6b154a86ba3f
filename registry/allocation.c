/* Allocations: see allocation.h. */
#include "registry/allocation.h"
#include "registry/change.h"
#include "registry/explain.h"
#include "registry/field_args.h"
#include "registry/fine.h"
#include "registry/server.h"

#include "common/base.h"

const struct field allocation_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct allocation_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...)                                                                  \
	FIELD_ROW_NUMBER(struct allocation_input, member, need, __VA_ARGS__)
#define LIST(member, ...) FIELD_ROW_LIST(struct allocation_input, member, __VA_ARGS__)
#include "registry/allocation.def"
#undef TEXT
#undef NUMBER
#undef LIST
};
const size_t allocation_fields_n = ARRAY_LEN(allocation_fields);

static void fill_args(struct sql_args *args, const struct allocation_input *input)
{
	arg_text(args, input->accountcode);
	arg_text(args, input->server_code);
	arg_i64(args, input->channels);
	arg_i64(args, input->rate_limit);
	arg_number(args, input->calls_per_second);
	arg_text_or_null(args, input->status);
	arg_list(args, &input->allocated_dids);
}

/* Says which of the two does not exist, and returns false. */
static bool missing(struct db *db, const struct allocation_input *input, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, input->accountcode);
	arg_text(&args, input->server_code);
	bool ok = db_query(db, SQL_ALLOCATION_SIDES, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	bool has_client = row_bool(&rows, 0, 0);
	const struct str *name = has_client ? &input->server_code : &input->accountcode;
	rows_free(&rows);
	return fail(err, ERR_MISSING, "no %s %.*s",
		has_client ? "server has server_code" : "client has accountcode", (int)name->n,
		name->p);
}

static bool upsert(
	struct db *db, const struct allocation_input *input, uint64_t *client_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	fill_args(&args, input);
	bool ok = db_query(db, SQL_ALLOCATION_SET, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	if (rows.n == 1)
		*client_id = (uint64_t)row_i64(&rows, 0, 0);
	ok = rows.n == 1 || missing(db, input, err);
	rows_free(&rows);
	return ok;
}

static bool record(
	struct db *db, const char *actor, const struct allocation_input *input, struct err *err)
{
	struct strbuf subject = STRBUF_INIT, detail = STRBUF_INIT;

	strbuf_str(&subject, input->accountcode);
	strbuf_putc(&subject, ' ');
	strbuf_str(&subject, input->server_code);
	strbuf_printf(&detail, "{\"channels\":%lld,\"rate_limit\":%lld}",
		(long long)input->channels, (long long)input->rate_limit);
	bool ok = change_record(db, actor, "allocation.set", subject.p, detail.p, err);
	strbuf_free(&subject);
	strbuf_free(&detail);
	return ok;
}

static bool store(struct db *db, const char *actor, const struct allocation_input *input,
	uint64_t *client_id, struct err *err)
{
	return db_begin(db, err) && upsert(db, input, client_id, err) &&
	       change_announce(db, *client_id, err) && record(db, actor, input, err) &&
	       db_commit(db, err);
}

bool allocation_set(struct db *db, const char *actor, const struct allocation_input *input,
	uint64_t *client_id, struct err *err)
{
	uint64_t changed = 0;

	if (!fields_check(allocation_fields, allocation_fields_n, input, err) || !db_ready(db, err))
		return false;
	if (!store(db, actor, input, &changed, err)) {
		db_rollback(db);
		return explain_constraint(db, err);
	}
	*client_id = changed;
	return true;
}

bool allocation_from_row(
	const struct rows *rows, int row, struct allocation_row *out, struct err *err)
{
	enum { SERVER = 6 };
	struct allocation_row a = {0};

	if (!server_status_read(row_text(rows, row, 5), &a.allocation.status))
		return fail(err, ERR_INTERNAL, "an allocation of unknown status");
	if (!server_from_row(rows, row, SERVER, &a.server, err))
		return false;
	a.allocation.client_id = (uint64_t)row_i64(rows, row, 0);
	a.allocation.server_id = (uint64_t)row_i64(rows, row, 1);
	a.allocation.allowed_active_calls = (uint32_t)row_i64(rows, row, 2);
	a.allocation.rate_limit = (uint32_t)row_i64(rows, row, 3);
	a.allocation.calls_per_second = (uint32_t)row_i64(rows, row, 4);
	*out = a;
	return true;
}

bool allocations_of_client(struct db *db, uint64_t client_id, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)client_id);
	bool ok = db_query_as(db, client_id, SQL_ALLOCATIONS_OF_CLIENT, &args, rows, err);
	args_free(&args);
	return ok;
}

bool allocation_list(struct db *db, struct rows *rows, struct err *err)
{
	return db_ready(db, err) && db_query(db, SQL_ALLOCATION_LIST, NULL, rows, err);
}
