/* Erasing a telephone number of one client: everywhere ccs keeps it, with a receipt.
 *
 * Entries lose number and custom_data, details and events the number, answers that are stored (of batches, and under an
 * Idempotency-Key) the same. What is counted stays: that there was a call, when, how long, how it ended. What waits is
 * withdrawn: the dispatcher does that, so it must run. A call that is in progress is not cut, and nothing is erased before it
 * has ended: whoever has to be called off at once hangs it up first.
 */
#ifndef CCS_REGISTRY_SUBJECT_H
#define CCS_REGISTRY_SUBJECT_H

#include "common/secret.h"
#include "common/token.h"
#include "registry/number.h"
#include "sql/db.h"

struct subject {
	char e164[NUMBER_MAX_DIGITS + 1];   /* digits; "" when no plan knows it */
	char number[NUMBER_MAX_DIGITS + 2]; /* as it is dialled */
	char masked[NUMBER_MAX_DIGITS + 2]; /* all but the last four digits as stars */
};

/* A number as somebody writes it, in this region. Fails with INPUT, code invalid_number. */
MUST_USE bool subject_read(
	struct str given, const char *region, struct subject *subject, struct err *err);

struct subject_wish {
	uint64_t client_id;
	const char *accountcode;
	const char *actor; /* for the audit */
	const char *by;	   /* by which credential, or NULL */
};

struct subject_receipt {
	uint64_t withdrawn; /* entries that waited */
	uint64_t entries, details, events, batches, answers;
	struct digest
		mac; /* of the E.164 digits, by the key for secrets: the number cannot be read from it, but held against it */
};

/* All of it or nothing, but for the withdrawal. CONFLICT (call_in_progress) while a call to the number is under way, BUSY when
 * the dispatcher does not withdraw what waits within some seconds: it will, and whoever asks again goes on there. db may be
 * ccs_api's or the owner's. */
MUST_USE bool subject_erase(struct db *db, const struct secret_key *key,
	const struct subject *subject, const struct subject_wish *wish,
	struct subject_receipt *receipt, struct err *err);

#endif
