/* Connection parameters and the meaning of errors: see session.h. */
#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "common/str.h"
#include "sql/session.h"

#include "common/base.h"

/* PostgreSQL ends a transaction in which we fell silent: its locks would stop everybody else. */
enum { IDLE_IN_TRANSACTION_MS = 30000, RETRY_AFTER_S = 2 };

/* Found before the dsn, so that the dsn may say otherwise. */
static const struct {
	const char *keyword, *value;
} defaults[] = {
	{"connect_timeout", "5"},
	{"keepalives", "1"},
	{"keepalives_idle", "30"},
	{"keepalives_interval", "10"},
	{"keepalives_count", "3"},
	{"tcp_user_timeout",
		"20000"}, /* ms; a peer that vanished must not hang us for a quarter of an hour */
	{"target_session_attrs", "read-write"}, /* with several hosts: the primary */
	{"client_encoding", "UTF8"},
};

/* Ours first, then the dsn's: the last one wins. */
static bool add_options(struct session_parameters *out, const char *dsn,
	int64_t statement_timeout_ms, bool plans_once, struct err *err)
{
	char *why = NULL;
	const char *theirs = "";
	PQconninfoOption *parsed = PQconninfoParse(dsn, &why);

	if (!parsed) {
		fail(err, ERR_INPUT, "the database connection \"%s\" is not one: %s", dsn,
			why ? why : "no memory");
		PQfreemem(why);
		return false;
	}
	for (const PQconninfoOption *o = parsed; o->keyword; o++)
		if (str_eq(str_of(o->keyword), STR("options")) && o->val)
			theirs = o->val;
	int n = snprintf(out->options, sizeof(out->options),
		"-c statement_timeout=%" PRId64
		" -c idle_in_transaction_session_timeout=%d -c timezone=UTC%s %s",
		statement_timeout_ms, IDLE_IN_TRANSACTION_MS,
		plans_once ? " -c plan_cache_mode=force_generic_plan" : "", theirs);
	PQconninfoFree(parsed);
	return (n > 0 && (size_t)n < sizeof(out->options)) ||
	       fail(err, ERR_INPUT,
		       "the options of the database connection are longer than %zu bytes",
		       sizeof(out->options));
}

bool session_parameters(struct session_parameters *out, const char *dsn, const char *application,
	int64_t statement_timeout_ms, bool plans_once, struct err *err)
{
	int n = 0;

	_Static_assert(ARRAY_LEN(defaults) + 4 <= SESSION_PARAMETERS_MAX, "and the end");
	if (!add_options(out, dsn, statement_timeout_ms, plans_once, err))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		out->keywords[n] = defaults[i].keyword;
		out->values[n++] = defaults[i].value;
	}
	out->keywords[n] = "dbname";
	out->values[n++] = dsn;
	out->keywords[n] = "application_name";
	out->values[n++] = application;
	out->keywords[n] = "options";
	out->values[n++] = out->options;
	out->keywords[n] = out->values[n] = NULL;
	return true;
}

static void take_notice(void *arg, const PGresult *result)
{
	(void)arg;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	bool is_warning = severity && str_eq(str_of(severity), STR("WARNING"));
	log_line(is_warning ? LOG_WARN : LOG_DEBUG, "sql.notice", "text=%s", log_q(text));
}

void session_take_notices(PGconn *conn)
{
	PQsetNoticeReceiver(conn, take_notice, NULL);
}

/* What SQLSTATE says to our caller, by prefix; the first that fits. No text: PostgreSQL's own. */
static const struct meaning {
	const char *sqlstate;
	enum err_kind kind;
	const char *text;
} meanings[] = {
	{"23505", ERR_CONFLICT, NULL},			   /* unique */
	{"23P01", ERR_CONFLICT, NULL},			   /* exclusion */
	{"23", ERR_INPUT, NULL},			   /* check, foreign key, not null */
	{"22", ERR_INPUT, NULL},			   /* a value that its type refuses */
	{"08", ERR_BUSY, "the database is not available"}, /* connection */
	{"25006", ERR_BUSY, "the database does not accept writes now"}, /* read-only: a failover */
	{"28", ERR_BUSY, "the database refuses our login"},		/* password, pg_hba */
	{"3D000", ERR_BUSY, "our database does not exist"},		/* not created yet */
	{"40", ERR_BUSY, "the transaction collided with another one"}, /* deadlock, serialization */
	{"53", ERR_BUSY, "the database is out of connections, memory or disk space"},
	{"55P03", ERR_BUSY, "a lock was not free in time"},
	{"57014", ERR_BUSY,
		"the statement took longer than its limit"}, /* or an operator cancelled it */
	{"57", ERR_BUSY, "the database is shutting down or starting"},
	{"58", ERR_BUSY, "the database cannot use its files"},
};

const char *session_words(const PGconn *conn, const PGresult *result)
{
	static char line[256];
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (!text)
		text = PQerrorMessage(conn);
	size_t n = 0;
	for (; *text && n + 1 < sizeof(line); text++)
		line[n++] = *text == '\n' || *text == '\t' ? ' ' : *text;
	while (n && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
	return line;
}

static const struct meaning *meaning_of(const PGresult *result)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	for (size_t i = 0; sqlstate && i < ARRAY_LEN(meanings); i++)
		if (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) == 0)
			return &meanings[i];
	return NULL;
}

enum err_kind session_error_kind(const PGresult *result)
{
	const struct meaning *meaning = meaning_of(result);
	return meaning ? meaning->kind : ERR_INTERNAL;
}

bool session_error(const PGconn *conn, const PGresult *result, const char *what, struct err *err)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *words = session_words(conn, result);

	const struct meaning *meaning = meaning_of(result);
	if (meaning) {
		fail(err, meaning->kind, "%s", meaning->text ? meaning->text : words);
		if (err && err->kind == ERR_BUSY)
			err->retry_after_s = RETRY_AFTER_S;
		return false;
	}
	if (PQstatus(conn) != CONNECTION_OK) {
		fail(err, ERR_BUSY, "the database is not available");
		if (err)
			err->retry_after_s = RETRY_AFTER_S;
		return false;
	}
	return fail(err, ERR_INTERNAL, "%s: %s (SQLSTATE %s)", what, words,
		sqlstate ? sqlstate : "unknown");
}
