/* ccsctl db: roles, migrate, check. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "sql/migrate.h"

#include "common/base.h"

bool db_roles(struct ctl *ctl, struct err *err)
{
	(void)err;
	if (ctl->json)
		out_json(json_pack("{s:s}", "sql", sql_roles));
	else
		(void)fputs(sql_roles, stdout);
	return true;
}

struct progress {
	bool json;
	json_t *applied;
};

static void note(void *arg, int number, const char *name)
{
	const struct progress *progress = arg;

	(void)number;
	json_array_append_new(progress->applied, json_string(name));
	if (!progress->json)
		(void)printf("Applied %s.\n", name);
}

bool db_migrate(struct ctl *ctl, struct err *err)
{
	struct progress progress = {ctl->json, json_array()};
	int n;

	/* No time limit: a migration of a big table may take hours. */
	ctl->db = db_new(ctl->conf.database_owner_dsn, "ccsctl", 0);
	if (!migrate(ctl->db, note, &progress, &n, err)) {
		json_decref(progress.applied);
		return false;
	}
	if (ctl->json) {
		out_json(json_pack(
			"{s:o, s:i}", "applied", progress.applied, "version", sql_migrations_n));
		return true;
	}
	json_decref(progress.applied);
	(void)printf("The schema is at version %d%s.\n", sql_migrations_n, n ? "" : ", as it was");
	return true;
}

/* Is role one of the words of roles? */
static bool has_role(const char *roles, const char *role)
{
	struct str rest = str_of(roles), word;
	while (str_split(&rest, ' ', &word))
		if (str_eq(word, str_of(role)))
			return true;
	return false;
}

/* Prepares each statement that this role runs; a COPY names its table only when it is sent. */
static bool prepare_all(struct db *db, const char *role, int *n, struct err *err)
{
	int prepared = 0;

	for (int i = 0; i < SQL_QUERY__N; i++) {
		if (!has_role(sql_statements[i].role, role) ||
			strstr(sql_statements[i].text, "%lld"))
			continue;
		if (!db_prepare(db, (enum sql_query)i, NULL, err))
			return false;
		prepared++;
	}
	*n = prepared;
	return true;
}

bool db_check(struct ctl *ctl, struct err *err)
{
	const struct {
		const char *option, *dsn, *role;
	} connections[] = {
		{"owner_dsn", ctl->conf.database_owner_dsn, "ccs_owner"},
		{"api_dsn", ctl->conf.database_api_dsn, "ccs_api"},
		{"login_dsn", ctl->conf.database_login_dsn, "ccs_login"},
		{"admin_dsn", ctl->conf.database_admin_dsn, "ccs_admin"},
		{"dispatcher_dsn", ctl->conf.database_dispatcher_dsn, "ccs_dispatcher"},
		{"courier_dsn", ctl->conf.database_courier_dsn, "ccs_courier"},
	};
	json_t *found = json_array();

	for (size_t i = 0; i < ARRAY_LEN(connections); i++) {
		int n = 0;
		db_free(ctl->db);
		ctl->db = db_new(
			connections[i].dsn, "ccsctl", ctl->conf.database_statement_timeout_ms);
		if (!migrate_check(ctl->db, err) ||
			!prepare_all(ctl->db, connections[i].role, &n, err)) {
			json_decref(found);
			return fail_context(err, "database.%s", connections[i].option);
		}
		json_array_append_new(found, json_pack("{s:s, s:i}", "connection",
						     connections[i].option, "statements", n));
		if (!ctl->json)
			(void)printf("database.%s connects; %d statements fit.\n",
				connections[i].option, n);
	}
	if (ctl->json)
		out_json(
			json_pack("{s:i, s:o}", "version", sql_migrations_n, "connections", found));
	else {
		json_decref(found);
		(void)printf("The schema is at version %d, as it should be.\n", sql_migrations_n);
	}
	return true;
}
