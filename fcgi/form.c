/* Pairs: see form.h. */
#include "fcgi/form.h"

#include "common/base.h"

static void encode(struct strbuf *sb, struct str text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
		if (plain) {
			strbuf_putc(sb, (char)c);
			continue;
		}
		strbuf_putc(sb, '%');
		strbuf_putc(sb, hex[c >> 4]);
		strbuf_putc(sb, hex[c & 15]);
	}
}

void form_text(struct strbuf *sb, const char *name, struct str value)
{
	if (sb->n)
		strbuf_putc(sb, '&');
	encode(sb, str_of(name));
	strbuf_putc(sb, '=');
	encode(sb, value);
}

void form_u64(struct strbuf *sb, const char *name, uint64_t value)
{
	if (sb->n)
		strbuf_putc(sb, '&');
	encode(sb, str_of(name));
	strbuf_putc(sb, '=');
	strbuf_u64(sb, value);
}
