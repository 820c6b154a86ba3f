/* How every connection of ours is opened, and what its errors mean: for db.c (blocking) and
 * stream.c (not blocking). */
#ifndef CCS_SQL_SESSION_H
#define CCS_SQL_SESSION_H

#include <libpq-fe.h>

#include "common/err.h"

enum { SESSION_OPTIONS_BYTES = 1024, SESSION_PARAMETERS_MAX = 16 };

/* keywords and values for PQconnectdbParams / PQconnectStartParams, with expand_dbname = 1. Points
 * into itself and to dsn and application: keep all three until the connection is made. */
struct session_parameters {
	const char *keywords[SESSION_PARAMETERS_MAX];
	const char *values[SESSION_PARAMETERS_MAX];
	char options[SESSION_OPTIONS_BYTES];
};

/* Time limits, keepalives, UTC, a server that accepts writes; what the dsn says itself wins. plans_once:
 * db_plan_once. False when libpq cannot read the dsn. */
MUST_USE bool session_parameters(struct session_parameters *out, const char *dsn,
	const char *application, int64_t statement_timeout_ms, bool plans_once, struct err *err);

/* Sends the server's notices to the log; call once the connection exists. */
void session_take_notices(PGconn *conn);

/* Says in err what a failed result means to the caller, and returns false. what names the
 * statement; result may be NULL when the connection broke. BUSY texts may be shown to a client;
 * INTERNAL ones hold PostgreSQL's own words. */
bool session_error(const PGconn *conn, const PGresult *result, const char *what, struct err *err);

/* The kind that session_error would give a failed result: BUSY for what passes by itself. */
enum err_kind session_error_kind(const PGresult *result);

/* PostgreSQL's words about a failure, on one line. Valid until the next call. */
const char *session_words(const PGconn *conn, const PGresult *result);

#endif
