/* Brings the schema to the version that this program was built with: numbered files, forward
 * only, each in a transaction of its own, one migrator at a time. */
#ifndef CCS_SQL_MIGRATE_H
#define CCS_SQL_MIGRATE_H

#include "sql/db.h"

/* Called after each migration's commit. */
typedef void migrate_report_fn(void *arg, int number, const char *name);

/* Applies what is missing, then makes this week's partitions. As the owner. Refuses (CONFLICT) a
 * database that a newer ccs has made. applied: how many were. */
MUST_USE bool migrate(
	struct db *db, migrate_report_fn *report, void *arg, int *applied, struct err *err);

/* Which migration came last; 0 in an empty database. */
MUST_USE bool migrate_version(struct db *db, int *number, struct err *err);

/* The schema is the one this program was built with; else BUSY, and the text says what to do. */
MUST_USE bool migrate_check(struct db *db, struct err *err);

#endif
