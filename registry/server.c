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

/* What the audit keeps: the limits, or the names of what was changed; values may be secrets. */
static void describe(
	const struct server_input *input, uint64_t server_id, bool is_new, struct strbuf *out)
{
	const char *comma = "";

	strbuf_printf(out, "{\"server_id\":%llu,", (unsigned long long)server_id);
	if (is_new) {
		strbuf_printf(out, "\"allowed_active_calls\":%lld,\"rate_limit\":%lld}",
			(long long)input->allowed_active_calls, (long long)input->rate_limit);
		return;
	}
	strbuf_puts(out, "\"changed\":[");
	for (size_t i = 1; i < server_fields_n; i++) {
		if (!field_is_given(&server_fields[i], input))
			continue;
		strbuf_printf(out, "%s\"%s\"", comma, server_fields[i].name);
		comma = ",";
	}
	strbuf_puts(out, "]}");
}

static bool record(struct db *db, const char *actor, const struct server_input *input,
	uint64_t server_id, bool is_new, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;
	char code[48];

	describe(input, server_id, is_new, &detail);
	bool ok = str_copy(code, sizeof(code), input->server_code) &&
		  change_record(db, actor, is_new ? "server.create" : "server.change", code,
			  detail.p, err);
	strbuf_free(&detail);
	return ok;
}

static bool store(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, bool is_new, uint64_t *server_id, struct err *err)
{
	enum sql_query query = is_new ? SQL_SERVER_INSERT : SQL_SERVER_UPDATE;
	uint64_t written = 0;

	if (!db_ready(db, err))
		return false;
	if (!db_begin(db, err) || !write_server(db, query, secret, input, &written, err) ||
		!change_announce(db, 0, err) || !record(db, actor, input, written, is_new, err) ||
		!db_commit(db, err)) {
		db_rollback(db);
		return explain_constraint(db, err);
	}
	*server_id = written;
	return true;
}

bool server_create(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	return check_template(input, err) &&
	       fields_check(server_fields, server_fields_n, input, err) &&
	       store(db, secret, actor, input, true, server_id, err);
}

bool server_change(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	bool is_empty = true;

	for (size_t i = 1; i < server_fields_n; i++)
		is_empty &= !field_is_given(&server_fields[i], input);
	if (is_empty)
		return fail(err, ERR_INPUT, "nothing to change is given");
	return check_template(input, err) &&
	       fields_check_given(server_fields, server_fields_n, input, err) &&
	       store(db, secret, actor, input, false, server_id, err);
}

bool server_list(struct db *db, struct rows *rows, struct err *err)
{
	return db_ready(db, err) && db_query(db, SQL_SERVER_LIST, NULL, rows, err);
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
