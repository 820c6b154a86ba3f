/* Asterisk servers: see server.h. */
#include "registry/server.h"
#include "registry/change.h"
#include "registry/explain.h"
#include "registry/field_args.h"
#include "registry/fine.h"

#include "common/base.h"

static bool fine_template(struct str text)
{
	return channel_template_check(text, NULL);
}

const struct field server_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct server_input, member, need, __VA_ARGS__)
#define SECRET(member, need, ...) FIELD_ROW_SECRET(struct server_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct server_input, member, need, __VA_ARGS__)
#define BOOL(member, need, help)  FIELD_ROW_BOOL(struct server_input, member, need, help)
#define LIST(member, ...)	  FIELD_ROW_LIST(struct server_input, member, __VA_ARGS__)
#include "registry/server.def"
#undef TEXT
#undef SECRET
#undef NUMBER
#undef BOOL
#undef LIST
};
const size_t server_fields_n = ARRAY_LEN(server_fields);

/* What stands between braces. */
static bool is_placeholder(struct str name, bool *is_number)
{
	static const struct {
		struct str name;
		bool is_number;
	} known[] = {{STR("number"), true}, {STR("national"), true}, {STR("e164"), true},
		{STR("+e164"), true}, {STR("prefix"), false}, {STR("endpoint"), false}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(name, known[i].name)) {
			*is_number = known[i].is_number;
			return true;
		}
	return false;
}

bool channel_template_check(struct str template, struct err *err)
{
	const char *at = template.p, *end = template.p + template.n;
	const char *slash = memchr(template.p, '/', template.n);
	int numbers = 0;

	if (!slash || slash == template.p || slash + 1 == end ||
		memchr(template.p, '{', (size_t)(slash - template.p)))
		return fail(err, ERR_INPUT,
			"channel_template begins with a technology and '/', as "
			"PJSIP/{number}@trunk");
	while (at < end) {
		const char *open = memchr(at, '{', (size_t)(end - at));
		const char *stray = memchr(at, '}', (size_t)((open ? open : end) - at));
		const char *close = open ? memchr(open, '}', (size_t)(end - open)) : NULL;
		bool is_number = false;

		if (stray || (open && !close))
			return fail(
				err, ERR_INPUT, "channel_template has a brace without its partner");
		if (!open)
			break;
		struct str name = {open + 1, (size_t)(close - open - 1)};
		if (!is_placeholder(name, &is_number))
			return fail(err, ERR_INPUT, "channel_template knows no {%.*s}",
				(int)MIN(name.n, (size_t)20), name.p);
		numbers += is_number;
		at = close + 1;
	}
	return numbers == 1 || fail(err, ERR_INPUT,
				       "channel_template needs exactly one of {number}, "
				       "{national}, {e164}, {+e164}");
}

/* The template's own words before the field's. */
static bool check_template(const struct server_input *input, struct err *err)
{
	return !input->channel_template.p || channel_template_check(input->channel_template, err);
}

static bool no_endpoint(struct err *err)
{
	return fail_code(err, ERR_INPUT, "missing_field",
		"provided_endpoints is empty, and channel_template uses {endpoint}");
}

static void arg_sealed(struct sql_args *args, const struct secret_key *secret, struct str plain)
{
	struct strbuf sealed = STRBUF_INIT;

	if (!plain.p) {
		arg_null(args, BYTEAOID);
		return;
	}
	secret_seal(secret, plain, &sealed);
	arg_bytes(args, sealed.p, sealed.n);
	strbuf_free(&sealed);
}

/* As SERVER_INSERT and SERVER_UPDATE number them; null where nothing is given. Both return the id, and whether an
 * endpoint is needed and missing. */
static bool write_server(struct db *db, enum sql_query query, const struct secret_key *secret,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, input->server_code);
	arg_text_or_null(&args, input->host);
	arg_number(&args, input->port);
	arg_text_or_null(&args, input->ami_user);
	arg_sealed(&args, secret, input->ami_secret);
	arg_text_or_null(&args, input->channel_template);
	arg_number(&args, input->allowed_active_calls);
	arg_number(&args, input->rate_limit);
	arg_number(&args, input->calls_per_second);
	arg_text_or_null(&args, input->default_directory);
	arg_text_or_null(&args, input->recording_directory);
	arg_text_or_null(&args, input->extension);
	arg_text_or_null(&args, input->status);
	arg_list(&args, &input->provided_prefix);
	arg_list(&args, &input->context);
	arg_list(&args, &input->allocated_dids);
	arg_list(&args, &input->provided_endpoints);
	arg_truth(&args, input->tls);
	arg_truth(&args, input->tls_verify);
	arg_text_or_null(&args, input->tls_ca);
	arg_text_or_null(&args, input->tls_name);
	arg_truth(&args, input->count_foreign_calls);
	arg_list(&args, &input->offered_contexts);
	bool ok = db_query(db, query, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	if (rows.n == 0) {
		ok = fail(err, ERR_MISSING, "no server has server_code %.*s",
			(int)input->server_code.n, input->server_code.p);
	} else {
		*server_id = (uint64_t)row_i64(&rows, 0, 0);
		ok = !row_bool(&rows, 0, 1) || no_endpoint(err);
	}
	rows_free(&rows);
	return ok;
}

static bool record(struct db *db, const char *actor, const struct server_input *input,
	uint64_t server_id, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;
	char code[48];

	strbuf_printf(&detail,
		"{\"server_id\":%llu,\"allowed_active_calls\":%lld,\"rate_limit\":%lld}",
		(unsigned long long)server_id, (long long)input->allowed_active_calls,
		(long long)input->rate_limit);
	bool ok = str_copy(code, sizeof(code), input->server_code) &&
		  change_record(db, actor, "server.create", code, detail.p, err);
	strbuf_free(&detail);
	return ok;
}

static bool store(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	return db_begin(db, err) &&
	       write_server(db, SQL_SERVER_INSERT, secret, input, server_id, err) &&
	       change_announce(db, 0, err) && record(db, actor, input, *server_id, err) &&
	       db_commit(db, err);
}

bool server_create(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	uint64_t written = 0;

	if (!check_template(input, err) ||
		!fields_check(server_fields, server_fields_n, input, err) || !db_ready(db, err))
		return false;
	if (!store(db, secret, actor, input, &written, err)) {
		db_rollback(db);
		return explain_constraint(db, err);
	}
	*server_id = written;
	return true;
}

static bool is_change(const struct server_input *input, struct err *err)
{
	for (size_t i = 1; i < server_fields_n; i++)
		if (field_is_given(&server_fields[i], input))
			return true;
	return fail(err, ERR_INPUT, "nothing to change is given");
}

bool server_change(struct db *db, const struct secret_key *secret, const struct which *which,
	struct edit *edit, const struct server_input *input, struct err *err)
{
	struct server_input full = *input;
	uint64_t written;

	if (!is_change(input, err) || !check_template(input, err) ||
		!fields_check_given(server_fields, server_fields_n, input, err) ||
		!edit_begin(db, NOUN_SERVER, which, edit, err))
		return false;
	if (!edit_keeps(edit, "server_code", &full.server_code, err) ||
		!write_server(db, SQL_SERVER_UPDATE, secret, &full, &written, err) ||
		!change_announce(db, 0, err)) {
		edit_undo(db, edit);
		return explain_constraint(db, err);
	}
	return edit_commit(
		       db, NOUN_SERVER, edit, server_fields + 1, server_fields_n - 1, input, err) ||
	       explain_constraint(db, err);
}

/* Of the one that is held. */
static bool delete_unused(struct db *db, uint64_t server_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)server_id);
	bool ok = db_query(db, SQL_SERVER_DELETE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	int64_t shares = row_i64(&rows, 0, 0);
	bool has_dialled = row_bool(&rows, 0, 1);
	rows_free(&rows);
	if (shares > 0)
		return fail_code(err, ERR_CONFLICT, "server_in_use",
			"%lld client%s a share of this server; an administrator takes the shares "
			"away first",
			(long long)shares, shares == 1 ? " has" : "s have");
	return !has_dialled ||
	       fail_code(err, ERR_CONFLICT, "server_has_calls",
		       "calls of this server are on record, which need its name: it stays; an "
		       "administrator can set its status to disabled");
}

bool server_delete(struct db *db, const struct which *which, struct edit *edit, struct err *err)
{
	if (!edit_begin(db, NOUN_SERVER, which, edit, err))
		return false;
	if (!delete_unused(db, edit->id, err) || !change_announce(db, 0, err))
		return edit_undo(db, edit);
	return edit_commit_delete(db, NOUN_SERVER, edit, err);
}

bool server_from_row(
	const struct rows *rows, int row, int first, struct shm_server *out, struct err *err)
{
	struct shm_server s = {0};

	if (!row_copy(rows, row, first + 1, s.server_code, sizeof(s.server_code)) ||
		!row_copy(rows, row, first + 2, s.host, sizeof(s.host)) ||
		!server_status_read(row_text(rows, row, first + 4), &s.status))
		return fail(err, ERR_INTERNAL, "server %lld does not fit the segment's row",
			(long long)row_i64(rows, row, first));
	s.id = (uint64_t)row_i64(rows, row, first);
	s.port = (uint32_t)row_i64(rows, row, first + 3);
	s.allowed_active_calls = (uint32_t)row_i64(rows, row, first + 5);
	s.rate_limit = (uint32_t)row_i64(rows, row, first + 6);
	s.calls_per_second = (uint32_t)row_i64(rows, row, first + 7);
	*out = s;
	return true;
}
