/* What the API writes into the audit beside what statements record themselves: exports, and sign-ins that were refused. The
 * address comes from the connection (db_set_address). */
#ifndef CCS_FCGI_RECORD_H
#define CCS_FCGI_RECORD_H

#include "fcgi/app.h"
#include "fcgi/req.h"

enum { RECORD_BY_BYTES = 32 };

/* By which credential: "key 12", "user 3" or "certificate". */
const char *record_by(const struct req *req, char out[RECORD_BY_BYTES]);

/* Before an export begins: its client, by which credential, and what was asked for; numbers by their last four digits. On
 * false nothing may be exported. */
MUST_USE bool record_export(
	struct app *app, const struct req *req, const char *action, struct err *err);

/* Somebody who is not signed in was refused as this user of app->client; user: his name, or "#" and his id; NULL: as one who
 * does not exist, whose name is not kept, because people type passwords there. A failure is logged. */
void record_refused(struct app *app, const char *action, const char *user);

#endif
