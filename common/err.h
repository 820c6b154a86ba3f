/* Why something failed, for whoever can act on it.
 *
 * A fallible function returns bool and takes a struct err * last; on false it has filled it and has
 * left its outputs untouched. The kind is what a caller can act on (fcgi/reply.c maps it to an HTTP
 * status), the text tells a reader what to do. Log where an error stops travelling, never on the
 * way.
 */
#ifndef CCS_COMMON_ERR_H
#define CCS_COMMON_ERR_H

#include <stdarg.h>

#include "common/base.h"

enum err_kind {
	ERR_NONE,
	ERR_INPUT,     /* the caller's data is wrong */
	ERR_AUTH,      /* who are you? */
	ERR_FORBIDDEN, /* we know you, and no */
	ERR_MISSING,   /* no such thing */
	ERR_METHOD,    /* the path exists, the method does not */
	ERR_CONFLICT,  /* collides with what is stored */
	ERR_STALE,     /* what is to be changed is another by now */
	ERR_UNSEEN,    /* which version is to be changed was not said */
	ERR_TOO_LARGE, /* body or batch above the limit */
	ERR_LIMIT,     /* too many requests: retry_after_s says when */
	ERR_BUSY,      /* a part we need is away or full: try again */
	ERR_INTERNAL,  /* our fault: the text goes to the log, not to a client */
	ERR_KIND__N
};

struct err {
	enum err_kind kind;
	uint32_t retry_after_s; /* LIMIT and BUSY; 0 = not known */
	const char *code; /* stable slug such as "invalid_number", static storage, or NULL for the
			     kind's own */
	char text[256];
};

/* Fills err and returns false, so that `return fail(err, ERR_INPUT, ...)` is the whole error path.
 * The text is cut at the buffer's end, which is harmless for a message. err may be NULL when the
 * caller does not care. */
bool fail(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);

/* The same, with a stable slug (static storage) for machines. */
bool fail_code(struct err *err, enum err_kind kind, const char *code, const char *fmt, ...)
	PRINTF(4, 5);

/* Puts "context: " before the text and returns false. */
bool fail_context(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* The kind's name in lower case, as logs and the `code` member print it. */
const char *err_kind_name(enum err_kind kind);

#endif
