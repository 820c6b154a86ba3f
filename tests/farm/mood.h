/* How a server behaves: mood.def. */
#ifndef CCS_TESTS_FARM_MOOD_H
#define CCS_TESTS_FARM_MOOD_H

#include "common/err.h"
#include "common/strbuf.h"

enum mood_kind {
#define MOOD(constant, ...) MOOD_##constant,
#include "tests/farm/mood.def"
#undef MOOD
	MOOD__N
};

struct mood {
	bool on[MOOD__N];
	uint32_t value[MOOD__N];
};

/* "normal", or names with commas between them, each perhaps with =N. */
MUST_USE bool mood_parse(struct str text, struct mood *mood, struct err *err);

/* Appends the form that mood_parse reads. */
void mood_print(const struct mood *mood, struct strbuf *out);

/* All moods with their meanings, for --help. */
void mood_explain(struct strbuf *out);

#endif
