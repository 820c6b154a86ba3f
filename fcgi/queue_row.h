/* A batch (the document's queue master) as lists and the batch itself show it. */
#ifndef CCS_FCGI_QUEUE_ROW_H
#define CCS_FCGI_QUEUE_ROW_H

#include "fcgi/live.h"
#include "fcgi/put.h"
#include "sql/rows.h"

struct queue_row {
	uint64_t id;
	uint64_t batch_id;
	uint64_t entries;
	uint64_t counts[STATE__N]; /* they sum up to entries */
};

/* One row of queue_masters_load, with what is live of it. */
void queue_row_read(
	const struct rows *rows, int row, const struct live *live, struct queue_row *out);

/* The same as a JSON object, with its settings and their version, which its ETag is. */
MUST_USE bool put_queue_row(struct strbuf *sb, const struct rows *rows, int row,
	const struct live *live, struct err *err);
uint64_t queue_row_version(const struct rows *rows, int row);

/* The batches with these ids, by id. */
MUST_USE bool queue_rows_load(struct app *app, uint64_t client_id, const uint64_t *ids, size_t n,
	struct rows *rows, struct err *err);

/* The id of the client's batch of this batch_id; or_id: or of the one whose own id it is, which goes
 * before. not_yours when there is none. */
MUST_USE bool own_queue(struct app *app, const struct req *req, uint64_t number, bool or_id,
	uint64_t *id, struct err *err);

#endif
