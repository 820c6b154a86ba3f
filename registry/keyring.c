/* Keys as their owner sees them: see keyring.h. */
#include "registry/keyring.h"
#include "registry/field_args.h"

#include "common/base.h"

const struct field rotation_fields[] = {
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct rotation_input, member, need, __VA_ARGS__)
#include "registry/rotation.def"
#undef NUMBER
};
const size_t rotation_fields_n = ARRAY_LEN(rotation_fields);

static void arg_owner(struct sql_args *args, int64_t client_id)
{
	if (client_id == KEYRING_ALL)
		arg_number(args, FIELD_NOT_GIVEN);
	else
		arg_i64(args, client_id);
}

/* A client's are read behind its wall. key_id 0: any. */
static bool query(struct db *db, const struct keyring_part *part, uint64_t key_id,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	uint64_t wall = part->client_id > 0 ? (uint64_t)part->client_id : 0;

	arg_owner(&args, part->client_id);
	arg_number(&args, key_id ? (int64_t)key_id : FIELD_NOT_GIVEN);
	arg_i64(&args, (int64_t)part->limit);
	arg_i64(&args, (int64_t)part->offset);
	arg_bool(&args, part->newest_first);
	bool ok = wall ? db_query_as(db, wall, SQL_KEY_LIST, &args, rows, err)
		       : db_query(db, SQL_KEY_LIST, &args, rows, err);
	args_free(&args);
	return ok;
}

bool keyring_list(
	struct db *db, const struct keyring_part *part, struct rows *rows, struct err *err)
{
	return query(db, part, 0, rows, err);
}

int keyring_rows(const struct rows *rows)
{
	return rows->n && row_is_null(rows, 0, KEY_ID) ? 0 : rows->n;
}

static bool no_such_key(uint64_t key_id, struct err *err)
{
	return fail(err, ERR_MISSING, "there is no key %llu", (unsigned long long)key_id);
}

bool keyring_find(
	struct db *db, int64_t client_id, uint64_t key_id, struct rows *rows, struct err *err)
{
	const struct keyring_part part = {.client_id = client_id, .limit = 1};
	/* 0 is what a path's id becomes that is none. */
	if (key_id == 0)
		return no_such_key(key_id, err);
	if (!query(db, &part, key_id, rows, err))
		return false;
	if (keyring_rows(rows) == 1)
		return true;
	rows_free(rows);
	return no_such_key(key_id, err);
}

bool keyring_end(struct db *db, const char *actor, uint64_t client_id, const char *accountcode,
	uint64_t key_id, bool *was_good, uint64_t *control_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)key_id);
	arg_i64(&args, (int64_t)client_id);
	arg_text(&args, str_of(actor));
	arg_text(&args, str_of(accountcode));
	bool ok = client_id ? db_query_as(db, client_id, SQL_KEY_END, &args, &rows, err)
			    : db_query(db, SQL_KEY_END, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok) {
		*was_good = row_bool(&rows, 0, 0);
		*control_id = (uint64_t)row_i64(&rows, 0, 1);
	}
	rows_free(&rows);
	return ok || no_such_key(key_id, err);
}

bool keyring_rotate(struct db *db, const char *actor, uint64_t client_id, const char *accountcode,
	uint64_t key_id, const struct rotation_input *input, struct key_changed *changed,
	struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct key_change change = {.client_id = client_id,
		.accountcode = accountcode,
		.actor = actor,
		.by_key = key_id,
		.old_key_seconds =
			input->grace_seconds == FIELD_NOT_GIVEN ? 0 : input->grace_seconds};

	if (!fields_check(rotation_fields, rotation_fields_n, input, err) ||
		!keyring_find(db, (int64_t)client_id, key_id, &rows, err))
		return false;
	change.is_test = token_is_test(row_text(&rows, 0, KEY_SHOWN));
	rows_free(&rows);
	if (key_replace(db, &change, changed, err))
		return true;
	if (err->kind != ERR_FORBIDDEN)
		return false;
	return fail_code(err, ERR_CONFLICT, "key_ended",
		"key %llu has a successor, or is good no more; make a new one",
		(unsigned long long)key_id);
}
