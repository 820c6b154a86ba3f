/* UTF-8, as Unicode's table 3-7 defines it: see utf8.h. */
#include "common/utf8.h"

#include "common/base.h"

/* The second byte's range depends on the first; those after it are always 80..BF. */
static const struct lead {
	uint8_t from, to;
	uint8_t bytes;
	uint8_t second_from, second_to;
} leads[] = {
	{0xc2, 0xdf, 2, 0x80, 0xbf},
	{0xe0, 0xe0, 3, 0xa0, 0xbf},
	{0xe1, 0xec, 3, 0x80, 0xbf},
	{0xed, 0xed, 3, 0x80, 0x9f},
	{0xee, 0xef, 3, 0x80, 0xbf},
	{0xf0, 0xf0, 4, 0x90, 0xbf},
	{0xf1, 0xf3, 4, 0x80, 0xbf},
	{0xf4, 0xf4, 4, 0x80, 0x8f},
};

/* Bytes of the character at p, 0 when there is none; left > 0. */
static size_t length_of(const uint8_t *p, size_t left)
{
	if (p[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
		const struct lead *l = &leads[i];
		if (p[0] < l->from || p[0] > l->to)
			continue;
		if (left < l->bytes || p[1] < l->second_from || p[1] > l->second_to)
			return 0;
		for (size_t k = 2; k < l->bytes; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return l->bytes;
	}
	return 0;
}

size_t utf8_prefix(struct str text)
{
	const uint8_t *p = (const uint8_t *)text.p;
	size_t at = 0;
	while (at < text.n) {
		size_t n = length_of(p + at, text.n - at);
		if (n == 0)
			break;
		at += n;
	}
	return at;
}

bool utf8_is_text(struct str text)
{
	return utf8_prefix(text) == text.n && (text.n == 0 || !memchr(text.p, '\0', text.n));
}
