/* Asterisk servers: see server.h. */
#include <stdio.h>

#include "registry/change.h"
#include "registry/explain.h"
#include "registry/fine.h"
#include "registry/server.h"

#include "common/base.h"

static bool fine_template(struct str text)
{
	return channel_template_check(text, NULL);
}

const struct field server_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct server_input, member, need, __VA_ARGS__)
#define SECRET(member, need, ...) FIELD_ROW_SECRET(struct server_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct server_input, member, need, __VA_ARGS__)
#define LIST(member, ...)	  FIELD_ROW_LIST(struct server_input, member, __VA_ARGS__)
#include "registry/server.def"
#undef TEXT
#undef SECRET
#undef NUMBER
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

static bool check_input(const struct server_input *input, struct err *err)
{
	/* Its own words before the field's. */
	if (input->channel_template.p && !channel_template_check(input->channel_template, err))
		return false;
	if (!fields_check(server_fields, server_fields_n, input, err))
		return false;
	bool has_endpoint =
		memmem(input->channel_template.p, input->channel_template.n, "{endpoint}", 10);
	return !has_endpoint || input->provided_endpoints.n > 0 ||
	       fail_code(err, ERR_INPUT, "missing_field",
		       "provided_endpoints is empty, and channel_template uses {endpoint}");
}

static void arg_list(struct sql_args *args, const struct str_list *list)
{
	if (!list->is_given) {
		arg_null(args, TEXTARRAYOID);
		return;
	}
	struct sql_array array = arg_array(args, TEXTOID);
	for (int i = 0; i < list->n; i++)
		array_text(&array, list->v[i]);
	array_end(&array);
}

static bool insert_server(struct db *db, const struct secret_key *secret,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	struct strbuf sealed = STRBUF_INIT;

	secret_seal(secret, input->ami_secret, &sealed);
	arg_text(&args, input->server_code);
	arg_text(&args, input->host);
	arg_i64(&args, input->port);
	arg_text(&args, input->ami_user);
	arg_bytes(&args, sealed.p, sealed.n);
	arg_text(&args, input->channel_template);
	arg_i64(&args, input->allowed_active_calls);
	arg_i64(&args, input->rate_limit);
	arg_i64_or_null(&args, input->calls_per_second, input->calls_per_second == FIELD_NOT_GIVEN);
	arg_text_or_null(&args, input->default_directory);
	arg_text_or_null(&args, input->recording_directory);
	arg_text_or_null(&args, input->extension);
	arg_text_or_null(&args, input->status);
	arg_list(&args, &input->provided_prefix);
	arg_list(&args, &input->context);
	arg_list(&args, &input->allocated_dids);
	arg_list(&args, &input->provided_endpoints);
	bool ok = db_query(db, SQL_SERVER_INSERT, &args, &rows, err);
	args_free(&args);
	strbuf_free(&sealed);
	if (!ok)
		return false;
	*server_id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return true;
}

static bool store(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	char code[48], detail[128];

	if (!db_begin(db, err) || !insert_server(db, secret, input, server_id, err) ||
		!change_announce(db, 0, err))
		return false;
	(void)snprintf(detail, sizeof(detail),
		"{\"server_id\":%llu,\"allowed_active_calls\":%lld,\"rate_limit\":%lld}",
		(unsigned long long)*server_id, (long long)input->allowed_active_calls,
		(long long)input->rate_limit);
	return str_copy(code, sizeof(code), input->server_code) &&
	       change_record(db, actor, "server.create", code, detail, err) && db_commit(db, err);
}

bool server_create(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err)
{
	uint64_t made;

	if (!check_input(input, err) || !db_ready(db, err))
		return false;
	if (!store(db, secret, actor, input, &made, err)) {
		db_rollback(db);
		return explain_constraint(db, err);
	}
	*server_id = made;
	return true;
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
