/* What is in the way, as JSON members: the sentence, the gate that blocks, and every gate with its verdict. */
#ifndef CCS_FCGI_PUT_WHY_H
#define CCS_FCGI_PUT_WHY_H

#include "common/strbuf.h"
#include "registry/why.h"

/* Into an object that the caller has opened. What is live or over has no gates. */
void put_why(struct strbuf *sb, const struct why *why, int64_t now_us);

/* One gate as an object, or null when nothing blocks. */
void put_explained(struct strbuf *sb, const char *key, const struct explained *e);

#endif
