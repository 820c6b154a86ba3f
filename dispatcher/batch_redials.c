/* What a transaction says of entries that are called again: see batch_redials.h. */
#include "dispatcher/batch_redials.h"

#include "common/base.h"

static bool is_limited(const struct slot *slot)
{
	return slot->client && slot->client->number_limit;
}

static void take_full(void *arg, const struct rows *rows)
{
	struct batch *batch = arg;
	for (int r = 0; r < rows->n; r++)
		for (size_t i = 0; i < batch->arms.n; i++)
			if (batch->arms.v[i].entry_id == (uint64_t)row_i64(rows, r, 0))
				batch->arms.v[i].due_us = row_time(rows, r, 1);
}

void batch_send_number_days(struct dispatcher *d, struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	bool any = false;
#define LIMITED_COLUMN(oid, add, value)                                                            \
	do {                                                                                       \
		struct sql_array column_ = arg_array(&args, oid);                                  \
		for (size_t i = 0; i < batch->arms.n; i++) {                                       \
			const struct slot *slot = batch_slot(&batch->arms.v[i]);                   \
			if (!slot || !is_limited(slot))                                            \
				continue;                                                          \
			add(&column_, value);                                                      \
			any = true;                                                                \
		}                                                                                  \
		array_end(&column_);                                                               \
	} while (0)
	LIMITED_COLUMN(INT8OID, array_i64, (int64_t)slot->entry_id);
	if (any) {
		LIMITED_COLUMN(INT8OID, array_i64, (int64_t)slot->head->n);
		LIMITED_COLUMN(INT8OID, array_i64, (int64_t)slot->head->client_id);
		LIMITED_COLUMN(INT8OID, array_i64, (int64_t)slot->call->queue_master_id);
		LIMITED_COLUMN(TEXTOID, array_text, str_of(batch_number(slot->call)));
		LIMITED_COLUMN(INT8OID, array_i64, (int64_t)slot->client->number_limit);
		LIMITED_COLUMN(TIMESTAMPTZOID, array_time, slot->call->armed_us);
		stream_query(d->commits, SQL_NUMBER_DAYS_TAKE, &args, take_full, batch);
	}
#undef LIMITED_COLUMN
	args_free(&args);
}

static bool is_redialled(const struct batch_call *finish)
{
	return finish->slot->call->redial_us != 0;
}

void batch_send_redials(struct dispatcher *d, const struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	bool any = false;
#define REDIAL_COLUMN(oid, add, value)                                                             \
	do {                                                                                       \
		struct sql_array column_ = arg_array(&args, oid);                                  \
		for (size_t i = 0; i < batch->finishes.n; i++) {                                   \
			const struct slot *slot = batch->finishes.v[i].slot;                       \
			if (!is_redialled(&batch->finishes.v[i]))                                  \
				continue;                                                          \
			add(&column_, value);                                                      \
			any = true;                                                                \
		}                                                                                  \
		array_end(&column_);                                                               \
	} while (0)
	REDIAL_COLUMN(INT8OID, array_i64, (int64_t)slot->entry_id);
	REDIAL_COLUMN(INT8OID, array_i64, (int64_t)slot->head->client_id);
	REDIAL_COLUMN(INT8OID, array_i64, (int64_t)slot->call->queue_master_id);
	REDIAL_COLUMN(TIMESTAMPTZOID, array_time, slot->call->redial_us);
#undef REDIAL_COLUMN
	if (any)
		stream_query(d->commits, SQL_RETRY_ADD, &args, NULL, NULL);
	args_free(&args);
}

static bool has_waited(const struct batch_call *arm)
{
	const struct slot *slot = batch_slot(arm);
	return slot && (slot->call->seen & SEEN_WAITED);
}

void batch_send_settled(struct dispatcher *d, const struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct sql_array ids = arg_array(&args, INT8OID);
	bool any = false;
	for (size_t i = 0; i < batch->arms.n; i++)
		if (has_waited(&batch->arms.v[i])) {
			array_i64(&ids, (int64_t)batch->arms.v[i].entry_id);
			any = true;
		}
	for (size_t i = 0; i < batch->finishes.n; i++)
		if (batch->finishes.v[i].n == 0) {
			array_i64(&ids, (int64_t)batch->finishes.v[i].entry_id);
			any = true;
		}
	array_end(&ids);
	if (any)
		stream_query(d->commits, SQL_RETRY_SETTLE, &args, NULL, NULL);
	args_free(&args);
}
