/* Growing text: see strbuf.h. */
#include <stdarg.h>
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

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		(void)vsnprintf(strbuf_room(sb, (size_t)n), (size_t)n + 1, fmt, again);
		sb->n += (size_t)n;
	}
	va_end(again);
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
