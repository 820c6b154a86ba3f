/* Scopes: see scope.h. */
#include "shm/scope.h"

#include <stdio.h>

#include "common/base.h"

static const char *const words[SCOPE_BIT__N] = {
#define SCOPE(constant, word, help) [SCOPE_BIT_##constant] = word,
#include "shm/scope.def"
#undef SCOPE
};

uint32_t scope_named(struct str word)
{
	for (uint32_t bit = 0; bit < SCOPE_BIT__N; bit++)
		if (str_eq(word, str_of(words[bit])))
			return 1U << bit;
	return SCOPE_NONE;
}

bool scopes_read(struct str text, char separator, uint32_t *scopes)
{
	struct str word;
	bool all_known = true;

	*scopes = SCOPE_NONE;
	while (str_split(&text, separator, &word)) {
		uint32_t scope = scope_named(word);
		all_known = all_known && scope != SCOPE_NONE;
		*scopes |= scope;
	}
	return all_known;
}

const char *scopes_write(uint32_t scopes, char separator, char out[SCOPE_WORDS_BYTES])
{
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t bit = 0; bit < SCOPE_BIT__N; bit++)
		if (scopes & 1U << bit)
			n += (size_t)snprintf(out + n, SCOPE_WORDS_BYTES - n, "%.*s%s", n > 0,
				&separator, words[bit]);
	return out;
}

const char *scope_word(enum shm_scope scope)
{
	for (uint32_t bit = 0; bit < SCOPE_BIT__N; bit++)
		if (scope == 1U << bit)
			return words[bit];
	return "none";
}
