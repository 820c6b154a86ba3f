/* What a violated constraint of the schema means to whoever sent the data. */
#ifndef CCS_REGISTRY_EXPLAIN_H
#define CCS_REGISTRY_EXPLAIN_H

#include "sql/db.h"

/* After a failed statement: replaces PostgreSQL's words in err by ours where the constraint is
 * known. Returns false. */
bool explain_constraint(const struct db *db, struct err *err);

#endif
