/* API keys: see key.h. */
#include "registry/key.h"
#include "registry/change.h"
#include "registry/client.h"
#include "registry/explain.h"
#include "registry/fine.h"

#include "common/base.h"

const struct field key_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct key_input, member, need, __VA_ARGS__)
#define LIST(member, ...)	  FIELD_ROW_LIST(struct key_input, member, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct key_input, member, need, __VA_ARGS__)
#define FLAG(member, text)	  FIELD_ROW_FLAG(struct key_input, member, text)
#include "registry/key.def"
#undef TEXT
#undef LIST
#undef NUMBER
#undef FLAG
};
const size_t key_fields_n = ARRAY_LEN(key_fields);

/* Words between blanks. */
static void arg_words(struct sql_args *args, const struct str_list *list)
{
	struct strbuf words = STRBUF_INIT;

	for (int i = 0; list && i < list->n; i++) {
		if (i)
			strbuf_putc(&words, ' ');
		strbuf_str(&words, list->v[i]);
	}
	arg_text(args, strbuf_view(&words));
	strbuf_free(&words);
}

/* A new key, as key_insert and key_replace store it. */
static void add_key(struct sql_args *args, bool is_test, char key[TOKEN_KEY_CHARS + 1])
{
	if (is_test)
		token_new_test_key(key);
	else
		token_new_key(key);
	struct digest digest = digest_of(str_of(key));
	arg_bytes(args, digest.b, sizeof(digest.b));
	arg_text(args, (struct str){key, TOKEN_SHOWN_CHARS});
}

bool key_create(
	struct db *db, const struct key_wish *wish, struct key_created *created, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	char key[TOKEN_KEY_CHARS + 1], scopes[SCOPE_WORDS_BYTES];

	arg_i64(&args, (int64_t)wish->client_id);
	add_key(&args, wish->is_test, key);
	arg_text(&args, wish->name);
	arg_i64(&args, wish->days);
	arg_text(&args, str_of(scopes_write(wish->scopes, ' ', scopes)));
	arg_words(&args, wish->networks);
	arg_i64(&args, KEYS_MAX);
	arg_i64(&args, (int64_t)wish->server_id);
	bool ok = db_query(db, SQL_KEY_INSERT, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok) {
		created->id = (uint64_t)row_i64(&rows, 0, 0);
		created->expires_us = row_time(&rows, 0, 1);
		memcpy(created->key, key, sizeof(key));
	}
	rows_free(&rows);
	return ok || fail_code(err, ERR_CONFLICT, "too_many_keys",
			     "%d keys are good, which is the limit; revoke one first", KEYS_MAX);
}

static uint32_t scopes_of(const struct str_list *words, bool is_servers)
{
	if (is_servers)
		return SCOPE_SERVER;
	uint32_t scopes = SCOPE_NONE;
	for (int i = 0; i < words->n; i++)
		scopes |= scope_named(words->v[i]);
	return words->n ? scopes : (uint32_t)SCOPE_ALL;
}

/* Whose it is, what it may do, and how it begins: enough to find it again, nothing to use it by. */
static bool record(struct db *db, const char *actor, const struct key_wish *wish,
	const struct key_created *created, const char *subject, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;
	char scopes[SCOPE_WORDS_BYTES];

	strbuf_printf(&detail,
		"{\"key_id\":%llu,\"scopes\":\"%s\",\"shown\":", (unsigned long long)created->id,
		scopes_write(wish->scopes, ' ', scopes));
	strbuf_json(&detail, (struct str){created->key, TOKEN_SHOWN_CHARS});
	if (wish->server_id)
		strbuf_printf(&detail, ",\"server_id\":%llu", (unsigned long long)wish->server_id);
	strbuf_putc(&detail, '}');
	bool ok = change_record(db, actor, "key.create", subject, detail.p, err);
	strbuf_free(&detail);
	return ok;
}

/* A server's key is good for one thing, and only that is good for it. */
static bool check_server(const struct key_input *input, struct err *err)
{
	bool is_servers = input->server_code.p != NULL;

	for (int i = 0; i < input->scopes.n; i++)
		if ((scope_named(input->scopes.v[i]) == SCOPE_SERVER) != is_servers)
			return fail_code(err, ERR_INPUT, "invalid_field",
				"the scope server and a server_code belong together, and with no "
				"other "
				"scope");
	return !is_servers || !input->accountcode.p ||
	       fail_code(err, ERR_INPUT, "invalid_field",
		       "send accountcode or server_code, not both");
}

/* What several fields say together. */
static bool check(const struct key_input *input, struct err *err)
{
	return check_server(input, err) && fields_check(key_fields, key_fields_n, input, err) &&
	       (input->networks.n <= SHM_KEY_NETWORKS ||
		       fail_code(err, ERR_INPUT, "invalid_field",
			       "networks has %d elements; at most %d are taken", input->networks.n,
			       SHM_KEY_NETWORKS));
}

/* Inside the transaction: from here on it is the test account's. */
static bool become_test(
	struct db *db, struct key_wish *wish, struct strbuf *subject, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)wish->client_id);
	bool ok = db_query(db, SQL_SANDBOX_OPEN, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return explain_constraint(db, err);
	wish->client_id = (uint64_t)row_i64(&rows, 0, 0);
	strbuf_reset(subject);
	strbuf_str(subject, row_text(&rows, 0, 1));
	rows_free(&rows);
	return db_as(db, wish->client_id, err);
}

static bool store(struct db *db, const char *actor, struct key_wish *wish, struct strbuf *subject,
	struct key_created *created, struct err *err)
{
	return (!wish->is_test || become_test(db, wish, subject, err)) &&
	       key_create(db, wish, created, err) &&
	       (!wish->client_id || change_announce(db, wish->client_id, err)) &&
	       record(db, actor, wish, created, subject->p, err);
}

/* who: whose it is to be, and in the end whose it is. */
static bool add(struct db *db, const char *actor, struct key_wish *who, const char *subject,
	const struct key_input *input, struct key_created *created, struct err *err)
{
	const uint64_t asked_for = who->client_id;
	struct strbuf whose = STRBUF_INIT;

	who->is_test = input->test == 1;
	if (who->is_test && asked_for == 0)
		return fail_code(err, ERR_INPUT, "invalid_field",
			"test: only a client has a test account; name one");
	who->name = input->name.p ? input->name : STR("default");
	who->scopes = scopes_of(&input->scopes, who->server_id != 0);
	who->days = input->expires_in_days == FIELD_NOT_GIVEN ? 0 : input->expires_in_days;
	who->networks = &input->networks;
	strbuf_puts(&whose, subject);
	bool ok = db_begin_as(db, asked_for, err) && store(db, actor, who, &whose, created, err) &&
		  (!who->is_test || db_as(db, asked_for, err)) && db_commit(db, err);
	strbuf_free(&whose);
	if (!ok)
		db_rollback(db);
	return ok;
}

bool key_add_for(struct db *db, const char *actor, uint64_t *client_id, const char *accountcode,
	const struct key_input *input, struct key_created *created, struct err *err)
{
	struct key_wish who = {.client_id = *client_id};

	if (input->server_code.p)
		return fail_code(err, ERR_FORBIDDEN, "administrator_needed",
			"a server's keys are made by administrators");
	bool ok = check(input, err) && db_ready(db, err) &&
		  add(db, actor, &who, accountcode, input, created, err);
	*client_id = who.client_id;
	return ok;
}

static bool server_by_code(struct db *db, struct str code, uint64_t *id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, code);
	bool ok = db_query(db, SQL_SERVER_BY_CODE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok)
		*id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok || fail(err, ERR_MISSING, "no server has server_code %.*s",
			     (int)MIN(code.n, (size_t)40), code.p);
}

bool key_add(struct db *db, const char *actor, const struct key_input *input, uint64_t *client_id,
	struct key_created *created, struct err *err)
{
	struct shm_client client = {.accountcode = "-"};
	struct key_wish who = {.client_id = 0};

	if (!check(input, err) || !db_ready(db, err) ||
		(input->accountcode.p &&
			!client_by_accountcode(db, input->accountcode, &client, err)) ||
		(input->server_code.p &&
			!server_by_code(db, input->server_code, &who.server_id, err)))
		return false;
	who.client_id = client.id;
	bool ok = add(db, actor, &who, client.accountcode, input, created, err);
	*client_id = who.client_id;
	return ok;
}

bool key_replace(struct db *db, const struct key_change *change, struct key_changed *changed,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	char key[TOKEN_KEY_CHARS + 1];

	arg_i64(&args, (int64_t)change->client_id);
	arg_i64(&args, (int64_t)change->by_key);
	add_key(&args, change->is_test, key);
	arg_i64(&args, change->old_key_seconds);
	arg_bool(&args, change->ends_sessions);
	arg_text(&args, str_of(change->accountcode));
	arg_text(&args, str_of(change->actor));
	bool ok = db_query_as(db, change->client_id, SQL_KEY_REPLACE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok) {
		*changed = (struct key_changed){.expires_us = row_time(&rows, 0, 0),
			.old_until_us = row_time(&rows, 0, 1),
			.control_id = (uint64_t)row_i64(&rows, 0, 2),
			.id = (uint64_t)row_i64(&rows, 0, 3)};
		memcpy(changed->key, key, sizeof(key));
	}
	rows_free(&rows);
	return ok || fail_code(err, ERR_FORBIDDEN, "key_replaced",
			     "this API key has been replaced; use the new one");
}

bool key_revoke(struct db *db, const struct key_change *change, struct key_changed *changed,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)change->client_id);
	arg_i64(&args, (int64_t)change->by_key);
	arg_text(&args, str_of(change->accountcode));
	bool ok = db_query_as(db, change->client_id, SQL_KEY_REVOKE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*changed = (struct key_changed){.expires_us = INT64_MIN, .old_until_us = INT64_MIN};
	if (rows.n == 1)
		changed->control_id = (uint64_t)row_i64(&rows, 0, 1);
	rows_free(&rows);
	return true;
}
