/* GET /clients/allocated-servers: the caller's share of each server, and what the server offers it. */
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "fcgi/servers.h"
#include "sql/db.h"

#include "common/base.h"

/* Columns of allocated_servers. */
enum column {
	SERVER_CODE,
	ALLOWED_ACTIVE_CALLS,
	RATE_LIMIT,
	STATUS,
	DEFAULT_DIRECTORY,
	RECORDING_DIRECTORY,
	PROVIDED_PREFIX,
	CONTEXT,
	ALLOCATED_DIDS,
	PROVIDED_ENDPOINTS
};

static void put_list(
	struct strbuf *sb, const char *key, const struct rows *rows, int row, enum column column)
{
	struct row_list list = row_list(rows, row, column);
	struct str element;

	put_array(sb, key);
	while (row_list_next(&list, &element))
		put_text(sb, NULL, element);
	put_end(sb, ']');
}

/* The document's three members first, then the rest of its ten. */
static void put_server(struct strbuf *sb, const struct rows *rows, int row)
{
	put_name(sb, row_text(rows, row, SERVER_CODE));
	put_object(sb, NULL);
	put_i64(sb, "allowed_active_calls", row_i64(rows, row, ALLOWED_ACTIVE_CALLS));
	put_i64(sb, "rate_limit", row_i64(rows, row, RATE_LIMIT));
	put_text(sb, "status", row_text(rows, row, STATUS));
	put_text(sb, "server_code", row_text(rows, row, SERVER_CODE));
	put_text(sb, "default_directory", row_text(rows, row, DEFAULT_DIRECTORY));
	put_text(sb, "recording_directory", row_text(rows, row, RECORDING_DIRECTORY));
	put_list(sb, "provided_prefix", rows, row, PROVIDED_PREFIX);
	put_list(sb, "context", rows, row, CONTEXT);
	put_list(sb, "allocated_dids", rows, row, ALLOCATED_DIDS);
	put_list(sb, "provided_endpoints", rows, row, PROVIDED_ENDPOINTS);
	put_end(sb, '}');
}

bool put_allocated_servers(
	struct app *app, const struct req *req, struct strbuf *sb, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)req->client->id);
	bool ok = db_query_as(app->db, req->client->id, SQL_ALLOCATED_SERVERS, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	put_object(sb, "allocated_servers");
	for (int i = 0; i < rows.n; i++)
		put_server(sb, &rows, i);
	put_end(sb, '}');
	rows_free(&rows);
	return true;
}

bool handle_allocated_servers(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	put_object(&reply->body, NULL);
	if (!put_allocated_servers(app, req, &reply->body, err))
		return false;
	put_end(&reply->body, '}');
	return true;
}
