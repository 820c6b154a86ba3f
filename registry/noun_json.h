/* Clients, users, servers and allocations as JSON, as administrators see them: by HTTP and by ccsctl alike. No secret is in any of
 * them. Each reads a row of its list (sql/queries/admin.sql). */
#ifndef CCS_REGISTRY_NOUN_JSON_H
#define CCS_REGISTRY_NOUN_JSON_H

#include <jansson.h>

#include "common/err.h"
#include "sql/rows.h"

/* NULL when the row does not fit: never, as the schema's checks are narrower. */
typedef json_t *shown_fn(const struct rows *rows, int row, struct err *err);
shown_fn client_shown, user_shown, server_shown, allocation_shown;

/* Where client_list has what stands behind CLIENT_COLUMNS. */
enum {
	SHOWN_NUMBER_CHECK = 20,
	SHOWN_REGIONS,
	SHOWN_TYPES,
	SHOWN_DAYS,
	SHOWN_CALLEE_ZONE,
	SHOWN_HOLIDAYS,
	SHOWN_IS_TEST,
	SHOWN_OPENS,
	SHOWN_CLOSES,
	SHOWN_USERS,
	SHOWN_KEYS,
	SHOWN_CAPS,
	SHOWN_RETENTION,
	SHOWN_RETRY,
	SHOWN_ATTEMPTS_A_DAY,
	SHOWN_HAS_ASYNC,
	SHOWN_HAS_SYNC,
	SHOWN_CLIENT_VERSION,
	SHOWN_RECORD,
	SHOWN_AMD,
	SHOWN_CONTEXTS,
	SHOWN_CLIENT_TOTAL
};

/* A JSON list of a text[] column. */
json_t *out_list(const struct rows *rows, int row, int column);

/* The words of a text, which blanks separate. */
json_t *out_words(struct str text);

/* text, or null when it is empty. */
json_t *out_text(struct str text);

/* "2026-11-22T09:00:00Z"; null for no time and for infinity. */
json_t *out_time(int64_t wall_us);

#endif
