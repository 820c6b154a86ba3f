/* /admin/clients, /admin/users, /admin/servers, /admin/allocations: what registry/noun.h does, over HTTP. A change or deletion says
 * which version it means (If-Match), so that two administrators never overwrite each other unseen. */
#include <inttypes.h>

#include "common/jwt.h"
#include "fcgi/if_match.h"
#include "fcgi/page.h"
#include "fcgi/permit.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/allocation.h"
#include "registry/client.h"
#include "registry/fine.h"
#include "registry/person.h"
#include "registry/server.h"

#include "common/base.h"

/* ---- what all of them do ---- */

/* By query: how a list is filtered and in which order it comes. Of a filter that has few values, which. */
static const struct {
	const char *filters[2], *order;
	bool (*is_fine)(struct str value); /* of the second filter; NULL: any is */
	const char *values;
} lists[] = {
	[NOUN_CLIENT] = {{"accountcode", "status"}, "id", fine_client_status,
		"active, paused or suspended"},
	[NOUN_USER] = {{"accountcode", "username"}, "id", NULL, NULL},
	[NOUN_SERVER] = {{"server_code", "status"}, "id", fine_server_status,
		"active, draining or disabled"},
	[NOUN_ALLOCATION] = {{"accountcode", "server_code"}, "accountcode", NULL, NULL},
};

static bool check_filter(enum noun noun, struct str value, struct err *err)
{
	return !lists[noun].is_fine || value.n == 0 || lists[noun].is_fine(value) ||
	       fail(err, ERR_INPUT, "%s must be %s", lists[noun].filters[1], lists[noun].values);
}

static bool put_json(struct reply *reply, const json_t *value, struct err *err)
{
	char *text = json_dumps(value, JSON_COMPACT); /* in the arena, as all of jansson's */

	if (!text)
		return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
	strbuf_puts(&reply->body, text);
	return true;
}

static bool list(struct app *app, const struct req *req, struct reply *reply, enum noun noun,
	struct err *err)
{
	struct listing listing = {.filter = {.name = req_query(req, lists[noun].filters[0]),
					  .name2 = req_query(req, lists[noun].filters[1])}};
	struct page page;
	uint64_t total;
	json_t *items;

	if (!check_filter(noun, listing.filter.name2, err) ||
		!page_read(req, lists[noun].order, &page, err))
		return false;
	listing.size = (int64_t)page.size;
	listing.offset = (int64_t)page_offset(&page);
	listing.descending = page.descending;
	if (!noun_list(app->db, noun, &listing, &items, &total, err))
		return false;
	put_object(&reply->body, NULL);
	strbuf_puts(&reply->body, "\"items\":");
	if (!put_json(reply, items, err))
		return false;
	page_members(&reply->body, &page, total);
	put_end(&reply->body, '}');
	return true;
}

/* With its version as ETag, for If-Match. */
static bool show(struct app *app, struct reply *reply, enum noun noun, const struct which *which,
	struct err *err)
{
	json_t *item;

	if (!noun_show(app->db, noun, which, &item, err))
		return false;
	reply_header(reply, "ETag", "\"%lld\"",
		(long long)json_integer_value(json_object_get(item, "version")));
	return put_json(reply, item, err);
}

/* All of the body; unlike a tenant's, a member that nobody knows is refused: it may be a misspelt limit. */
static bool read_body(
	const struct req *req, const struct field *fields, size_t n, void *into, struct err *err)
{
	json_t *body;

	fields_clear(fields, n, into);
	return req_json(req, &body, err) && fields_from_json(fields, n, body, into, err);
}

static bool begin_edit(
	const struct req *req, struct edit *edit, char actor[ACTOR_BYTES], struct err *err)
{
	*edit = (struct edit){.actor = actor_of(req, actor)};
	return if_match_read(req, &edit->expected, err);
}

/* After the commit: from now on no worker believes what it knew of the client; 0: of none. */
static bool changed(struct app *app, struct reply *reply, enum noun noun, struct edit *edit,
	uint64_t client_id, struct err *err)
{
	const struct which it = {.id = edit->id, .id2 = noun == NOUN_ALLOCATION ? edit->id2 : 0};

	edit_end(edit);
	if (client_id)
		app_client_changed(app, client_id);
	return show(app, reply, noun, &it, err);
}

static bool deleted(struct app *app, struct reply *reply, struct edit *edit, uint64_t client_id)
{
	edit_end(edit);
	if (client_id)
		app_client_changed(app, client_id);
	put_object(&reply->body, NULL);
	put_text(&reply->body, "message", STR("Deleted"));
	put_text(&reply->body, "status", STR("success"));
	put_end(&reply->body, '}');
	return true;
}

#define LIST_AND_SHOW(plural, singular, noun)                                                      \
	bool handle_admin_##plural(                                                                \
		struct app *app, struct req *req, struct reply *reply, struct err *err)            \
	{                                                                                          \
		return list(app, req, reply, noun, err);                                           \
	}                                                                                          \
	bool handle_admin_##singular(                                                              \
		struct app *app, struct req *req, struct reply *reply, struct err *err)            \
	{                                                                                          \
		const struct which which = which_##singular(req);                                  \
		return show(app, reply, noun, &which, err);                                        \
	}

/* An id that nobody has is 0 in req, which would stand for "by name". */
static uint64_t id_of(const struct req *req, const char *name)
{
	uint64_t id = req_param_id(req, name);
	return id ? id : INT64_MAX;
}

static struct which which_client(const struct req *req)
{
	return (struct which){.id = id_of(req, "client_id")};
}

static struct which which_user(const struct req *req)
{
	return (struct which){.id = id_of(req, "user_id")};
}

static struct which which_server(const struct req *req)
{
	return (struct which){.id = id_of(req, "server_id")};
}

static struct which which_allocation(const struct req *req)
{
	return (struct which){.id = id_of(req, "client_id"), .id2 = id_of(req, "server_id")};
}

LIST_AND_SHOW(clients, client, NOUN_CLIENT)
LIST_AND_SHOW(users, user, NOUN_USER)
LIST_AND_SHOW(servers, server, NOUN_SERVER)
LIST_AND_SHOW(allocations, allocation, NOUN_ALLOCATION)

/* What encrypts; loaded only where there is something to encrypt. */
static bool load_key(const struct app *app, bool is_needed, struct secret_key *key, struct err *err)
{
	return !is_needed || secret_load_key(app->conf->common_secret_key_file, key, err);
}

/* ---- clients ---- */

static bool has_secrets(const struct client_input *input)
{
	return input->asyncdatabaseurl.n || input->syncdatabaseurl.n;
}

bool handle_admin_client_create(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct client_created made;
	struct client_input input;
	struct secret_key key;
	char actor[ACTOR_BYTES];

	if (!read_body(req, client_fields, client_fields_n, &input, err) ||
		!load_key(app, has_secrets(&input), &key, err))
		return false;
	bool ok = client_create(app->db, app->conf, has_secrets(&input) ? &key : NULL,
		actor_of(req, actor), &input, &made, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	app_client_changed(app, made.client_id);
	reply->is_secret = true;
	reply_header(reply, "ETag", "\"1\"");
	put_object(sb, NULL);
	put_u64(sb, "id", made.client_id);
	put_text(sb, "api_key", str_of(made.key.key));
	put_text(sb, "accountcode", input.accountcode);
	put_end(sb, '}');
	secret_wipe(&made, sizeof(made));
	return true;
}

bool handle_admin_client_change(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct which which = which_client(req);
	struct client_input input;
	struct secret_key key;
	char actor[ACTOR_BYTES];
	struct edit edit;

	if (!begin_edit(req, &edit, actor, err) ||
		!read_body(req, client_fields, client_fields_n, &input, err) ||
		!load_key(app, has_secrets(&input), &key, err))
		return false;
	bool ok = client_change(
		app->db, app->conf, has_secrets(&input) ? &key : NULL, &which, &edit, &input, err);
	secret_wipe(&key, sizeof(key));
	return ok && changed(app, reply, NOUN_CLIENT, &edit, edit.id, err);
}

/* ---- users ---- */

bool handle_admin_user_create(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct person_input input;
	char actor[ACTOR_BYTES];
	struct edit made = {0};
	uint64_t client_id;

	return read_body(req, person_fields, person_fields_n, &input, err) &&
	       person_create(app->db, actor_of(req, actor), &input, &made.id, &client_id, err) &&
	       changed(app, reply, NOUN_USER, &made, client_id, err);
}

bool handle_admin_user_change(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct which which = which_user(req);
	struct person_input input;
	char actor[ACTOR_BYTES];
	struct edit edit;

	return begin_edit(req, &edit, actor, err) &&
	       read_body(req, person_fields, person_fields_n, &input, err) &&
	       person_change(app->db, &which, &edit, &input, err) &&
	       changed(app, reply, NOUN_USER, &edit, edit.id2, err);
}

bool handle_admin_user_delete(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct which which = which_user(req);
	char actor[ACTOR_BYTES];
	struct edit edit;

	return begin_edit(req, &edit, actor, err) &&
	       person_delete(app->db, &which, req->token ? req->token->user_id : 0, &edit, err) &&
	       deleted(app, reply, &edit, edit.id2);
}

/* ---- servers ---- */

bool handle_admin_server_create(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct server_input input;
	struct secret_key key;
	char actor[ACTOR_BYTES];
	struct edit made = {0};

	if (!read_body(req, server_fields, server_fields_n, &input, err) ||
		!load_key(app, true, &key, err))
		return false;
	bool ok = server_create(app->db, &key, actor_of(req, actor), &input, &made.id, err);
	secret_wipe(&key, sizeof(key));
	return ok && changed(app, reply, NOUN_SERVER, &made, 0, err);
}

bool handle_admin_server_change(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct which which = which_server(req);
	struct server_input input;
	struct secret_key key;
	char actor[ACTOR_BYTES];
	struct edit edit;

	if (!begin_edit(req, &edit, actor, err) ||
		!read_body(req, server_fields, server_fields_n, &input, err) ||
		!load_key(app, input.ami_secret.p != NULL, &key, err))
		return false;
	bool ok = server_change(app->db, &key, &which, &edit, &input, err);
	secret_wipe(&key, sizeof(key));
	return ok && changed(app, reply, NOUN_SERVER, &edit, 0, err);
}

bool handle_admin_server_delete(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct which which = which_server(req);
	char actor[ACTOR_BYTES];
	struct edit edit;

	return begin_edit(req, &edit, actor, err) && server_delete(app->db, &which, &edit, err) &&
	       deleted(app, reply, &edit, 0);
}

/* ---- allocations ---- */

bool handle_admin_allocation_create(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct allocation_input input;
	char actor[ACTOR_BYTES];
	struct edit made = {0};

	return read_body(req, allocation_fields, allocation_fields_n, &input, err) &&
	       allocation_create(app->db, actor_of(req, actor), &input, &made.id, &made.id2, err) &&
	       changed(app, reply, NOUN_ALLOCATION, &made, made.id, err);
}

bool handle_admin_allocation_change(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct which which = which_allocation(req);
	struct allocation_input input;
	char actor[ACTOR_BYTES];
	struct edit edit;

	return begin_edit(req, &edit, actor, err) &&
	       read_body(req, allocation_fields, allocation_fields_n, &input, err) &&
	       allocation_change(app->db, &which, &edit, &input, err) &&
	       changed(app, reply, NOUN_ALLOCATION, &edit, edit.id, err);
}

bool handle_admin_allocation_delete(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct which which = which_allocation(req);
	char actor[ACTOR_BYTES];
	struct edit edit;

	return begin_edit(req, &edit, actor, err) &&
	       allocation_delete(app->db, &which, &edit, err) &&
	       deleted(app, reply, &edit, edit.id);
}
