/* What retention has erased: see retention.h. */
#include "registry/retention.h"

#include "common/base.h"

bool retention_list(struct db *db, struct rows *rows, struct err *err)
{
	return db_query(db, SQL_RETENTION_LIST, NULL, rows, err);
}
