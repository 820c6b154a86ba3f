/* May who asks do what the request asks for? By the WHO and SCOPE of its route (routes.def), once it is known who it is
 * (auth.h). Every refusal says which rule it is and who may change it. */
#ifndef CCS_FCGI_PERMIT_H
#define CCS_FCGI_PERMIT_H

#include "fcgi/req.h"

/* FORBIDDEN, or true. */
MUST_USE bool permit(const struct req *req, struct err *err);

/* The same for what only an active client may see, whatever its key's scopes. */
MUST_USE bool permit_client(const struct req *req, struct err *err);

/* Who an administrator is in the audit: "user:7", "key:12". */
enum { ACTOR_BYTES = 32 };
const char *actor_of(const struct req *req, char out[ACTOR_BYTES]);

#endif
