/* What the dialplan tells about a call, until the call's detail is stored: digits, answers of a survey, how a transfer went.
 *
 * A log beside the call's slot, written by the dispatcher's child only. What is added lies behind the bytes that count, then
 * the count is stored: a kill at any point leaves what was there before. Whoever comes after reads the same message again and
 * finds that it is known. Nothing in it is taken back, so what was replaced takes room, too.
 */
#ifndef CCS_SHM_RESULT_H
#define CCS_SHM_RESULT_H

#include "common/strbuf.h"
#include "shm/segment.h"

/* A call has so many results, of so many bytes each; as JSON all of them fit an event beside what else it says. */
enum {
	RESULT_KEYS_MAX = 32,
	RESULT_NAME_MAX = 40,
	RESULT_VALUE_MAX = 500,
	RESULT_JSON_MAX = 2400,
};

enum result_verdict {
	RESULT_TAKEN,
	RESULT_KNOWN, /* the same value already holds */
	RESULT_BAD_NAME,
	RESULT_BAD_VALUE,
	RESULT_TOO_MANY,
	RESULT_TOO_LONG,
	RESULT_VERDICT__N
};

/* Why it was not taken: "a name has 1 to 40 letters, digits and '_'". */
const char *result_verdict_words(enum result_verdict verdict);

/* What judging of a result alone says: TAKEN when its name and value may be. */
enum result_verdict result_judge(struct str name, struct str value);

/* Adds one. Dispatcher only; the slot is in use. */
enum result_verdict result_add(
	struct segment *seg, uint32_t slot, struct str name, struct str value);

/* All that has been told, for the two below. Borrowed; the dispatcher's alone, as it may change any time. */
struct str result_log(const struct segment *seg, uint32_t slot);

/* The value that holds. False when there is none. */
bool result_find(struct str log, struct str name, struct str *value);

/* {"digit":"5"}, each name once. */
void result_json(struct str log, struct strbuf *out);

/* None: before the slot is taken. */
void result_clear(struct segment *seg, uint32_t slot);

/* For shm_check. */
bool result_is_sane(const struct segment *seg, uint32_t slot);

#endif
