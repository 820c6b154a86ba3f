/* The audit: who did what to whom, when, from where. Written by change_record (registry/change.h) and by statements that
 * record themselves; each row is a link of a chain (migration 0017), so that what is changed afterwards is found.
 *
 * What the chain cannot show by itself is that its newest links were removed, or that all links from some row on were made
 * anew by somebody who owns the database. Both show against an anchor: a position and its hash, written down elsewhere.
 */
#ifndef CCS_REGISTRY_AUDIT_H
#define CCS_REGISTRY_AUDIT_H

#include "registry/anchor.h"
#include "registry/field.h"
#include "sql/db.h"

struct audit_filter {
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "registry/audit.def"
#undef NUMBER
#undef TEXT
};
extern const struct field audit_fields[];
extern const size_t audit_fields_n;

/* The last ones first, at most most, behind the first skipped ones. Columns: position, at, actor, action, subject, detail (JSON), address (null: from the
 * shell of a machine, or not known). For the owner's connection or ccs_admin's. */
MUST_USE bool audit_list(struct db *db, const struct audit_filter *filter, int64_t most,
	int64_t skipped, struct rows *rows, struct err *err);

/* How many of them there are, wherever they stand. */
MUST_USE bool audit_count(
	struct db *db, const struct audit_filter *filter, uint64_t *n, struct err *err);

/* Computes every link again, in constant memory; for the owner's connection. known (position 0: none) is an anchor that was kept; head becomes the last
 * link, which is the next anchor. CONFLICT says what does not fit, and where. */
MUST_USE bool audit_verify(
	struct db *db, const struct anchor *known, struct anchor *head, struct err *err);

#endif
