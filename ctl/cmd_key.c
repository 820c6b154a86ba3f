/* ccsctl key: the keys of clients and administrators. */
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/keyring.h"

#include "common/base.h"

/* More than anybody has: KEYS_MAX are good, and the others are history. */
enum { LISTED_MOST = 1000 };

static json_t *key_json(const struct rows *rows, int row)
{
	struct str name = row_text(rows, row, KEY_NAME), shown = row_text(rows, row, KEY_SHOWN),
		   state = row_text(rows, row, KEY_STATE);

	return json_pack("{s:I, s:o, s:o, s:s%, s:s%, s:s%, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"id", (json_int_t)row_i64(rows, row, KEY_ID), "accountcode",
		out_text(row_text(rows, row, KEY_ACCOUNTCODE)), "server_code",
		out_text(row_text(rows, row, KEY_SERVER)), "name", name.p, name.n, "begins_with",
		shown.p, shown.n, "state", state.p, state.n, "scopes",
		out_words(row_text(rows, row, KEY_SCOPES)), "networks",
		out_words(row_text(rows, row, KEY_NETWORKS)), "created_at",
		out_time(row_time(rows, row, KEY_CREATED)), "expires_at",
		out_time(row_time(rows, row, KEY_EXPIRES)), "last_used_at",
		out_time(row_time(rows, row, KEY_LAST_USED)), "replaced_at",
		out_time(row_time(rows, row, KEY_REPLACED)), "revoked_at",
		out_time(row_time(rows, row, KEY_REVOKED)));
}

static void print_key(const struct rows *rows, int row)
{
	struct str name = row_text(rows, row, KEY_NAME), shown = row_text(rows, row, KEY_SHOWN),
		   state = row_text(rows, row, KEY_STATE), scopes = row_text(rows, row, KEY_SCOPES),
		   whose = row_text(rows, row,
			   row_is_null(rows, row, KEY_SERVER) ? KEY_ACCOUNTCODE : KEY_SERVER);
	char used[CLOCK_TEXT_BYTES] = "never";

	if (!row_is_null(rows, row, KEY_LAST_USED))
		(void)clock_utc(row_time(rows, row, KEY_LAST_USED), used);
	(void)printf("%-6lld %-24.*s %-18.*s %-9.*s %-16.*s %-20s %.*s\n",
		(long long)row_i64(rows, row, KEY_ID), whose.n ? (int)whose.n : 1,
		whose.n ? whose.p : "-", (int)shown.n, shown.p, (int)state.n, state.p,
		(int)scopes.n, scopes.p, used, (int)name.n, name.p);
}

static bool print_list(struct ctl *ctl, int64_t client_id, struct err *err)
{
	struct rows rows = ROWS_INIT;

	const struct keyring_part part = {
		.client_id = client_id, .limit = LISTED_MOST, .newest_first = true};
	if (!keyring_list(ctl->db, &part, &rows, err))
		return false;
	json_t *keys = json_array();
	if (!ctl->json)
		(void)printf("%-6s %-24s %-18s %-9s %-16s %-20s %s\n", "ID", "WHOSE", "BEGINS WITH",
			"STATE", "SCOPES", "LAST USED", "NAME");
	int n = keyring_rows(&rows);
	for (int row = 0; row < n; row++) {
		json_array_append_new(keys, key_json(&rows, row));
		if (!ctl->json)
			print_key(&rows, row);
	}
	if (ctl->json)
		out_json(json_pack("{s:O}", "keys", keys));
	else
		(void)printf("%d key%s.\n", n, n == 1 ? "" : "s");
	json_decref(keys);
	rows_free(&rows);
	return true;
}

bool key_list_all(struct ctl *ctl, struct err *err)
{
	struct shm_client client = {0};
	bool of_one = ctl->arguments_n == 1;

	if (!ctl_db(ctl, err) || (of_one && !client_by_accountcode(ctl->db,
						    str_of(ctl->arguments[0]), &client, err)))
		return false;
	return print_list(ctl, of_one ? (int64_t)client.id : KEYRING_ALL, err);
}

static bool find(struct ctl *ctl, uint64_t *id, struct rows *rows, struct err *err)
{
	const char *word = ctl->arguments[0];
	return (str_to_u64(str_of(word), 1, INT64_MAX, id) ||
		       fail(err, ERR_INPUT, "\"%s\" is no key's id; `ccsctl key list' shows them",
			       word)) &&
	       ctl_db(ctl, err) && keyring_find(ctl->db, KEYRING_ALL, *id, rows, err);
}

bool key_show(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;
	uint64_t id;

	if (!find(ctl, &id, &rows, err))
		return false;
	if (ctl->json)
		out_json(key_json(&rows, 0));
	else
		print_key(&rows, 0);
	rows_free(&rows);
	return true;
}

enum { ACCOUNTCODE_BYTES = 48 };

/* Whose a found key is: 0 and "-" for an administrator's. Frees rows. */
static bool take_owner(struct rows *rows, uint64_t *client_id, char accountcode[ACCOUNTCODE_BYTES],
	struct err *err)
{
	bool has_client = !row_is_null(rows, 0, KEY_CLIENT);
	*client_id = has_client ? (uint64_t)row_i64(rows, 0, KEY_CLIENT) : 0;
	bool fits = str_copy(accountcode, ACCOUNTCODE_BYTES,
		has_client ? row_text(rows, 0, KEY_ACCOUNTCODE) : STR("-"));
	rows_free(rows);
	return fits || fail(err, ERR_INTERNAL, "an accountcode is longer than it can be");
}

static void tell(const struct ctl *ctl, uint64_t client_id)
{
	if (client_id)
		ctl_changed(ctl, client_id);
}

bool key_make(struct ctl *ctl, struct err *err)
{
	const struct key_input *input = &ctl->input.key;
	struct key_created made;
	uint64_t client_id;

	if (!fields_check(key_fields, key_fields_n, input, err) || !ctl_db(ctl, err) ||
		!key_add(ctl->db, ctl_actor(), input, &client_id, &made, err))
		return false;
	tell(ctl, client_id);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s, s:o}", "id", (json_int_t)made.id, "api_key",
			made.key, "expires_at", out_time(made.expires_us)));
	else
		(void)printf("Key %llu, shown only this once: %s\n", (unsigned long long)made.id,
			made.key);
	secret_wipe(&made, sizeof(made));
	return true;
}

bool key_end(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;
	char accountcode[ACCOUNTCODE_BYTES];
	uint64_t id, client_id, control_id;
	bool was_good;

	if (!find(ctl, &id, &rows, err) || !take_owner(&rows, &client_id, accountcode, err) ||
		!keyring_end(ctl->db, ctl_actor(), client_id, accountcode, id, &was_good,
			&control_id, err))
		return false;
	tell(ctl, client_id);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s, s:b}", "id", (json_int_t)id, "state", "revoked",
			"changed", (int)was_good));
	else
		(void)printf("Key %llu is good no more%s.\n", (unsigned long long)id,
			was_good ? "" : ", as before");
	return true;
}

bool key_turn(struct ctl *ctl, struct err *err)
{
	const struct rotation_input *input = &ctl->input.rotation;
	struct rows rows = ROWS_INIT;
	char accountcode[ACCOUNTCODE_BYTES];
	uint64_t id = (uint64_t)input->key_id, client_id;
	struct key_changed made;

	if (!fields_check(rotation_fields, rotation_fields_n, input, err) || !ctl_db(ctl, err) ||
		!keyring_find(ctl->db, KEYRING_ALL, id, &rows, err) ||
		!take_owner(&rows, &client_id, accountcode, err) ||
		!keyring_rotate(
			ctl->db, ctl_actor(), client_id, accountcode, id, input, &made, err))
		return false;
	tell(ctl, client_id);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s, s:I, s:o}", "id", (json_int_t)made.id, "api_key",
			made.key, "old_key_id", (json_int_t)id, "old_key_valid_until",
			out_time(made.old_until_us)));
	else
		(void)printf("Key %llu takes the place of %llu, shown only this once: %s\n",
			(unsigned long long)made.id, (unsigned long long)id, made.key);
	secret_wipe(&made, sizeof(made));
	return true;
}
