/* Growing text: see strbuf.h. */
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/strbuf.h"

#include "common/base.h"

enum { FIRST_BYTES = 256 };

void strbuf_free(struct strbuf *sb)
{
	free(sb->p);
	*sb = STRBUF_INIT;
}

void strbuf_reset(struct strbuf *sb)
{
	sb->n = 0;
	if (sb->p)
		sb->p[0] = '\0';
}

char *strbuf_room(struct strbuf *sb, size_t n)
{
	if (n >= SIZE_MAX / 2 - sb->n)
		die("memory.exhausted", "bytes=%zu", n);
	size_t need = sb->n + n + 1;
	if (need > sb->cap) {
		size_t cap = MAX(sb->cap * 2, (size_t)FIRST_BYTES);
		while (cap < need)
			cap *= 2;
		char *p = realloc(sb->p, cap);
		if (!p)
			die("memory.exhausted", "bytes=%zu", cap);
		sb->p = p;
		sb->cap = cap;
	}
	return sb->p + sb->n;
}

void strbuf_add(struct strbuf *sb, const void *bytes, size_t n)
{
	char *room = strbuf_room(sb, n);
	if (n)
		memcpy(room, bytes, n);
	sb->n += n;
	sb->p[sb->n] = '\0';
}

void strbuf_str(struct strbuf *sb, struct str text)
{
	strbuf_add(sb, text.p, text.n);
}

void strbuf_puts(struct strbuf *sb, const char *text)
{
	strbuf_add(sb, text, strlen(text));
}

void strbuf_putc(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

/* Most texts fit into what is there, so they are made in one pass. */
void strbuf_vprintf(struct strbuf *sb, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	char *room = strbuf_room(sb, 0);
	size_t left = sb->cap - sb->n;
	int n = vsnprintf(room, left, fmt, ap);
	if (n > 0 && (size_t)n >= left)
		(void)vsnprintf(strbuf_room(sb, (size_t)n), (size_t)n + 1, fmt, again);
	if (n > 0)
		sb->n += (size_t)n;
	va_end(again);
}

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	strbuf_vprintf(sb, fmt, ap);
	va_end(ap);
}

void strbuf_u64(struct strbuf *sb, uint64_t value)
{
	char digits[20]; /* of 2^64 - 1 */
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	strbuf_add(sb, digits + at, sizeof(digits) - at);
}

void strbuf_i64(struct strbuf *sb, int64_t value)
{
	if (value < 0)
		strbuf_putc(sb, '-');
	strbuf_u64(sb, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void strbuf_json(struct strbuf *sb, struct str text)
{
	strbuf_putc(sb, '"');
	size_t from = 0;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)
			continue;
		strbuf_add(sb, text.p + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\')
			strbuf_printf(sb, "\\%c", c);
		else
			strbuf_printf(sb, "\\u%04x", c);
	}
	strbuf_add(sb, text.p + from, text.n - from);
	strbuf_putc(sb, '"');
}

void strbuf_consume(struct strbuf *sb, size_t n)
{
	if (n == 0)
		return;
	memmove(sb->p, sb->p + n, sb->n - n);
	sb->n -= n;
	sb->p[sb->n] = '\0';
}
