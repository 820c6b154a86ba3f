/* Text under construction. Grows as needed; always terminated. Running out of memory ends the
 * process (a worker's request memory is capped before it gets here). Start with STRBUF_INIT, end
 * with strbuf_free. */
#ifndef CCS_COMMON_STRBUF_H
#define CCS_COMMON_STRBUF_H

#include <stdarg.h>

#include "common/str.h"

struct strbuf {
	char *p;
	size_t n;
	size_t cap;
};

#define STRBUF_INIT ((struct strbuf){NULL, 0, 0})

void strbuf_free(struct strbuf *sb);

/* Empties it and keeps the memory. */
void strbuf_reset(struct strbuf *sb);

/* Makes room for n more bytes and a terminator, and returns where they go; the caller then adds to
 * sb->n. */
char *strbuf_room(struct strbuf *sb, size_t n);

void strbuf_add(struct strbuf *sb, const void *bytes, size_t n);
void strbuf_str(struct strbuf *sb, struct str text);
void strbuf_puts(struct strbuf *sb, const char *text);
void strbuf_putc(struct strbuf *sb, char c);
void strbuf_printf(struct strbuf *sb, const char *fmt, ...) PRINTF(2, 3);
void strbuf_vprintf(struct strbuf *sb, const char *fmt, va_list ap) PRINTF(2, 0);

/* A whole number in decimal: what printf does, at a tenth of its time. */
void strbuf_i64(struct strbuf *sb, int64_t value);
void strbuf_u64(struct strbuf *sb, uint64_t value);

/* Appends text as a JSON string with its quotes. Bytes above 0x7f pass: callers hold valid UTF-8.
 */
void strbuf_json(struct strbuf *sb, struct str text);

/* Drops the first n bytes, as a reader that has used them. */
void strbuf_consume(struct strbuf *sb, size_t n);

static inline struct str strbuf_view(const struct strbuf *sb)
{
	return (struct str){sb->p ? sb->p : "", sb->n};
}

#endif
