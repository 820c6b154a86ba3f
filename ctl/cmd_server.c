/* ccsctl server: add, set, list; ccsctl alloc: set, list. */
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
	bool has_secret = input->ami_secret.p;
	struct secret_key key = {0};
	uint64_t id;

	if (!fields_check_given(server_fields, server_fields_n, input, err) ||
		(has_secret && !secret_load_key(ctl->conf.common_secret_key_file, &key, err)))
		return false;
	bool ok = ctl_db(ctl, err) && server_change(ctl->db, &key, ctl_actor(), input, &id, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I, s:s%}", "id", (json_int_t)id, "server_code",
			input->server_code.p, input->server_code.n));
	else
		(void)printf("Server %.*s is changed.\n", (int)input->server_code.n,
			input->server_code.p);
	return true;
}

/* Columns behind SERVER_COLUMNS. */
enum {
	AMI_USER = SERVER_COLUMNS,
	TEMPLATE,
	EXTENSION,
	CONTEXTS,
	PREFIXES,
	DIDS,
	ENDPOINTS,
	TLS,
	TLS_VERIFY,
	TLS_CA,
	TLS_NAME,
	COUNT_FOREIGN
};

static json_t *server_json(const struct rows *rows, int row, const struct shm_server *s)
{
	struct str user = row_text(rows, row, AMI_USER), template = row_text(rows, row, TEMPLATE);
	struct str extension = row_text(rows, row, EXTENSION);

	return json_pack(
		"{s:I, s:s, s:s, s:i, s:s, s:i, s:i, s:i, s:s%, s:s%, s:s%, s:o, s:o, s:o, s:o, "
		"s:b, s:b, s:o, s:o, s:b}",
		"id", (json_int_t)s->id, "server_code", s->server_code, "host", s->host, "port",
		(int)s->port, "status", server_status_name(s->status), "allowed_active_calls",
		(int)s->allowed_active_calls, "rate_limit", (int)s->rate_limit, "calls_per_second",
		(int)s->calls_per_second, "ami_user", user.p, user.n, "channel_template",
		template.p, template.n, "extension", extension.p, extension.n, "context",
		out_list(rows, row, CONTEXTS), "provided_prefix", out_list(rows, row, PREFIXES),
		"allocated_dids", out_list(rows, row, DIDS), "provided_endpoints",
		out_list(rows, row, ENDPOINTS), "tls", (int)row_bool(rows, row, TLS), "tls_verify",
		(int)row_bool(rows, row, TLS_VERIFY), "tls_ca",
		out_text(row_text(rows, row, TLS_CA)), "tls_name",
		out_text(row_text(rows, row, TLS_NAME)), "count_foreign_calls",
		(int)row_bool(rows, row, COUNT_FOREIGN));
}

/* How it is reached, as the list shows it. */
static const char *security(const struct rows *rows, int row)
{
	if (!row_bool(rows, row, TLS))
		return "";
	return row_bool(rows, row, TLS_VERIFY) ? " TLS" : " TLS, unverified";
}

bool server_list_all(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;
	json_t *servers = json_array();
	bool ok = ctl_db(ctl, err) && server_list(ctl->db, &rows, err);

	if (ok && !ctl->json)
		(void)printf("%-6s %-24s %-9s %8s %10s  %-28s %s\n", "ID", "SERVER_CODE", "STATUS",
			"CHANNELS", "RATE/H", "MANAGER", "CHANNEL");
	for (int row = 0; ok && row < rows.n; row++) {
		struct str template = row_text(&rows, row, TEMPLATE);
		struct shm_server s;
		char manager[300];
		ok = server_from_row(&rows, row, 0, &s, err);
		if (ok && ctl->json) {
			json_array_append_new(servers, server_json(&rows, row, &s));
		} else if (ok) {
			(void)snprintf(manager, sizeof(manager), "%s:%u%s", s.host, s.port,
				security(&rows, row));
			(void)printf("%-6llu %-24s %-9s %8u %10u  %-28s %.*s\n",
				(unsigned long long)s.id, s.server_code,
				server_status_name(s.status), s.allowed_active_calls, s.rate_limit,
				manager, (int)template.n, template.p);
		}
	}
	if (ok && ctl->json)
		out_json(json_pack("{s:O}", "servers", servers));
	json_decref(servers);
	rows_free(&rows);
	return ok;
}

bool alloc_set(struct ctl *ctl, struct err *err)
{
	const struct allocation_input *input = &ctl->input.allocation;
	uint64_t client_id;

	if (!fields_check(allocation_fields, allocation_fields_n, input, err) ||
		!ctl_db(ctl, err) || !allocation_set(ctl->db, ctl_actor(), input, &client_id, err))
		return false;
	ctl_changed(ctl, client_id);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s%, s:s%}", "client_id", (json_int_t)client_id,
			"accountcode", input->accountcode.p, input->accountcode.n, "server_code",
			input->server_code.p, input->server_code.n));
	else
		(void)printf("%.*s may hold %lld calls at once and start %lld an hour on %.*s.\n",
			(int)input->accountcode.n, input->accountcode.p, (long long)input->channels,
			(long long)input->rate_limit, (int)input->server_code.n,
			input->server_code.p);
	return true;
}

/* Columns behind ALLOCATION_COLUMNS. */
enum { ACCOUNTCODE = ALLOCATION_COLUMNS, OWN_DIDS };

static json_t *allocation_json(const struct rows *rows, int row, const struct allocation_row *a)
{
	struct str accountcode = row_text(rows, row, ACCOUNTCODE);

	return json_pack("{s:s%, s:s, s:i, s:i, s:i, s:s, s:o}", "accountcode", accountcode.p,
		accountcode.n, "server_code", a->server.server_code, "channels",
		(int)a->allocation.allowed_active_calls, "rate_limit",
		(int)a->allocation.rate_limit, "calls_per_second",
		(int)a->allocation.calls_per_second, "status",
		server_status_name(a->allocation.status), "allocated_dids",
		out_list(rows, row, OWN_DIDS));
}

bool alloc_list(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;
	json_t *allocations = json_array();
	bool ok = ctl_db(ctl, err) && allocation_list(ctl->db, &rows, err);

	if (ok && !ctl->json)
		(void)printf("%-24s %-24s %8s %10s  %s\n", "ACCOUNTCODE", "SERVER_CODE", "CHANNELS",
			"RATE/H", "STATUS");
	for (int row = 0; ok && row < rows.n; row++) {
		struct str accountcode = row_text(&rows, row, ACCOUNTCODE);
		struct allocation_row a;
		if (ctl->arguments_n && !str_eq(accountcode, str_of(ctl->arguments[0])))
			continue;
		ok = allocation_from_row(&rows, row, &a, err);
		if (ok && ctl->json)
			json_array_append_new(allocations, allocation_json(&rows, row, &a));
		else if (ok)
			(void)printf("%-24.*s %-24s %8u %10u  %s\n", (int)accountcode.n,
				accountcode.p, a.server.server_code,
				a.allocation.allowed_active_calls, a.allocation.rate_limit,
				server_status_name(a.allocation.status));
	}
	if (ok && ctl->json)
		out_json(json_pack("{s:O}", "allocations", allocations));
	json_decref(allocations);
	rows_free(&rows);
	return ok;
}
