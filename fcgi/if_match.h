/* If-Match: which version of something a change means, so that two who change it at once never overwrite each other unseen. */
#ifndef CCS_FCGI_IF_MATCH_H
#define CCS_FCGI_IF_MATCH_H

#include "fcgi/req.h"

/* The version that an ETag of ours says; 0: whatever is there ("*"). UNSEEN when the header is missing. */
MUST_USE bool if_match_read(const struct req *req, uint64_t *expected, struct err *err);

#endif
