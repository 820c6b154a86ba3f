/* Allocations: see allocation.h. */
#include "registry/allocation.h"
#include "registry/change.h"
#include "registry/explain.h"
#include "registry/field_args.h"
#include "registry/fine.h"
#include "registry/server.h"
#include "registry/setup.h"

#include "common/base.h"

const struct field allocation_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct allocation_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...)                                                                  \
	FIELD_ROW_NUMBER(struct allocation_input, member, need, __VA_ARGS__)
#define BOOL(member, need, help) FIELD_ROW_BOOL(struct allocation_input, member, need, help)
#define LIST(member, ...)	 FIELD_ROW_LIST(struct allocation_input, member, __VA_ARGS__)
#include "registry/allocation.def"
#undef TEXT
#undef NUMBER
#undef BOOL
#undef LIST
};
const size_t allocation_fields_n = ARRAY_LEN(allocation_fields);

static void fill_args(struct sql_args *args, const struct allocation_input *input)
{
	arg_number(args, input->channels);
	arg_number(args, input->rate_limit);
	arg_number(args, input->calls_per_second);
	arg_text_or_null(args, input->status);
	arg_list(args, &input->allocated_dids);
	arg_truth(args, input->automatic);
}

/* A share has figures, or it follows. */
static bool check_figures(const struct allocation_input *input, bool is_new, struct err *err)
{
	bool has_channels = input->channels != FIELD_NOT_GIVEN,
	     has_rate = input->rate_limit != FIELD_NOT_GIVEN;

	if (input->automatic == 1 && (has_channels || has_rate))
		return fail_code(err, ERR_INPUT, "invalid_field",
			"automatic: channels and rate_limit follow then; send either them or this");
	if (!is_new || input->automatic == 1 || (has_channels && has_rate))
		return true;
	return fail_code(err, ERR_INPUT, "missing_field",
		"%s is missing: calls %s on this server; or automatic, which is true when it "
		"follows",
		has_channels ? "rate_limit" : "channels", has_channels ? "an hour" : "at once");
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

static bool insert(struct db *db, const struct allocation_input *input, uint64_t *client_id,
	uint64_t *server_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, input->accountcode);
	arg_text(&args, input->server_code);
	fill_args(&args, input);
	bool ok = db_query(db, SQL_ALLOCATION_INSERT, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	if (rows.n == 1) {
		*client_id = (uint64_t)row_i64(&rows, 0, 0);
		*server_id = (uint64_t)row_i64(&rows, 0, 1);
	}
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
	if (input->automatic == 1)
		strbuf_puts(&detail, "{\"automatic\":true}");
	else
		strbuf_printf(&detail, "{\"channels\":%lld,\"rate_limit\":%lld}",
			(long long)input->channels, (long long)input->rate_limit);
	bool ok = change_record(db, actor, "allocation.create", subject.p, detail.p, err);
	strbuf_free(&subject);
	strbuf_free(&detail);
	return ok;
}

bool allocation_create(struct db *db, const char *actor, const struct allocation_input *input,
	uint64_t *client_id, uint64_t *server_id, struct err *err)
{
	uint64_t client = 0, server = 0;

	if (!fields_check(allocation_fields, allocation_fields_n, input, err) ||
		!check_figures(input, true, err) || !db_ready(db, err))
		return false;
	if (!db_begin(db, err) || !insert(db, input, &client, &server, err) ||
		!setup_follow(db, client, err) || !change_announce(db, client, err) ||
		!record(db, actor, input, err) || !db_commit(db, err)) {
		db_rollback(db);
		return explain_constraint(db, err);
	}
	*client_id = client;
	*server_id = server;
	return true;
}

enum { KEYS = 2 }; /* of the fields: by which it is found */

static bool is_change(const struct allocation_input *input, struct err *err)
{
	for (size_t i = KEYS; i < allocation_fields_n; i++)
		if (field_is_given(&allocation_fields[i], input))
			return true;
	return fail(err, ERR_INPUT, "nothing to change is given");
}

static bool update(struct db *db, const struct edit *edit, const struct allocation_input *input,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)edit->id);
	arg_i64(&args, (int64_t)edit->id2);
	fill_args(&args, input);
	bool ok = db_query(db, SQL_ALLOCATION_UPDATE, &args, NULL, err);
	args_free(&args);
	return ok;
}

bool allocation_change(struct db *db, const struct which *which, struct edit *edit,
	const struct allocation_input *input, struct err *err)
{
	struct str accountcode = input->accountcode, server_code = input->server_code;

	if (!is_change(input, err) ||
		!fields_check_given(allocation_fields, allocation_fields_n, input, err) ||
		!check_figures(input, false, err) ||
		!edit_begin(db, NOUN_ALLOCATION, which, edit, err))
		return false;
	if (!edit_keeps(edit, "accountcode", &accountcode, err) ||
		!edit_keeps(edit, "server_code", &server_code, err) ||
		!update(db, edit, input, err) || !setup_follow(db, edit->id, err) ||
		!change_announce(db, edit->id, err)) {
		edit_undo(db, edit);
		return explain_constraint(db, err);
	}
	return edit_commit(db, NOUN_ALLOCATION, edit, allocation_fields + KEYS,
		       allocation_fields_n - KEYS, input, err) ||
	       explain_constraint(db, err);
}

static bool delete_held(struct db *db, const struct edit *edit, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)edit->id);
	arg_i64(&args, (int64_t)edit->id2);
	bool ok = db_query(db, SQL_ALLOCATION_DELETE, &args, NULL, err);
	args_free(&args);
	return ok;
}

bool allocation_delete(struct db *db, const struct which *which, struct edit *edit, struct err *err)
{
	if (!edit_begin(db, NOUN_ALLOCATION, which, edit, err))
		return false;
	if (!delete_held(db, edit, err) || !setup_follow(db, edit->id, err) ||
		!change_announce(db, edit->id, err))
		return edit_undo(db, edit);
	return edit_commit_delete(db, NOUN_ALLOCATION, edit, err);
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
