/* /clients/me/keys and /admin/keys: several keys of one client, and what an administrator does with those of all. */
#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "common/secret.h"
#include "fcgi/announce.h"
#include "fcgi/auth.h"
#include "fcgi/page.h"
#include "fcgi/permit.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/client.h"
#include "registry/keyring.h"

#include "common/base.h"

/* Whose keys a request is about, and who changes them. */
struct owner {
	uint64_t client_id; /* 0: the administrators */
	char accountcode[48];
	char actor[64];
};

static void own(const struct app *app, struct owner *owner)
{
	_Static_assert(
		sizeof(owner->accountcode) == sizeof(app->client.accountcode), "the same text");
	*owner = (struct owner){.client_id = app->client.id};
	memcpy(owner->accountcode, app->client.accountcode, sizeof(owner->accountcode));
	(void)snprintf(owner->actor, sizeof(owner->actor), "client:%s", app->client.accountcode);
}

/* The owner of the key that an administrator names. */
static bool find_owner(struct app *app, const struct req *req, struct owner *owner, struct err *err)
{
	struct rows rows = ROWS_INIT;
	char actor[ACTOR_BYTES];

	if (!keyring_find(app->db, KEYRING_ALL, req_param_id(req, "key_id"), &rows, err))
		return false;
	*owner = (struct owner){.accountcode = "-"};
	bool fits = true;
	if (!row_is_null(&rows, 0, KEY_CLIENT)) {
		owner->client_id = (uint64_t)row_i64(&rows, 0, KEY_CLIENT);
		fits = row_copy(
			&rows, 0, KEY_ACCOUNTCODE, owner->accountcode, sizeof(owner->accountcode));
	}
	rows_free(&rows);
	(void)snprintf(owner->actor, sizeof(owner->actor), "%s", actor_of(req, actor));
	return fits || fail(err, ERR_INTERNAL, "an accountcode is longer than it can be");
}

/* To a client, a key that is not there and one that is another's are the same. */
static bool refused(const struct req *req, struct err *err)
{
	return req->client && err->kind == ERR_MISSING ? not_yours(err) : false;
}

/* Committed: from now on no worker and no relay believes what it knew of this client. */
static void changed(struct app *app, const struct owner *owner, uint64_t control_id)
{
	if (owner->client_id == 0)
		return;
	app_client_changed(app, owner->client_id);
	if (control_id)
		announce_control(app, control_id);
}

/* ---- shown ---- */

static void put_words(struct strbuf *sb, const char *key, struct str words)
{
	struct str word;
	put_array(sb, key);
	while (str_split(&words, ' ', &word))
		if (word.n)
			put_text(sb, NULL, word);
	put_end(sb, ']');
}

static void put_key(struct strbuf *sb, const struct req *req, const struct rows *rows, int row)
{
	put_object(sb, NULL);
	put_i64(sb, "id", row_i64(rows, row, KEY_ID));
	if (!req->client) {
		put_text(sb, "accountcode", row_text(rows, row, KEY_ACCOUNTCODE));
		put_text(sb, "server_code", row_text(rows, row, KEY_SERVER));
	}
	put_text(sb, "name", row_text(rows, row, KEY_NAME));
	put_text(sb, "begins_with", row_text(rows, row, KEY_SHOWN));
	put_text(sb, "state", row_text(rows, row, KEY_STATE));
	put_words(sb, "scopes", row_text(rows, row, KEY_SCOPES));
	put_words(sb, "networks", row_text(rows, row, KEY_NETWORKS));
	put_time(sb, "created_at", row_time(rows, row, KEY_CREATED));
	put_time(sb, "expires_at", row_time(rows, row, KEY_EXPIRES));
	put_time(sb, "last_used_at", row_time(rows, row, KEY_LAST_USED));
	put_time(sb, "replaced_at", row_time(rows, row, KEY_REPLACED));
	put_time(sb, "revoked_at", row_time(rows, row, KEY_REVOKED));
	put_end(sb, '}');
}

static bool list(struct app *app, const struct req *req, int64_t client_id, struct reply *reply,
	struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct page page;

	if (!page_read(req, "id", &page, err))
		return false;
	const struct keyring_part part = {.client_id = client_id,
		.limit = page.size,
		.offset = page_offset(&page),
		.newest_first = page.descending};
	if (!keyring_list(app->db, &part, &rows, err))
		return false;
	page_begin(&reply->body);
	for (int i = 0; i < keyring_rows(&rows); i++)
		put_key(&reply->body, req, &rows, i);
	page_end(&reply->body, &page, (uint64_t)row_i64(&rows, 0, KEY_TOTAL));
	rows_free(&rows);
	return true;
}

bool handle_list_keys(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	return list(app, req, (int64_t)app->client.id, reply, err);
}

/* accountcode: whose; "" = the administrators'; absent = all. */
bool handle_admin_list_keys(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct str accountcode = req_query(req, "accountcode");
	struct shm_client client = {0};

	if (accountcode.n && !client_by_accountcode(app->db, accountcode, &client, err))
		return false;
	return list(app, req, accountcode.p ? (int64_t)client.id : KEYRING_ALL, reply, err);
}

static bool show(struct app *app, const struct req *req, int64_t client_id, struct reply *reply,
	struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!keyring_find(app->db, client_id, req_param_id(req, "key_id"), &rows, err))
		return refused(req, err);
	put_key(&reply->body, req, &rows, 0);
	rows_free(&rows);
	return true;
}

bool handle_show_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	return show(app, req, (int64_t)app->client.id, reply, err);
}

bool handle_admin_show_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	return show(app, req, KEYRING_ALL, reply, err);
}

/* ---- made ---- */

static void put_made(struct reply *reply, struct key_created *made)
{
	struct strbuf *sb = &reply->body;

	reply->is_secret = true;
	put_object(sb, NULL);
	put_u64(sb, "id", made->id);
	put_text(sb, "api_key", str_of(made->key));
	put_time(sb, "expires_at", made->expires_us);
	put_end(sb, '}');
	secret_wipe(made, sizeof(*made));
}

bool handle_make_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct key_input input;
	struct key_created made;
	struct owner owner;

	own(app, &owner);
	if (!req_fields(req, key_fields, key_fields_n, &input, err) ||
		!own_accountcode(req, input.accountcode, err) ||
		!key_add_for(app->db, owner.actor, &owner.client_id, owner.accountcode, &input,
			&made, err))
		return false;
	changed(app, &owner, 0);
	put_made(reply, &made);
	return true;
}

bool handle_admin_make_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[ACTOR_BYTES];
	struct key_input input;
	struct key_created made;
	struct owner owner = {0};

	if (!req_fields(req, key_fields, key_fields_n, &input, err) ||
		!key_add(app->db, actor_of(req, actor), &input, &owner.client_id, &made, err))
		return false;
	changed(app, &owner, 0);
	put_made(reply, &made);
	return true;
}

/* ---- ended ---- */

static bool end(struct app *app, const struct req *req, const struct owner *owner,
	struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	uint64_t id = req_param_id(req, "key_id"), control_id;
	bool was_good;

	if (!keyring_end(app->db, owner->actor, owner->client_id, owner->accountcode, id, &was_good,
		    &control_id, err))
		return refused(req, err);
	changed(app, owner, control_id);
	log_info("key.revoked", "key=%" PRIu64 " by=%s request_id=%s", id, owner->actor,
		req->request_id);
	put_object(sb, NULL);
	put_u64(sb, "id", id);
	put_text(sb, "state", STR("revoked"));
	put_bool(sb, "changed", was_good);
	put_end(sb, '}');
	return true;
}

bool handle_end_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct owner owner;
	own(app, &owner);
	return end(app, req, &owner, reply, err);
}

bool handle_admin_end_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct owner owner;
	return find_owner(app, req, &owner, err) && end(app, req, &owner, reply, err);
}

/* ---- replaced ---- */

static bool rotate(struct app *app, struct req *req, const struct owner *owner, struct reply *reply,
	struct err *err)
{
	struct strbuf *sb = &reply->body;
	uint64_t id = req_param_id(req, "key_id");
	struct rotation_input input;
	struct key_changed made;

	if (!req_fields(req, rotation_fields, rotation_fields_n, &input, err))
		return false;
	if (input.key_id != FIELD_NOT_GIVEN && (uint64_t)input.key_id != id)
		return fail_code(err, ERR_INPUT, "invalid_field",
			"key_id is not the key of the address; leave it out");
	if (!keyring_rotate(app->db, owner->actor, owner->client_id, owner->accountcode, id, &input,
		    &made, err))
		return refused(req, err);
	changed(app, owner, made.control_id);
	log_info("key.replaced", "key=%" PRIu64 " by=%s request_id=%s", id, owner->actor,
		req->request_id);
	reply->is_secret = true;
	put_object(sb, NULL);
	put_u64(sb, "id", made.id);
	put_text(sb, "api_key", str_of(made.key));
	put_time(sb, "expires_at", made.expires_us);
	put_u64(sb, "old_key_id", id);
	put_time(sb, "old_key_valid_until", made.old_until_us);
	put_end(sb, '}');
	secret_wipe(&made, sizeof(made));
	return true;
}

bool handle_rotate_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct owner owner;
	own(app, &owner);
	return rotate(app, req, &owner, reply, err);
}

bool handle_admin_rotate_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct owner owner;
	return find_owner(app, req, &owner, err) && rotate(app, req, &owner, reply, err);
}
