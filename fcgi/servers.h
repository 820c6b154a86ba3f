/* The caller's share of each server, for the answers that show it. */
#ifndef CCS_FCGI_SERVERS_H
#define CCS_FCGI_SERVERS_H

#include "fcgi/app.h"
#include "fcgi/req.h"

/* Adds the member "allocated_servers" to an object under construction. */
MUST_USE bool put_allocated_servers(
	struct app *app, const struct req *req, struct strbuf *sb, struct err *err);

#endif
