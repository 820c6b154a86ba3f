/* Certificates of clients: see certificate.h. */
#include <stdio.h>

#include "registry/certificate.h"
#include "registry/change.h"
#include "registry/explain.h"

#include "common/base.h"

static bool record(struct db *db, const char *actor, const char *action, const char *accountcode,
	const struct digest *fingerprint, struct err *err)
{
	static const char form[] = "{\"fingerprint\":\"%s\"}";
	char hex[2 * DIGEST_BYTES + 1], detail[sizeof(form) + sizeof(hex)];

	hex_encode(fingerprint->b, DIGEST_BYTES, hex);
	(void)snprintf(detail, sizeof(detail), form, hex);
	return change_record(db, actor, action, accountcode, detail, err);
}

/* A statement that answers with the client it has changed; no row: MISSING, which the caller words. */
static bool run(struct db *db, enum sql_query query, const struct sql_args *args,
	struct certificate_owner *owner, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!db_query(db, query, args, &rows, err))
		return false;
	bool ok = rows.n == 1 || fail(err, ERR_MISSING, "there is none");
	if (ok) {
		owner->client_id = (uint64_t)row_i64(&rows, 0, 0);
		ok = row_copy(&rows, 0, 1, owner->accountcode, sizeof(owner->accountcode)) ||
		     fail(err, ERR_INTERNAL, "an accountcode that is too long");
	}
	rows_free(&rows);
	return ok;
}

static bool change(struct db *db, enum sql_query query, const struct sql_args *args,
	const char *actor, const char *action, const struct digest *fingerprint,
	struct certificate_owner *owner, struct err *err)
{
	struct certificate_owner changed;

	if (!db_ready(db, err))
		return false;
	if (!db_begin(db, err) || !run(db, query, args, &changed, err) ||
		!change_announce(db, changed.client_id, err) ||
		!record(db, actor, action, changed.accountcode, fingerprint, err) ||
		!db_commit(db, err)) {
		db_rollback(db);
		return explain_constraint(db, err);
	}
	*owner = changed;
	return true;
}

bool certificate_add(struct db *db, const char *actor, struct str accountcode,
	const struct certificate *certificate, struct certificate_owner *owner, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_text(&args, accountcode);
	arg_bytes(&args, certificate->fingerprint.b, DIGEST_BYTES);
	arg_text(&args, str_of(certificate->subject));
	arg_time(&args, certificate->not_after_us);
	bool ok = change(db, SQL_CERTIFICATE_INSERT, &args, actor, "certificate.add",
		&certificate->fingerprint, owner, err);
	args_free(&args);
	if (!ok && err->kind == ERR_MISSING)
		(void)fail(err, ERR_MISSING, "no client has accountcode %.*s",
			(int)MIN(accountcode.n, (size_t)40), accountcode.p);
	return ok;
}

bool certificate_remove(struct db *db, const char *actor, const struct digest *fingerprint,
	struct certificate_owner *owner, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_bytes(&args, fingerprint->b, DIGEST_BYTES);
	bool ok = change(db, SQL_CERTIFICATE_DELETE, &args, actor, "certificate.remove",
		fingerprint, owner, err);
	args_free(&args);
	if (!ok && err->kind == ERR_MISSING)
		(void)fail(err, ERR_MISSING, "no client has a certificate with this fingerprint");
	return ok;
}

bool certificate_list(struct db *db, struct str accountcode, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_text_or_null(&args, accountcode);
	bool ok = db_query(db, SQL_CERTIFICATE_LIST, &args, rows, err);
	args_free(&args);
	return ok;
}
