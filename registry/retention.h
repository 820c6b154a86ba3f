/* How long numbers are kept: client.retention_days. The dispatcher erases what is due (migration 0024, dispatcher/chores.c);
 * here is what it has done. */
#ifndef CCS_REGISTRY_RETENTION_H
#define CCS_REGISTRY_RETENTION_H

#include "sql/db.h"

/* Clients whose numbers are not kept for ever. Columns: accountcode, days, entries and batches erased so far, the latest end
 * among these (null: none), when the last ones were erased (null: never), entries that are due. For the owner's connection. */
MUST_USE bool retention_list(struct db *db, struct rows *rows, struct err *err);

#endif
