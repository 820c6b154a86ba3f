/* Now and then: see chores.h. */
#include "dispatcher/chores.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"

#include "common/base.h"

struct chore {
	enum sql_query query;
	int64_t every_s;
	stream_rows_fn *rows;
	const int64_t *parameter; /* the one of the statement, if it has one */
};

static void run(struct dispatcher *d, const struct chore *chore)
{
	struct sql_args args = SQL_ARGS_INIT;
	if (chore->parameter)
		arg_i64(&args, *chore->parameter);
	stream_query(d->lookups, chore->query, &args, chore->rows, d);
	stream_end(d->lookups, NULL, NULL);
	args_free(&args);
}

/* The log leaves the machine, where it is kept for that: somebody who cuts off the end of a chain, or makes it anew, cannot
 * change what stands there (`verify --anchor`). */
struct link_text {
	char hex[2 * DIGEST_BYTES + 1];
};

static struct link_text link_text(struct str hash)
{
	struct link_text text;
	hex_encode(hash.p, MIN(hash.n, (size_t)DIGEST_BYTES), text.hex);
	return text;
}

static void log_audit(void *arg, const struct rows *rows)
{
	(void)arg;
	for (int i = 0; i < rows->n; i++)
		log_info("audit.anchor", "anchor=%lld:%s", (long long)row_i64(rows, i, 0),
			link_text(row_bytes(rows, i, 1)).hex);
}

static void log_ledger(void *arg, const struct rows *rows)
{
	(void)arg;
	for (int i = 0; i < rows->n; i++) {
		struct str node = row_text(rows, i, 0);
		log_info("ledger.anchor", "node=%.*s anchor=%lld:%s", (int)node.n, node.p,
			(long long)row_i64(rows, i, 1), link_text(row_bytes(rows, i, 2)).hex);
	}
}

enum { RETENTION = CHORES - 1 };

/* Where there is more to erase, the next piece follows a second later: a thousand entries are some milliseconds. */
static void go_on_erasing(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	if (rows->n == 1 && row_i64(rows, 0, 0) > 0)
		d->next_chore_us[RETENTION] = 0;
}

void chores_turn(struct dispatcher *d)
{
	const struct chore chores[CHORES] = {
		{SQL_IDEMPOTENCY_EXPIRE, 60, NULL, NULL},
		{SQL_PARTITIONS_ADVANCE, 3600, NULL, NULL},
		{SQL_AUDIT_ANCHOR, 3600, log_audit, NULL},
		{SQL_LEDGER_ANCHORS, 3600, log_ledger, NULL},
		{SQL_EVENTS_RETIRE, 3600, NULL, &d->conf->dispatcher_event_retention_days},
		{SQL_NUMBER_DAYS_EXPIRE, 3600, NULL, NULL},
		{SQL_LEDGER_RETIRE, 3600, NULL, &d->conf->dispatcher_ledger_retention_days},
		[RETENTION] = {SQL_RETENTION_STEP, 10, go_on_erasing, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(chores); i++) {
		if (d->now_us < d->next_chore_us[i])
			continue;
		d->next_chore_us[i] = d->now_us + chores[i].every_s * US_PER_S;
		run(d, &chores[i]);
	}
}
