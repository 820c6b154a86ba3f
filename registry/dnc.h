/* Do-not-call lists (migration 0032): everybody's, one of each client, one of each batch. HTTP's and ccsctl's.
 *
 * A number is kept as entries are compared by: E.164 digits; or, for a client whose numbers are checked by syntax only, the
 * digits that it sends, because nothing else is known of those. Adding what is there, or removing what is not, changes nothing.
 * Each change is recorded in the audit, which has numbers only as keyed digests. What is added is taken back even where it is
 * journalled ahead: the caller announces the control row.
 */
#ifndef CCS_REGISTRY_DNC_H
#define CCS_REGISTRY_DNC_H

#include "common/secret.h"
#include "registry/number.h"
#include "shm/layout.h"
#include "sql/db.h"

enum { DNC_NUMBERS_MAX = 1000, DNC_PART_ROWS = 5000 };

/* Columns of dnc_part. */
enum dnc_column { DNC_NUMBER, DNC_SOURCE, DNC_ADDED_BY, DNC_ADDED_AT };

struct dnc_list {
	uint64_t client_id;	 /* 0: everybody's */
	uint64_t queue_id;	 /* 0: no batch's */
	const char *accountcode; /* for the audit; "-": everybody's */
};

/* A number as a list has it: digits, terminated. */
typedef char dnc_digits[NUMBER_MAX_DIGITS + 1];

/* Who changes it, and how he came to. */
struct dnc_act {
	const char *actor;		  /* as audit.actor */
	const char *source;		  /* api, file, operator */
	const struct secret_key *mac_key; /* NULL: the audit tells how many, not which */
};

struct dnc_state {
	uint64_t changed; /* numbers that were added or removed */
	uint64_t version; /* 0: nothing was ever on it */
	uint64_t numbers;
	int64_t changed_us;  /* of dnc_head: INT64_MIN = never */
	uint64_t control_id; /* 0: nobody has to be told */
};

/* INPUT with code invalid_number, its text the end of a sentence about the number. */
MUST_USE bool dnc_read(
	const struct number_rules *rules, struct str given, dnc_digits digits, struct err *err);

/* As rules for everybody's list: no region, so that the country must be written. */
struct number_rules dnc_rules_of_all(void);

/* Some numbers, all of them or none: one transaction. */
MUST_USE bool dnc_add(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err);
MUST_USE bool dnc_remove(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err);

/* The same without a transaction and without the audit, for files: dnc_load.h. */
MUST_USE bool dnc_put(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err);
MUST_USE bool dnc_record(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const char *action, const dnc_digits *numbers, size_t n, uint64_t changed, struct err *err);

/* What there is to say of the list as a whole. */
MUST_USE bool dnc_head(
	struct db *db, const struct dnc_list *list, struct dnc_state *state, struct err *err);

/* Part of a list, in order of its numbers. */
struct dnc_part {
	const char *after; /* numbers behind this one; "": from the first */
	uint64_t limit, offset;
	const char *number; /* this one alone; NULL: any */
};
MUST_USE bool dnc_part(struct db *db, const struct dnc_list *list, const struct dnc_part *part,
	struct rows *rows, struct err *err);

/* How many of these numbers of new entries are on a list that holds for them. */
MUST_USE bool dnc_count(struct db *db, uint64_t client_id, uint64_t queue_id,
	const struct number *const *numbers, size_t n, uint64_t *listed, struct err *err);

/* What an entry with this number is compared by. */
struct str dnc_key(const struct number *number);

/* New entries, which the transaction under way has copied, end when they are on a list. */
struct dnc_chunk {
	uint64_t id;
	uint64_t batch_id; /* of the request: its answer tells how many they were */
};
typedef void dnc_ended_fn(void *arg, uint64_t batch_id, uint64_t n);
MUST_USE bool dnc_end(struct db *db, uint64_t client_id, const struct dnc_chunk *chunks, size_t n,
	dnc_ended_fn *fn, void *arg, struct err *err);

#endif
