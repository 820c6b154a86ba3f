/* ccsctl client-db: clients' own databases. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "registry/client_database.h"

#include "common/base.h"

static bool find(struct ctl *ctl, struct shm_client *client, struct err *err)
{
	return ctl_db(ctl, err) &&
	       client_by_accountcode(ctl->db, str_of(ctl->arguments[0]), client, err);
}

bool client_db_show(struct ctl *ctl, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	struct shm_client client;

	if (!find(ctl, &client, err) || !client_database_show(ctl->db, client.id, &text, err))
		return false;
	json_t *state = json_loadb(text.p, text.n, 0, NULL);
	strbuf_free(&text);
	if (ctl->json) {
		out_json(state);
		return true;
	}
	const char *error = json_string_value(json_object_get(state, "error"));
	(void)printf("Calls are copied up to event %lld of %lld, %lld so far.\n",
		(long long)json_integer_value(json_object_get(state, "copied_to")),
		(long long)json_integer_value(json_object_get(state, "last_seq")),
		(long long)json_integer_value(json_object_get(state, "calls")));
	if (error)
		(void)printf("It does not work since %s: %s\n",
			json_string_value(json_object_get(state, "error_at")), error);
	json_decref(state);
	return true;
}

bool client_db_check(struct ctl *ctl, struct err *err)
{
	struct shm_client client;
	struct address_wall wall;
	struct client_url url;
	struct secret_key key;

	if (!find(ctl, &client, err) ||
		!wall_open(&wall, ctl->conf.courier_private_networks, err) ||
		!secret_load_key(ctl->conf.common_secret_key_file, &key, err))
		return false;
	bool ok = client_database_address(ctl->db, &key, client.id, &url, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	ok = client_database_try(&url, &wall, ctl->conf.courier_ca_file, err);
	if (ok && ctl->json)
		out_json(json_pack("{s:s, s:s, s:s}", "host", url.host, "database", url.dbname,
			"table", "ccs_calls"));
	else if (ok)
		(void)printf("%s on %s:%s is reached, and the table ccs_calls takes calls.\n",
			url.dbname, url.host, url.port);
	secret_wipe(&url, sizeof(url));
	return ok;
}

bool client_db_replay(struct ctl *ctl, struct err *err)
{
	struct shm_client client;
	uint64_t seq;

	if (!str_to_u64(str_of(ctl->arguments[1]), 1, INT64_MAX, &seq))
		return fail(err, ERR_INPUT, "\"%s\" is no seq of an event", ctl->arguments[1]);
	if (!find(ctl, &client, err) || !client_database_replay(ctl->db, ctl_actor(), client.id,
						client.accountcode, seq, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I}", "from_seq", (json_int_t)seq));
	else
		(void)printf(
			"Calls are copied again from event %llu on.\n", (unsigned long long)seq);
	return true;
}
