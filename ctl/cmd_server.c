/* ccsctl server: add, set, list, show, delete. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "registry/fine.h"

#include "common/base.h"

bool server_add(struct ctl *ctl, struct err *err)
{
	const struct server_input *input = &ctl->input.server;
	struct secret_key key;
	uint64_t id;

	if (!fields_check(server_fields, server_fields_n, input, err) ||
		!secret_load_key(ctl->conf.common_secret_key_file, &key, err))
		return false;
	bool ok = ctl_db(ctl, err) && server_create(ctl->db, &key, ctl_actor(), input, &id, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I, s:s%}", "id", (json_int_t)id, "server_code",
			input->server_code.p, input->server_code.n));
	else
		(void)printf("Server %.*s has id %llu. Clients may use it once `ccsctl alloc set' "
			     "gives them a share.\n",
			(int)input->server_code.n, input->server_code.p, (unsigned long long)id);
	return true;
}

bool server_set(struct ctl *ctl, struct err *err)
{
	const struct server_input *input = &ctl->input.server;
	const struct which which = {.name = input->server_code};
	struct edit edit = ctl_edit(ctl);
	bool has_secret = input->ami_secret.p;
	struct secret_key key = {0};

	if (!fields_check_given(server_fields, server_fields_n, input, err) ||
		(has_secret && !secret_load_key(ctl->conf.common_secret_key_file, &key, err)))
		return false;
	bool ok = ctl_db(ctl, err) && server_change(ctl->db, &key, &which, &edit, input, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	out_changed(ctl,
		json_pack("{s:I, s:s%}", "id", (json_int_t)edit.id, "server_code",
			input->server_code.p, input->server_code.n),
		&edit, "Server", input->server_code);
	edit_end(&edit);
	return true;
}

bool server_remove(struct ctl *ctl, struct err *err)
{
	const struct which which = {.name = str_of(ctl->arguments[0])};
	struct edit edit = ctl_edit(ctl);

	if (!ctl_confirm(ctl, err, "Server %s will be gone", ctl->arguments[0]) ||
		!ctl_db(ctl, err) || !server_delete(ctl->db, &which, &edit, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I, s:s, s:b}", "id", (json_int_t)edit.id, "server_code",
			ctl->arguments[0], "deleted", 1));
	else
		(void)printf("Server %s is deleted.\n", ctl->arguments[0]);
	edit_end(&edit);
	return true;
}

/* Columns of server_list behind SERVER_COLUMNS that are printed. */
enum { TEMPLATE = SERVER_COLUMNS + 1, TLS = SERVER_COLUMNS + 7, TLS_VERIFY };

/* How it is reached. */
static const char *security(const struct rows *rows, int row)
{
	if (!row_bool(rows, row, TLS))
		return "";
	return row_bool(rows, row, TLS_VERIFY) ? " TLS" : " TLS, unverified";
}

static void print_server(const struct rows *rows, int row, const struct shm_server *s)
{
	struct str template = row_text(rows, row, TEMPLATE);
	char manager[300];

	(void)snprintf(manager, sizeof(manager), "%s:%u%s", s->host, s->port, security(rows, row));
	(void)printf("%-6llu %-24s %-9s %8u %10u  %-28s %.*s\n", (unsigned long long)s->id,
		s->server_code, server_status_name(s->status), s->allowed_active_calls,
		s->rate_limit, manager, (int)template.n, template.p);
}

static bool print_servers(struct ctl *ctl, const struct listing *listing, int *n, struct err *err)
{
	struct rows rows = ROWS_INIT;
	uint64_t total;
	bool ok = ctl_db(ctl, err) && noun_rows(ctl->db, NOUN_SERVER, listing, &rows, &total, err);

	if (!ok)
		return false;
	(void)printf("%-6s %-24s %-9s %8s %10s  %-28s %s\n", "ID", "SERVER_CODE", "STATUS",
		"CHANNELS", "RATE/H", "MANAGER", "CHANNEL");
	for (int row = 0; ok && row < rows.n; row++) {
		struct shm_server s;
		ok = server_from_row(&rows, row, 0, &s, err);
		if (ok)
			print_server(&rows, row, &s);
	}
	*n = rows.n;
	rows_free(&rows);
	return ok;
}

bool server_list_all(struct ctl *ctl, struct err *err)
{
	static const struct listing all;
	int n;

	return ctl->json ? out_nouns(ctl, NOUN_SERVER, &all, "servers", err)
			 : print_servers(ctl, &all, &n, err);
}

bool server_show(struct ctl *ctl, struct err *err)
{
	const struct listing one = {.filter.name = str_of(ctl->arguments[0])};
	const struct listing shares = {.filter.name2 = one.filter.name};
	int n;

	if (ctl->json)
		return out_noun(ctl, NOUN_SERVER, &one.filter, err);
	if (!print_servers(ctl, &one, &n, err))
		return false;
	if (n == 0)
		return fail(err, ERR_MISSING, "no server has server_code %s", ctl->arguments[0]);
	(void)puts("");
	return print_shares(ctl, &shares, err);
}
