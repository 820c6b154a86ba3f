/* Do-not-call lists as requests name them. */
#ifndef CCS_FCGI_DNC_LIST_H
#define CCS_FCGI_DNC_LIST_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"
#include "registry/dnc.h"

struct dnc_whose {
	struct dnc_list list;
	struct number_rules rules; /* how a number of it is read */
	char actor[64];
};

/* The caller's, that of his batch (not_yours when there is none), everybody's. */
MUST_USE bool dnc_of_client(
	struct app *app, const struct req *req, struct dnc_whose *whose, struct err *err);
MUST_USE bool dnc_of_batch(
	struct app *app, const struct req *req, struct dnc_whose *whose, struct err *err);
MUST_USE bool dnc_of_all(
	struct app *app, const struct req *req, struct dnc_whose *whose, struct err *err);

/* All of the list as CSV, piece by piece: h_dnc_file.c. */
MUST_USE bool dnc_export(struct app *app, const struct req *req, const struct dnc_whose *whose,
	struct reply *reply, struct err *err);

#endif
