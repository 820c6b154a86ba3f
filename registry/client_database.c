/* Clients' own databases: see client_database.h. */
#include "registry/client_database.h"

#include <netdb.h>

#include "registry/change.h"

#include "common/base.h"

bool client_database_show(struct db *db, uint64_t client_id, struct strbuf *out, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)client_id);
	bool ok = db_query(db, SQL_CLIENT_DATABASE_STATE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 || fail(err, ERR_MISSING, "the client has no database of its own");
	if (ok)
		strbuf_str(out, row_text(&rows, 0, 0));
	rows_free(&rows);
	return ok;
}

static bool set_back(struct db *db, uint64_t client_id, uint64_t seq, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)client_id);
	arg_i64(&args, (int64_t)seq - 1);
	bool ok = db_query(db, SQL_CLIENT_DATABASE_REPLAY, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 ||
	     fail(err, ERR_MISSING, "the client has no database of its own, or is not that far");
	rows_free(&rows);
	return ok;
}

bool client_database_replay(struct db *db, const char *actor, uint64_t client_id,
	const char *accountcode, uint64_t seq, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;

	strbuf_printf(&detail, "{\"from_seq\":%llu}", (unsigned long long)seq);
	bool ok = db_begin(db, err) && set_back(db, client_id, seq, err) &&
		  change_record(db, actor, "client_database.replay", accountcode, detail.p, err) &&
		  db_commit(db, err);
	strbuf_free(&detail);
	if (!ok)
		db_rollback(db);
	return ok;
}

static bool open_url(
	const struct secret_key *key, struct str sealed, struct client_url *url, struct err *err)
{
	struct strbuf plain = STRBUF_INIT;
	bool ok = secret_open(key, sealed, &plain, err) &&
		  client_url_read(strbuf_view(&plain), url, err);
	if (plain.p)
		secret_wipe(plain.p, plain.n);
	strbuf_free(&plain);
	return ok;
}

bool client_database_address(struct db *db, const struct secret_key *key, uint64_t client_id,
	struct client_url *url, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	struct client_url one = {.port = ""}, other = {.port = ""};

	arg_i64(&args, (int64_t)client_id);
	bool ok = db_query(db, SQL_CLIENT_DATABASE_ADDRESSES, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	struct str first = {NULL, 0}, second = {NULL, 0};
	if (rows.n == 1) {
		first = row_bytes(&rows, 0, 0);
		second = row_bytes(&rows, 0, 1);
	}
	ok = first.n || second.n || fail(err, ERR_MISSING, "the client has no database of its own");
	ok = ok && (!first.n || open_url(key, first, &one, err)) &&
	     (!second.n || open_url(key, second, &other, err));
	if (ok && first.n && second.n && !client_url_same_database(&one, &other))
		ok = fail(err, ERR_INPUT,
			"asyncdatabaseurl and syncdatabaseurl name different databases");
	if (ok)
		*url = first.n ? one : other;
	secret_wipe(&one, sizeof(one));
	secret_wipe(&other, sizeof(other));
	rows_free(&rows);
	return ok;
}

static bool resolve(const struct client_url *url, const struct address_wall *wall, char *address,
	size_t size, struct err *err)
{
	static const struct address_wall bare = {.n = 0};
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	bool is_public = true, ok = true;

	int code = getaddrinfo(url->host, NULL, &hints, &found);
	if (code != 0)
		return fail(
			err, ERR_BUSY, "%s cannot be resolved: %s", url->host, gai_strerror(code));
	for (const struct addrinfo *a = found; ok && a; a = a->ai_next) {
		is_public &= wall_admits(&bare, a->ai_addr);
		ok = wall_admits(wall, a->ai_addr) ||
		     fail(err, ERR_INPUT, "the address of %s is not public", url->host);
	}
	ok = ok &&
	     (!is_public || client_url_is_verified(url) ||
		     fail(err, ERR_INPUT, "over the internet its sslmode must be verify-full"));
	ok = ok && (getnameinfo(found->ai_addr, found->ai_addrlen, address, (socklen_t)size, NULL,
			    0, NI_NUMERICHOST) == 0 ||
			   fail(err, ERR_INTERNAL, "an address without text"));
	freeaddrinfo(found);
	return ok;
}

static bool run(PGconn *conn, PGresult *result, const char *what, struct err *err)
{
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return ok || fail(err, ERR_INPUT, "%s: %.*s", what,
			     (int)strcspn(PQerrorMessage(conn), "\n"), PQerrorMessage(conn));
}

bool client_database_try(const struct client_url *url, const struct address_wall *wall,
	const char *ca_file, struct err *err)
{
	struct client_url_parameters parameters;
	char address[64];

	if (!resolve(url, wall, address, sizeof(address), err))
		return false;
	client_url_parameters(&parameters, url, address, ca_file);
	PGconn *conn = PQconnectdbParams(parameters.keywords, parameters.values, 0);
	bool ok = PQstatus(conn) == CONNECTION_OK ||
		  fail(err, ERR_BUSY, "%.*s", (int)strcspn(PQerrorMessage(conn), "\n"),
			  PQerrorMessage(conn));
	ok = ok && run(conn, PQexec(conn, sql_client_calls), "the table cannot be made", err) &&
	     run(conn, PQprepare(conn, "ccs", sql_client_insert, 0, NULL),
		     "the table ccs_calls is not as it should be", err);
	PQfinish(conn);
	return ok;
}
