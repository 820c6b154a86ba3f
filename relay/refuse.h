/* The error envelope of the API, where a WebSocket is refused before it begins. */
#ifndef CCS_RELAY_REFUSE_H
#define CCS_RELAY_REFUSE_H

#include "common/strbuf.h"

struct err;
struct lws;

/* A whole HTTP response. */
void refuse_text(struct strbuf *sb, struct str request_id, const struct err *err, int64_t now_us);

/* Sends it as the answer to the request on wsi. */
void refuse(struct lws *wsi, struct str request_id, const struct err *err);

#endif
