/* Scopes: what the holder of an API key may do with it. Words in SQL, HTTP and on the command line, bits in the segment. A
 * user who has signed in has all of them but the servers'. */
#ifndef CCS_SHM_SCOPE_H
#define CCS_SHM_SCOPE_H

#include "common/str.h"

enum shm_scope_bit {
#define SCOPE(constant, word, help) SCOPE_BIT_##constant,
#include "shm/scope.def"
#undef SCOPE
	SCOPE_BIT__N
};

enum shm_scope {
	SCOPE_NONE = 0,
#define SCOPE(constant, word, help) SCOPE_##constant = 1 << SCOPE_BIT_##constant,
#include "shm/scope.def"
#undef SCOPE
	/* of people and their programs: a server's keys have theirs alone */
	SCOPE_ALL = SCOPE_READ | SCOPE_DIAL | SCOPE_ADMIN
};

/* "read,dial" and a terminator */
enum { SCOPE_WORDS_BYTES = 32 };

/* One of them by its word; SCOPE_NONE for no word. */
uint32_t scope_named(struct str word);

/* Words between separators to bits. False when one of them is none; the others count. */
bool scopes_read(struct str words, char separator, uint32_t *scopes);

/* Bits to words, in the order of scope.def. Returns out. */
const char *scopes_write(uint32_t scopes, char separator, char out[SCOPE_WORDS_BYTES]);

/* "read" */
const char *scope_word(enum shm_scope scope);

#endif
