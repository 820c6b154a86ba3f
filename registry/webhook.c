/* Callbacks, from the client's side: see webhook.h. */
#include "registry/webhook.h"

#include <openssl/evp.h>

#include "common/token.h"
#include "registry/change.h"

#include "common/base.h"

enum { SECRET_RANDOM_BYTES = 32, GRACE_DEFAULT_S = 86400 };

const struct field webhook_secret_fields[] = {
#define TEXT(member, need, ...)                                                                    \
	FIELD_ROW_TEXT(struct webhook_secret_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...)                                                                  \
	FIELD_ROW_NUMBER(struct webhook_secret_input, member, need, __VA_ARGS__)
#include "registry/webhook_secret.def"
#undef NUMBER
#undef TEXT
};
const size_t webhook_secret_fields_n = ARRAY_LEN(webhook_secret_fields);

const struct field webhook_replay_fields[] = {
#define TEXT(member, need, ...)                                                                    \
	FIELD_ROW_TEXT(struct webhook_replay_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...)                                                                  \
	FIELD_ROW_NUMBER(struct webhook_replay_input, member, need, __VA_ARGS__)
#define FLAG(member, help) FIELD_ROW_FLAG(struct webhook_replay_input, member, help)
#include "registry/webhook_replay.def"
#undef FLAG
#undef NUMBER
#undef TEXT
};
const size_t webhook_replay_fields_n = ARRAY_LEN(webhook_replay_fields);

bool webhook_show(struct db *db, const struct webhook_of *of, struct strbuf *out, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)of->client_id);
	bool ok = db_query_as(db, of->client_id, SQL_WEBHOOK_STATE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 || fail(err, ERR_MISSING, "there is no client %s", of->accountcode);
	if (ok)
		strbuf_str(out, row_text(&rows, 0, 0));
	rows_free(&rows);
	return ok;
}

bool webhook_deliveries(struct db *db, const struct webhook_of *of, uint64_t before, uint64_t size,
	struct str outcome, struct strbuf *out, uint64_t *next, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)of->client_id);
	arg_i64_or_null(&args, (int64_t)before, before == 0);
	arg_text_or_null(&args, outcome);
	arg_i64(&args, (int64_t)size);
	bool ok = db_query_as(db, of->client_id, SQL_WEBHOOK_DELIVERIES, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	for (int i = 0; i < rows.n; i++) {
		if (i)
			strbuf_putc(out, ',');
		strbuf_str(out, row_text(&rows, i, 1));
	}
	*next = (uint64_t)rows.n == size && rows.n ? (uint64_t)row_i64(&rows, rows.n - 1, 0) : 0;
	rows_free(&rows);
	return true;
}

static void make_secret(char secret[WEBHOOK_SECRET_CHARS + 1])
{
	uint8_t bytes[SECRET_RANDOM_BYTES];

	random_bytes(bytes, sizeof(bytes));
	memcpy(secret, "whsec_", 6);
	(void)EVP_EncodeBlock((unsigned char *)secret + 6, bytes, sizeof(bytes));
	secret_wipe(bytes, sizeof(bytes));
}

static bool retire_secrets(
	struct db *db, uint64_t client_id, int64_t grace_s, int64_t *until_us, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)client_id);
	arg_i64(&args, grace_s);
	bool ok = db_query(db, SQL_WEBHOOK_SECRETS_RETIRE, &args, &rows, err);
	args_free(&args);
	*until_us = ok ? row_time(&rows, 0, 0) : INT64_MIN;
	rows_free(&rows);
	return ok;
}

static bool add_secret(struct db *db, const struct secret_key *key, uint64_t client_id,
	const char *secret, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct strbuf sealed = STRBUF_INIT;

	secret_seal(key, str_of(secret), &sealed);
	arg_i64(&args, (int64_t)client_id);
	arg_bytes(&args, sealed.p, sealed.n);
	bool ok = db_query(db, SQL_WEBHOOK_SECRET_ADD, &args, NULL, err);
	args_free(&args);
	strbuf_free(&sealed);
	return ok;
}

bool webhook_secret_make(struct db *db, const struct secret_key *key, const struct webhook_of *of,
	const struct webhook_secret_input *input, char secret[WEBHOOK_SECRET_CHARS + 1],
	int64_t *old_until_us, struct err *err)
{
	bool is_given = input->grace_seconds != FIELD_NOT_GIVEN;
	int64_t grace_s = is_given ? input->grace_seconds : (int64_t)GRACE_DEFAULT_S, until_us;
	char made[WEBHOOK_SECRET_CHARS + 1];
	struct strbuf detail = STRBUF_INIT;

	make_secret(made);
	strbuf_printf(&detail, "{\"grace_seconds\":%lld}", (long long)grace_s);
	bool ok = db_begin_as(db, of->client_id, err) &&
		  retire_secrets(db, of->client_id, grace_s, &until_us, err) &&
		  add_secret(db, key, of->client_id, made, err) &&
		  change_record(db, of->actor, "webhook.secret", of->accountcode, detail.p, err) &&
		  db_commit(db, err);
	strbuf_free(&detail);
	if (ok) {
		memcpy(secret, made, sizeof(made));
		*old_until_us = grace_s ? until_us : INT64_MIN;
	} else {
		db_rollback(db);
	}
	secret_wipe(made, sizeof(made));
	return ok;
}

static bool no_address(struct err *err)
{
	return fail_code(err, ERR_CONFLICT, "no_callbackurl",
		"there is no callbackurl to send to; an administrator sets it");
}

bool webhook_test(struct db *db, const struct webhook_of *of, uint64_t *number, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)of->client_id);
	bool ok = db_query_as(db, of->client_id, SQL_WEBHOOK_TEST, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 || no_address(err);
	if (ok)
		*number = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok;
}

static bool is_sound(const struct webhook_replay_input *input, struct err *err)
{
	bool has_range = input->from_seq != FIELD_NOT_GIVEN, is_dead = input->dead == 1;

	if (has_range == is_dead)
		return fail_code(err, ERR_INPUT, "invalid_field",
			"send either from_seq (and to_seq), or dead: true");
	return input->to_seq == FIELD_NOT_GIVEN ||
	       (has_range && input->to_seq >= input->from_seq) ||
	       fail_code(err, ERR_INPUT, "invalid_field", "to_seq is less than from_seq");
}

bool webhook_replay(struct db *db, const struct webhook_of *of,
	const struct webhook_replay_input *input, uint64_t *queued, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	bool is_dead = input->dead == 1;

	if (!is_sound(input, err))
		return false;
	int64_t to = input->to_seq == FIELD_NOT_GIVEN ? input->from_seq : input->to_seq;
	arg_i64(&args, (int64_t)of->client_id);
	if (!is_dead) {
		arg_i64(&args, input->from_seq);
		arg_i64(&args, to);
	}
	bool ok = db_query_as(db, of->client_id,
		is_dead ? SQL_WEBHOOK_REPLAY_DEAD : SQL_WEBHOOK_REPLAY, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 || no_address(err);
	if (ok)
		*queued = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok;
}
