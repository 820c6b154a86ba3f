/* Outcomes on their way to PostgreSQL: see settle.h. */
#include "courier/settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "courier/backoff.h"
#include "courier/hook.h"
#include "courier/life.h"

#include "common/base.h"

enum outcome { OUTCOME_DELIVERED, OUTCOME_RETRY, OUTCOME_DEAD, OUTCOME_BEHIND };

static const char *const outcome_names[] = {"delivered", "retry", "dead", "retry"};

enum { ERROR_BYTES = 160 };

struct result {
	enum outcome outcome;
	uint64_t client_id;
	int64_t seq;
	uint64_t entry_id;
	unsigned attempts; /* so far, this one included */
	int64_t at_us;
	int64_t first_us;
	int64_t due_us;
	int64_t ms;
	int status;
	bool was_sent;
	bool is_retry;
	struct item *item; /* of those sent again: freed when this is committed; else NULL */
	char error[ERROR_BYTES];
};

struct results {
	struct result *v;
	size_t n, cap;
};

struct settle {
	struct results open;   /* gathers */
	struct results flight; /* on its way */
	bool sent;
	bool is_void; /* what is on its way is about items that were forgotten */
};

struct settle *settle_new(void)
{
	struct settle *settle = calloc(1, sizeof(*settle));
	if (!settle)
		die("memory.exhausted", "bytes=%zu", sizeof(*settle));
	return settle;
}

void settle_free(struct settle *settle)
{
	free(settle->open.v);
	free(settle->flight.v);
	free(settle);
}

/* ---- gathering ---- */

static struct result *add(struct courier *c, struct item *item, enum outcome outcome)
{
	struct results *results = &c->settle->open;
	if (results->n == results->cap) {
		results->cap = results->cap ? results->cap * 2 : 64;
		results->v = reallocarray(results->v, results->cap, sizeof(*results->v));
		if (!results->v)
			die("memory.exhausted", "results=%zu", results->cap);
	}
	struct result *result = &results->v[results->n++];
	*result = (struct result){
		.outcome = outcome,
		.client_id = item->hook->client_id,
		.seq = item->seq,
		.entry_id = item->entry_id,
		.attempts = item->attempts,
		.at_us = c->now_us,
		.first_us = item->first_us,
		.due_us = c->now_us,
		.is_retry = item->is_retry,
		.item = item->is_retry ? item : NULL,
	};
	return result;
}

static void put_behind(struct courier *c, struct item *item)
{
	struct result *result = add(c, item, OUTCOME_BEHIND);
	item->hook->retry_due_us = MIN(item->hook->retry_due_us, result->due_us);
	item_is_done(c, item);
}

/* All of the call that does not fly goes to webhook_retry, and what comes later, too. */
static void move_chain(struct courier *c, struct chain *chain)
{
	struct item *item, *next;
	if (!chain || chain->moved)
		return;
	chain->moved = true;
	chain->moved_in = c->settlements + 1;
	for (item = chain->items; item; item = next) {
		next = item->chain_next;
		if (item->state != ITEM_FLYING)
			put_behind(c, item);
	}
}

static void tell(struct result *result, const struct attempt *attempt)
{
	result->was_sent = true;
	result->attempts++;
	result->at_us = attempt->at_us;
	result->ms = attempt->ms;
	result->status = attempt->status;
	if (attempt->error)
		(void)snprintf(result->error, sizeof(result->error), "%s", attempt->error);
}

void settle_delivered(struct courier *c, struct item *item, const struct attempt *attempt)
{
	tell(add(c, item, OUTCOME_DELIVERED), attempt);
	c->delivered++;
	item_is_done(c, item);
}

static void die_of_it(struct courier *c, struct item *item, const struct attempt *attempt)
{
	tell(add(c, item, OUTCOME_DEAD), attempt);
	item_is_done(c, item);
}

void settle_failed(struct courier *c, struct item *item, const struct attempt *attempt)
{
	int64_t give_up_us = item->first_us + c->conf->courier_give_up_seconds * US_PER_S;

	c->failed++;
	if (item->seq < 0 || c->now_us >= give_up_us) {
		die_of_it(c, item, attempt);
		return;
	}
	struct result *result = add(c, item, OUTCOME_RETRY);
	tell(result, attempt);
	int64_t pause_us =
		backoff_us(result->attempts, c->conf->courier_retry_ms * US_PER_MS, noise());
	result->due_us = MIN(c->now_us + MAX(pause_us, attempt->retry_after_us), give_up_us);
	item->hook->retry_due_us = MIN(item->hook->retry_due_us, result->due_us);
	move_chain(c, item->chain);
	item_is_done(c, item);
}

void settle_refused(struct courier *c, struct item *item, const struct attempt *attempt)
{
	struct sql_args args = SQL_ARGS_INIT;

	log_warn("webhook.refused", "client=%s host=%s do=%s", item->hook->accountcode,
		item->hook->host->name, log_q("the receiver answers 410: set callbackurl anew"));
	arg_i64(&args, (int64_t)item->hook->client_id);
	arg_text(&args, STR("the receiver answered 410 Gone"));
	if (stream_is_up(c->stream)) {
		stream_query(c->stream, SQL_WEBHOOK_DISABLE, &args, NULL, NULL);
		stream_end(c->stream, NULL, NULL);
	}
	args_free(&args);
	die_of_it(c, item, attempt);
	c->load_wanted = true;
}

void settle_give_up(struct courier *c, struct item *item, const char *why)
{
	struct result *result = add(c, item, OUTCOME_DEAD);
	(void)snprintf(result->error, sizeof(result->error), "%s", why);
	item_is_done(c, item);
}

void settle_behind(struct courier *c, struct item *item)
{
	if (item->chain && !item->chain->moved)
		move_chain(c, item->chain);
	else
		put_behind(c, item);
}

/* ---- sending ---- */

/* What is done at the head of the hook's events lies behind its position from now on. */
static void advance(struct courier *c, struct hook *hook)
{
	while (hook->items && hook->items->state == ITEM_DONE) {
		hook->stored_seq = hook->items->seq;
		hook->moves = true;
		item_free(c, hook->items);
	}
}

static void send_positions(struct courier *c, const struct results *results)
{
	struct sql_args args = SQL_ARGS_INIT;
	size_t n = 0;

	for (size_t i = 0; i < results->n; i++) {
		struct hook *hook = hook_find(c, results->v[i].client_id);
		if (hook && !results->v[i].is_retry)
			advance(c, hook);
	}
	struct sql_array ids = arg_array(&args, INT8OID);
	for (const struct hook *hook = c->hooks; hook; hook = hook->hh.next)
		if (hook->moves) {
			array_i64(&ids, (int64_t)hook->client_id);
			n++;
		}
	array_end(&ids);
	struct sql_array seqs = arg_array(&args, INT8OID);
	for (struct hook *hook = c->hooks; hook; hook = hook->hh.next)
		if (hook->moves) {
			array_i64(&seqs, hook->stored_seq);
			hook->moves = false;
		}
	array_end(&seqs);
	if (n)
		stream_query(c->stream, SQL_WEBHOOK_ADVANCE, &args, NULL, NULL);
	args_free(&args);
}

/* One array for each column; which results it is about is for the caller to say. */
typedef bool wanted_fn(const struct result *result);
typedef void column_fn(struct sql_array *array, const struct result *result);

static void add_column(struct sql_args *args, const struct results *results, uint32_t type,
	wanted_fn *wanted, column_fn *column)
{
	struct sql_array array = arg_array(args, type);
	for (size_t i = 0; i < results->n; i++)
		if (wanted(&results->v[i]))
			column(&array, &results->v[i]);
	array_end(&array);
}

static bool is_put_off(const struct result *result)
{
	return result->outcome == OUTCOME_RETRY || result->outcome == OUTCOME_BEHIND ||
	       result->outcome == OUTCOME_DEAD;
}

static bool has_arrived(const struct result *result)
{
	return result->outcome == OUTCOME_DELIVERED && result->is_retry;
}

static bool was_sent(const struct result *result)
{
	return result->was_sent || result->outcome == OUTCOME_DEAD;
}

static bool is_any(const struct results *results, wanted_fn *wanted)
{
	for (size_t i = 0; i < results->n; i++)
		if (wanted(&results->v[i]))
			return true;
	return false;
}

static void put_client(struct sql_array *array, const struct result *result)
{
	array_i64(array, (int64_t)result->client_id);
}

static void put_seq(struct sql_array *array, const struct result *result)
{
	array_i64(array, result->seq);
}

static void put_entry(struct sql_array *array, const struct result *result)
{
	if (result->entry_id)
		array_i64(array, (int64_t)result->entry_id);
	else
		array_null(array);
}

static void put_attempts(struct sql_array *array, const struct result *result)
{
	array_i64(array, result->attempts);
}

static void put_at(struct sql_array *array, const struct result *result)
{
	array_time(array, result->at_us);
}

static void put_due(struct sql_array *array, const struct result *result)
{
	array_time(array, result->due_us);
}

static void put_first(struct sql_array *array, const struct result *result)
{
	array_time(array, result->first_us);
}

static void put_ms(struct sql_array *array, const struct result *result)
{
	array_i64(array, MIN(result->ms, (int64_t)INT32_MAX));
}

static void put_status(struct sql_array *array, const struct result *result)
{
	if (result->status)
		array_i64(array, result->status);
	else
		array_null(array);
}

static void put_error(struct sql_array *array, const struct result *result)
{
	if (result->error[0])
		array_text(array, str_of(result->error));
	else
		array_null(array);
}

static void put_outcome(struct sql_array *array, const struct result *result)
{
	array_text(array, str_of(outcome_names[result->outcome]));
}

static void put_is_dead(struct sql_array *array, const struct result *result)
{
	array_bool(array, result->outcome == OUTCOME_DEAD);
}

struct column {
	uint32_t type;
	column_fn *put;
};

static void send_columns(struct courier *c, const struct results *results, enum sql_query query,
	wanted_fn *wanted, const struct column *columns, size_t n)
{
	struct sql_args args = SQL_ARGS_INIT;

	if (!is_any(results, wanted))
		return;
	for (size_t i = 0; i < n; i++)
		add_column(&args, results, columns[i].type, wanted, columns[i].put);
	stream_query(c->stream, query, &args, NULL, NULL);
	args_free(&args);
}

static void send_results(struct courier *c, const struct results *results)
{
	static const struct column put_off[] = {{INT8OID, put_client}, {INT8OID, put_seq},
		{INT8OID, put_entry}, {INT8OID, put_attempts}, {TIMESTAMPTZOID, put_due},
		{TIMESTAMPTZOID, put_first}, {BOOLOID, put_is_dead}, {INT8OID, put_status},
		{TEXTOID, put_error}};
	static const struct column arrived[] = {{INT8OID, put_client}, {INT8OID, put_seq}};
	static const struct column logged[] = {{INT8OID, put_client}, {INT8OID, put_seq},
		{INT8OID, put_attempts}, {TIMESTAMPTZOID, put_at}, {INT8OID, put_ms},
		{INT8OID, put_status}, {TEXTOID, put_outcome}, {TEXTOID, put_error}};

	send_positions(c, results);
	send_columns(c, results, SQL_WEBHOOK_PUT_OFF, is_put_off, put_off, ARRAY_LEN(put_off));
	send_columns(c, results, SQL_WEBHOOK_ARRIVED, has_arrived, arrived, ARRAY_LEN(arrived));
	send_columns(c, results, SQL_WEBHOOK_LOG, was_sent, logged, ARRAY_LEN(logged));
}

/* What was sent again is out of PostgreSQL, or due later: it may be read again, and what waited behind it. */
static void release(struct courier *c, struct results *results)
{
	for (size_t i = 0; i < results->n; i++) {
		struct result *result = &results->v[i];
		if (!result->is_retry)
			continue;
		struct hook *hook = hook_find(c, result->client_id);
		if (!hook)
			continue;
		hook->retry_due_us = c->now_us;
		for (struct item *item = hook->retries; item; item = item->next)
			if (item == result->item && item->seq == result->seq &&
				item->state == ITEM_DONE) {
				item_free(c, item);
				break;
			}
	}
	results->n = 0;
}

static void settled(void *arg, bool ok, const struct err *err)
{
	struct courier *c = arg;
	struct settle *settle = c->settle;
	bool was_void = settle->is_void;

	settle->sent = settle->is_void = false;
	if (was_void) {
		settle->flight.n = 0;
		return;
	}
	if (!ok) {
		settle->flight.n = 0;
		log_warn("courier.unsettled", "why=%s do=%s", log_q(err->text),
			log_q("what was under way is read and sent again"));
		life_forget(c);
		return;
	}
	release(c, &settle->flight);
	chains_forget_moved(c, c->settlements);
}

void settle_turn(struct courier *c)
{
	struct settle *settle = c->settle;

	if (settle->sent || settle->open.n == 0 || !stream_is_up(c->stream))
		return;
	struct results empty = settle->flight;
	settle->flight = settle->open;
	settle->open = empty;
	c->settlements++;
	settle->sent = true;
	send_results(c, &settle->flight);
	stream_end(c->stream, settled, c);
}

bool settle_is_idle(const struct courier *c)
{
	return !c->settle->sent && c->settle->open.n == 0;
}

void settle_reset(struct courier *c)
{
	c->settle->open.n = 0;
	c->settle->is_void = c->settle->sent;
}
