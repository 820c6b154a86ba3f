/* What one transaction holds and how it is told to PostgreSQL: see batch.h. */
#include <stdlib.h>

#include "common/log.h"
#include "dispatcher/batch.h"
#include "dispatcher/batch_redials.h"
#include "dispatcher/call_id.h"
#include "dispatcher/call_result.h"
#include "dispatcher/disposition.h"
#include "dispatcher/dnc.h"
#include "dispatcher/recording.h"

#include "common/base.h"

static void *grown(void *v, size_t *cap, size_t size)
{
	*cap = MAX(*cap * 2, (size_t)64);
	v = reallocarray(v, *cap, size);
	if (!v)
		die("memory.exhausted", "bytes=%zu", *cap * size);
	return v;
}

#define LIST_ADD(list, ...)                                                                        \
	do {                                                                                       \
		if ((list).n == (list).cap)                                                        \
			(list).v = grown((list).v, &(list).cap, sizeof(*(list).v));                \
		(list).v[(list).n++] = __VA_ARGS__;                                                \
	} while (0)

void batch_reset(struct batch *batch)
{
	batch->opt_outs.n = batch->arms.n = batch->withdraws.n = batch->cancels.n =
		batch->finishes.n = batch->events.n = batch->closes.n = batch->controls.n = 0;
	strbuf_reset(&batch->payloads);
	batch->again = false;
}

void batch_free(struct batch *batch)
{
	free(batch->opt_outs.v);
	free(batch->arms.v);
	free(batch->withdraws.v);
	free(batch->cancels.v);
	free(batch->finishes.v);
	free(batch->events.v);
	free(batch->closes.v);
	free(batch->controls.v);
	strbuf_free(&batch->payloads);
}

size_t batch_pieces(const struct batch *batch)
{
	return batch->opt_outs.n + batch->arms.n + batch->withdraws.n + batch->cancels.n +
	       batch->finishes.n + batch->events.n + batch->closes.n + batch->controls.n;
}

bool batch_is_empty(const struct batch *batch)
{
	return batch_pieces(batch) == 0;
}

void batch_add_arm(struct batch *batch, struct slot *slot)
{
	LIST_ADD(batch->arms,
		(struct batch_call){slot, slot->entry_id, slot->head->n, false, DNC_NONE, 0});
}

void batch_add_withdraw(struct batch *batch, struct slot *slot)
{
	LIST_ADD(batch->withdraws,
		(struct batch_call){slot, slot->entry_id, slot->head->n, false, DNC_NONE, 0});
}

void batch_add_cancel(struct batch *batch, struct batch_cancel cancel)
{
	LIST_ADD(batch->cancels, cancel);
}

void batch_add_opt_out(struct batch *batch, const struct slot *slot)
{
	struct batch_opt_out out = {slot->head->client_id, slot->entry_id, slot->head->n, ""};

	if (!str_copy(out.number, sizeof(out.number), dnc_number(slot->call)))
		die("dnc.number", "entry=%llu", (unsigned long long)slot->entry_id);
	LIST_ADD(batch->opt_outs, out);
}

void batch_add_finish(struct batch *batch, struct slot *slot)
{
	LIST_ADD(batch->finishes,
		(struct batch_call){slot, slot->entry_id, slot->head->n, false, DNC_NONE, 0});
}

void batch_add_event(struct batch *batch, const struct batch_event *event, struct str payload)
{
	struct batch_event e = *event;
	e.payload_at = batch->payloads.n;
	e.payload_n = payload.n;
	strbuf_str(&batch->payloads, payload);
	LIST_ADD(batch->events, e);
}

void batch_add_close(struct batch *batch, uint64_t chunk_id)
{
	LIST_ADD(batch->closes, (struct batch_id){chunk_id, false});
}

void batch_add_control(struct batch *batch, uint64_t control_id)
{
	LIST_ADD(batch->controls, (struct batch_id){control_id, false});
}

static struct str payload_of(const struct batch *batch, const struct batch_event *e)
{
	return (struct str){batch->payloads.p + e->payload_at, e->payload_n};
}

void batch_move(struct batch *to, struct batch *from)
{
	for (size_t i = 0; i < from->opt_outs.n; i++)
		LIST_ADD(to->opt_outs, from->opt_outs.v[i]);
	for (size_t i = 0; i < from->arms.n; i++)
		LIST_ADD(to->arms, from->arms.v[i]);
	for (size_t i = 0; i < from->withdraws.n; i++)
		LIST_ADD(to->withdraws, from->withdraws.v[i]);
	for (size_t i = 0; i < from->cancels.n; i++)
		LIST_ADD(to->cancels, from->cancels.v[i]);
	for (size_t i = 0; i < from->finishes.n; i++)
		LIST_ADD(to->finishes, from->finishes.v[i]);
	for (size_t i = 0; i < from->events.n; i++)
		batch_add_event(to, &from->events.v[i], payload_of(from, &from->events.v[i]));
	for (size_t i = 0; i < from->closes.n; i++)
		LIST_ADD(to->closes, from->closes.v[i]);
	for (size_t i = 0; i < from->controls.n; i++)
		LIST_ADD(to->controls, from->controls.v[i]);
	to->again = to->again || from->again;
	batch_reset(from);
}

void batch_take_piece(struct batch *to, struct batch *from)
{
	to->again = from->again;
	if (from->opt_outs.n)
		LIST_ADD(to->opt_outs, from->opt_outs.v[--from->opt_outs.n]);
	else if (from->arms.n)
		LIST_ADD(to->arms, from->arms.v[--from->arms.n]);
	else if (from->withdraws.n)
		LIST_ADD(to->withdraws, from->withdraws.v[--from->withdraws.n]);
	else if (from->cancels.n)
		LIST_ADD(to->cancels, from->cancels.v[--from->cancels.n]);
	else if (from->finishes.n)
		LIST_ADD(to->finishes, from->finishes.v[--from->finishes.n]);
	else if (from->events.n) {
		from->events.n--;
		batch_add_event(to, &from->events.v[from->events.n],
			payload_of(from, &from->events.v[from->events.n]));
	} else if (from->closes.n)
		LIST_ADD(to->closes, from->closes.v[--from->closes.n]);
	else if (from->controls.n)
		LIST_ADD(to->controls, from->controls.v[--from->controls.n]);
}

/* ---- statements ---- */

static void send_opt_outs(struct dispatcher *d, const struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	char call_id[AMI_CALL_ID_CHARS + 1];
	struct sql_array clients = arg_array(&args, INT8OID);
	for (size_t i = 0; i < batch->opt_outs.n; i++)
		array_i64(&clients, (int64_t)batch->opt_outs.v[i].client_id);
	array_end(&clients);
	struct sql_array numbers = arg_array(&args, TEXTOID);
	for (size_t i = 0; i < batch->opt_outs.n; i++)
		array_text(&numbers, str_of(batch->opt_outs.v[i].number));
	array_end(&numbers);
	struct sql_array calls = arg_array(&args, TEXTOID);
	for (size_t i = 0; i < batch->opt_outs.n; i++) {
		call_id_of(batch->opt_outs.v[i].entry_id, batch->opt_outs.v[i].n, call_id);
		array_text(&calls, str_of(call_id));
	}
	array_end(&calls);
	stream_query(d->commits, SQL_OPT_OUT, &args, NULL, NULL);
	args_free(&args);
}

static void send_claims(struct dispatcher *d, const struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	bool any = false;
	arg_text(&args, str_of(d->conf->common_node));
	arg_i64(&args, (int64_t)d->epoch);
	struct sql_array ids = arg_array(&args, INT8OID);
	for (size_t i = 0; i < batch->arms.n; i++) {
		struct slot *slot = batch_slot(&batch->arms.v[i]);
		if (!slot || !slot->chunk || slot->chunk->claimed)
			continue;
		array_i64(&ids, (int64_t)slot->chunk->id);
		any = true;
	}
	array_end(&ids);
	if (any)
		stream_query(d->commits, SQL_CHUNK_CLAIM, &args, NULL, NULL);
	args_free(&args);
}

/* PostgreSQL answers in the order that it was asked, as a rule: each is looked for behind the one before. */
static void take_armed(void *arg, const struct rows *rows)
{
	struct batch *batch = arg;
	size_t at = 0, n = batch->arms.n;
	for (int r = 0; r < rows->n; r++) {
		uint64_t entry_id = (uint64_t)row_i64(rows, r, 0);
		uint32_t attempt = (uint32_t)row_i64(rows, r, 1);
		for (size_t tried = 0; tried < n; tried++, at++) {
			struct batch_call *arm = &batch->arms.v[at % n];
			if (arm->entry_id != entry_id || arm->n != attempt)
				continue;
			arm->listed = dnc_list_of(row_text(rows, r, 2));
			arm->done = arm->listed == DNC_NONE;
			break;
		}
	}
}

/* Column by column, as unnest wants them. */
#define COLUMN(args, oid, list, add, value)                                                        \
	do {                                                                                       \
		struct sql_array column_ = arg_array(args, oid);                                   \
		for (size_t i_ = 0; i_ < (list).n; i_++) {                                         \
			const struct slot *slot = (list).v[i_].slot;                               \
			const struct shm_call *call = slot->call;                                  \
			(void)call;                                                                \
			add(&column_, value);                                                      \
		}                                                                                  \
		array_end(&column_);                                                               \
	} while (0)

static void array_id_or_null(struct sql_array *array, uint64_t id)
{
	if (id)
		array_i64(array, (int64_t)id);
	else
		array_null(array);
}

/* What the ledger calls the numbers of these calls; of those that were not refused nothing, when only refused ones count. */
static void add_pseudonyms(struct sql_args *args, const struct dispatcher *d,
	const struct batch_call *calls, size_t n, bool only_refused)
{
	char pseudonym[PSEUDONYM_BYTES];
	struct sql_array column = arg_array(args, TEXTOID);

	for (size_t i = 0; i < n; i++) {
		const struct shm_call *call = calls[i].slot->call;
		if (only_refused && call->disposition != DISPOSITION_SUPPRESSED &&
			call->disposition != DISPOSITION_EXPIRED) {
			array_null(&column);
			continue;
		}
		secret_pseudonym(&d->secret_key, dnc_number(call), pseudonym);
		array_text(&column, str_of(pseudonym));
	}
	array_end(&column);
}

static void send_arms(struct dispatcher *d, struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	for (size_t i = 0; i < batch->arms.n;
		i++) { /* what an earlier try was told may not have been committed */
		batch->arms.v[i].done = false;
		batch->arms.v[i].listed = DNC_NONE;
	}
	arg_text(&args, str_of(d->conf->common_node));
	arg_i64(&args, (int64_t)d->epoch);
	COLUMN(&args, INT8OID, batch->arms, array_i64, (int64_t)slot->entry_id);
	COLUMN(&args, INT8OID, batch->arms, array_i64, (int64_t)slot->head->n);
	COLUMN(&args, INT8OID, batch->arms, array_i64, (int64_t)slot->head->client_id);
	COLUMN(&args, INT8OID, batch->arms, array_id_or_null, call->queue_master_id);
	COLUMN(&args, INT8OID, batch->arms, array_i64, (int64_t)slot->head->server_id);
	COLUMN(&args, TEXTOID, batch->arms, array_text, str_of(call->did));
	COLUMN(&args, TIMESTAMPTZOID, batch->arms, array_time, call->armed_us);
	char region[REGION_TEXT_BYTES];
	COLUMN(&args, TEXTOID, batch->arms, array_text,
		str_of(region_text(call->plan.region, region)));
	COLUMN(&args, TEXTOID, batch->arms, array_text, dnc_number(call));
	add_pseudonyms(&args, d, batch->arms.v, batch->arms.n, false);
	stream_query(d->commits, SQL_ATTEMPT_ARM, &args, take_armed, batch);
	args_free(&args);
}

/* With the moment in which each was planned: another plan of the same attempt is another row. */
static void send_withdraws(struct dispatcher *d, const struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	COLUMN(&args, INT8OID, batch->withdraws, array_i64, (int64_t)slot->entry_id);
	COLUMN(&args, INT8OID, batch->withdraws, array_i64, (int64_t)slot->head->n);
	COLUMN(&args, TIMESTAMPTZOID, batch->withdraws, array_time, call->armed_us);
	stream_query(d->commits, SQL_ATTEMPT_WITHDRAW, &args, NULL, NULL);
	args_free(&args);
}

static void send_cancels(struct dispatcher *d, const struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
#define CANCEL_COLUMN(oid, add, type, member)                                                      \
	do {                                                                                       \
		struct sql_array column_ = arg_array(&args, oid);                                  \
		for (size_t i = 0; i < batch->cancels.n; i++)                                      \
			add(&column_, (type)batch->cancels.v[i].member);                           \
		array_end(&column_);                                                               \
	} while (0)
	CANCEL_COLUMN(INT8OID, array_i64, int64_t, client_id);
	CANCEL_COLUMN(INT8OID, array_i64, int64_t, first);
	CANCEL_COLUMN(INT8OID, array_i64, int64_t, last);
	CANCEL_COLUMN(BOOLOID, array_bool, bool, is_expired);
#undef CANCEL_COLUMN
	arg_text(&args, str_of(d->conf->common_node));
	stream_query(d->commits, SQL_ENTRIES_CANCEL, &args, NULL, NULL);
	args_free(&args);
}

static int64_t started_us(const struct shm_call *call)
{
	return call->sent_us ? call->sent_us : call->armed_us;
}

static int64_t time_or_null(int64_t us)
{
	return us ? us : INT64_MIN;
}

static int64_t span_ms(int64_t from_us, int64_t to_us)
{
	return from_us && to_us > from_us ? (to_us - from_us) / 1000 : 0;
}

static void array_cause(struct sql_array *array, uint32_t cause)
{
	if (cause)
		array_i64(array, (int64_t)cause);
	else
		array_null(array);
}

/* Null: it was the last. */
static void array_left(struct sql_array *array, const struct shm_call *call)
{
	if (call->seen & SEEN_NOT_FINAL)
		array_i64(array, call->attempts_left);
	else
		array_null(array);
}

static struct str text_or_null(const char *text)
{
	return str_of(*text ? text : NULL);
}

static struct str recording_of(const struct slot *slot, char path[RECORDING_PATH_BYTES])
{
	return str_of(recording_path(slot, path));
}

static void add_results(
	struct sql_args *args, const struct dispatcher *d, const struct batch *batch)
{
	struct strbuf json = STRBUF_INIT;
	struct sql_array column = arg_array(args, TEXTOID);

	for (size_t i = 0; i < batch->finishes.n; i++) {
		strbuf_reset(&json);
		call_result_json(d, batch->finishes.v[i].slot, &json);
		if (str_eq(strbuf_view(&json), STR("null")))
			array_null(&column);
		else
			array_text(&column, strbuf_view(&json));
	}
	array_end(&column);
	strbuf_free(&json);
}

static void send_finishes(struct dispatcher *d, struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	COLUMN(&args, INT8OID, batch->finishes, array_i64, (int64_t)slot->entry_id);
	COLUMN(&args, INT8OID, batch->finishes, array_i64, (int64_t)slot->head->n);
	COLUMN(&args, INT8OID, batch->finishes, array_i64, (int64_t)slot->head->client_id);
	COLUMN(&args, INT8OID, batch->finishes, array_id_or_null, call->queue_master_id);
	COLUMN(&args, INT8OID, batch->finishes, array_id_or_null, slot->head->server_id);
	COLUMN(&args, TEXTOID, batch->finishes, array_text, text_or_null(call->did));
	COLUMN(&args, TEXTOID, batch->finishes, array_text,
		str_of(disposition_name((enum disposition)call->disposition)));
	COLUMN(&args, INT8OID, batch->finishes, array_cause, call->hangup_cause);
	COLUMN(&args, TEXTOID, batch->finishes, array_text, str_of(call->reason));
	COLUMN(&args, INT8OID, batch->finishes, array_left, call);
	COLUMN(&args, BOOLOID, batch->finishes, array_bool, (call->seen & SEEN_ESTIMATED) != 0);
	COLUMN(&args, TIMESTAMPTZOID, batch->finishes, array_time, started_us(call));
	COLUMN(&args, TIMESTAMPTZOID, batch->finishes, array_time, time_or_null(call->answered_us));
	COLUMN(&args, TIMESTAMPTZOID, batch->finishes, array_time, call->ended_us);
	COLUMN(&args, INT8OID, batch->finishes, array_i64,
		span_ms(started_us(call), call->ended_us));
	COLUMN(&args, INT8OID, batch->finishes, array_i64,
		span_ms(call->answered_us, call->ended_us));
	COLUMN(&args, TEXTOID, batch->finishes, array_text, str_of(batch_number(call)));
	COLUMN(&args, TEXTOID, batch->finishes, array_text, str_of(call_answered_by(d, slot)));
	add_results(&args, d, batch);
	COLUMN(&args, BOOLOID, batch->finishes, array_bool, (call->seen & SEEN_OPTED_OUT) != 0);
	char path[RECORDING_PATH_BYTES];
	COLUMN(&args, TEXTOID, batch->finishes, array_text, recording_of(slot, path));
	add_pseudonyms(&args, d, batch->finishes.v, batch->finishes.n, true);
	arg_text(&args, str_of(d->conf->common_node));
	stream_query(d->commits, SQL_DETAIL_FINISH, &args, NULL, NULL);
	args_free(&args);
}

/* position, client, type, time, entry, attempt of the events that are not stored yet. */
static bool event_columns(struct sql_args *args, const struct batch *batch)
{
	bool any = false;
#define EVENT_COLUMN(oid, add, value)                                                              \
	do {                                                                                       \
		struct sql_array column_ = arg_array(args, oid);                                   \
		for (size_t i = 0; i < batch->events.n; i++) {                                     \
			const struct batch_event *e = &batch->events.v[i];                         \
			if (e->known)                                                              \
				continue;                                                          \
			add(&column_, value);                                                      \
			any = true;                                                                \
		}                                                                                  \
		array_end(&column_);                                                               \
	} while (0)
	EVENT_COLUMN(INT8OID, array_i64, (int64_t)i);
	EVENT_COLUMN(INT8OID, array_i64, (int64_t)e->client_id);
	EVENT_COLUMN(TEXTOID, array_text, str_of(event_type_name(e->type)));
	EVENT_COLUMN(TIMESTAMPTZOID, array_time, e->occurred_us);
	EVENT_COLUMN(INT8OID, array_i64, (int64_t)e->entry_id);
	EVENT_COLUMN(INT8OID, array_i64, (int64_t)e->n);
#undef EVENT_COLUMN
	return any;
}

static void take_seqs(void *arg, const struct rows *rows)
{
	struct batch *batch = arg;
	for (int r = 0; r < rows->n; r++) {
		size_t i = (size_t)row_i64(rows, r, 0);
		if (i < batch->events.n)
			batch->events.v[i].seq = (uint64_t)row_i64(rows, r, 1);
	}
}

static void send_events(struct dispatcher *d, struct batch *batch)
{
	struct sql_args args = SQL_ARGS_INIT;
	if (event_columns(&args, batch)) {
		struct sql_array payloads = arg_array(&args, TEXTOID);
		for (size_t i = 0; i < batch->events.n; i++)
			if (!batch->events.v[i].known)
				array_text(&payloads, payload_of(batch, &batch->events.v[i]));
		array_end(&payloads);
		stream_query(d->commits, SQL_EVENT_APPEND, &args, take_seqs, batch);
	}
	args_free(&args);
}

static void send_ids(struct dispatcher *d, enum sql_query query, const struct batch_id *ids,
	size_t n, stream_rows_fn *fn, void *arg)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct sql_array array = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&array, (int64_t)ids[i].id);
	array_end(&array);
	stream_query(d->commits, query, &args, fn, arg);
	args_free(&args);
}

static void take_closed(void *arg, const struct rows *rows)
{
	struct batch *batch = arg;
	for (int r = 0; r < rows->n; r++)
		for (size_t i = 0; i < batch->closes.n; i++)
			if (batch->closes.v[i].id == (uint64_t)row_i64(rows, r, 0))
				batch->closes.v[i].done = true;
}

void batch_send(struct dispatcher *d, struct batch *batch, stream_end_fn *end, void *arg)
{
	if (batch->opt_outs.n) /* before the arms, which ask the lists */
		send_opt_outs(d, batch);
	if (batch->arms.n) {
		send_claims(d, batch);
		batch_send_number_days(d, batch);
		send_arms(d, batch);
	}
	if (batch->withdraws.n)
		send_withdraws(d, batch);
	if (batch->cancels
			.n) /* after both: what is armed is no longer canceled, what is withdrawn may be */
		send_cancels(d, batch);
	if (batch->finishes.n) {
		send_finishes(d, batch);
		batch_send_redials(d, batch);
	}
	if (batch->arms.n || batch->finishes.n)
		batch_send_settled(d, batch);
	if (batch->events.n)
		send_events(d, batch);
	if (batch->closes.n)
		send_ids(d, SQL_CHUNK_CLOSE, batch->closes.v, batch->closes.n, take_closed, batch);
	if (batch->closes.n && d->redials)
		send_ids(d, SQL_CHUNK_REST, batch->closes.v, batch->closes.n, take_closed, batch);
	if (batch->controls.n)
		send_ids(d, SQL_CONTROL_DONE, batch->controls.v, batch->controls.n, NULL, NULL);
	stream_end(d->commits, end, arg);
}

static void take_known(void *arg, const struct rows *rows)
{
	struct batch *batch = arg;
	take_seqs(batch, rows);
	for (size_t i = 0; i < batch->events.n; i++)
		batch->events.v[i].known = batch->events.v[i].seq != 0;
}

void batch_look_up_events(struct dispatcher *d, struct batch *batch, stream_end_fn *end, void *arg)
{
	struct sql_args args = SQL_ARGS_INIT;
	if (event_columns(&args, batch))
		stream_query(d->commits, SQL_EVENTS_KNOWN, &args, take_known, batch);
	stream_end(d->commits, end, arg);
	args_free(&args);
}
