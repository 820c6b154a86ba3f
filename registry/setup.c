/* Shares out of what account and servers have: see setup.h. */
#include "registry/setup.h"
#include "registry/change.h"
#include "shm/view.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base.h"

enum column {
	ACCOUNTCODE,
	ALLOCATED_CHANNELS,
	RATE_LIMIT,
	SERVER_ID,
	SERVER_CODE,
	TAKES_CALLS,
	AUTOMATIC,
	CHANNELS,
	RATE,
	SERVER_CHANNELS,
	SERVER_RATE,
	OF_OTHERS
};

static bool make_room(struct setup *setup, size_t n, struct err *err)
{
	setup->shares = calloc(MAX(n, (size_t)1), sizeof(*setup->shares));
	setup->parts = calloc(MAX(n, (size_t)1), sizeof(*setup->parts));
	return (setup->shares && setup->parts) ||
	       fail(err, ERR_INTERNAL, "no memory for %zu shares", n);
}

static uint64_t number(const struct rows *rows, int row, enum column column)
{
	return (uint64_t)row_i64(rows, row, column);
}

static bool share_from_row(
	const struct rows *rows, int row, struct setup_share *share, struct err *err)
{
	*share = (struct setup_share){.server_id = number(rows, row, SERVER_ID),
		.takes_calls = row_bool(rows, row, TAKES_CALLS),
		.automatic = row_bool(rows, row, AUTOMATIC),
		.had_channels = number(rows, row, CHANNELS),
		.had_rate = number(rows, row, RATE),
		.server_channels = number(rows, row, SERVER_CHANNELS),
		.server_rate = number(rows, row, SERVER_RATE),
		.of_others = number(rows, row, OF_OTHERS)};
	return row_copy(rows, row, SERVER_CODE, share->server_code, sizeof(share->server_code)) ||
	       fail(err, ERR_INTERNAL, "a server code that is too long");
}

static bool from_rows(const struct rows *rows, struct setup *setup, struct err *err)
{
	if (rows->n == 0)
		return fail(err, ERR_MISSING, "there is no such client");
	if (!row_copy(rows, 0, ACCOUNTCODE, setup->accountcode, sizeof(setup->accountcode)))
		return fail(err, ERR_INTERNAL, "an account code that is too long");
	setup->allocated_channels = number(rows, 0, ALLOCATED_CHANNELS);
	setup->rate_limit = number(rows, 0, RATE_LIMIT);
	setup->n = row_is_null(rows, 0, SERVER_ID) ? 0 : (size_t)rows->n;
	if (!make_room(setup, setup->n, err))
		return false;
	for (size_t i = 0; i < setup->n; i++)
		if (!share_from_row(rows, (int)i, &setup->shares[i], err))
			return false;
	return true;
}

/* Held until the transaction ends. */
static bool read_shares(struct db *db, struct setup *setup, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)setup->client_id);
	bool ok = db_query(db, SQL_SHARES_READ, &args, &rows, err) && from_rows(&rows, setup, err);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

/* Health and calls, as the dispatcher has them in shared memory. */
static void look(struct setup *setup, const struct segment *segment)
{
	const struct view view = view_of(segment, setup->client_id);
	struct view_allocation seen;

	for (uint32_t at = 0; view_next_allocation(&view, &at, &seen);)
		for (size_t i = 0; i < setup->n; i++) {
			struct setup_share *share = &setup->shares[i];
			if (share->server_id != seen.allocation.server_id)
				continue;
			share->live = seen.usage.channels;
			share->is_down = seen.server.ami.state != AMI_UP ||
					 seen.server.health.breaker != BREAKER_CLOSED;
		}
}

static bool write_shares(struct db *db, const struct setup *setup, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)setup->client_id);
	for (int column = 0; column < 3; column++) {
		struct sql_array array = arg_array(&args, INT8OID);
		for (size_t i = 0; i < setup->n; i++) {
			const struct setup_share *share = &setup->shares[i];
			array_i64(&array, (int64_t)(column == 0	  ? share->server_id
						    : column == 1 ? share->channels
								  : share->rate));
		}
		array_end(&array);
	}
	bool ok = db_query(db, SQL_SHARES_WRITE, &args, NULL, err);
	args_free(&args);
	return ok;
}

/* {"fra-1": {"channels": 20, "rate_limit": 200}}, of those that are other than before. */
static bool record(struct db *db, const char *actor, const struct setup *setup, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;
	const char *comma = "";

	strbuf_puts(&detail, "{\"shares\":{");
	for (size_t i = 0; i < setup->n; i++) {
		const struct setup_share *share = &setup->shares[i];
		if (share->channels == share->had_channels && share->rate == share->had_rate)
			continue;
		strbuf_puts(&detail, comma);
		strbuf_json(&detail, str_of(share->server_code));
		strbuf_printf(&detail,
			":{\"channels\":{\"from\":%" PRIu64 ",\"to\":%" PRIu64
			"},\"rate_limit\":{\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}}",
			share->had_channels, share->channels, share->had_rate, share->rate);
		comma = ",";
	}
	strbuf_puts(&detail, "}}");
	bool ok = change_record(db, actor, "allocation.setup", setup->accountcode, detail.p, err);
	strbuf_free(&detail);
	return ok;
}

static bool tell(struct db *db, struct setup *setup, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)setup->client_id);
	bool ok = db_query(db, SQL_CHANGE_RELOAD, &args, &rows, err);
	if (ok)
		setup->control_id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

/* Also where nothing is new: who asks wants the dispatcher to have it. */
static bool store(struct db *db, const char *actor, struct setup *setup, struct err *err)
{
	return (setup->changed == 0 ||
		       (write_shares(db, setup, err) && record(db, actor, setup, err))) &&
	       tell(db, setup, err) && db_commit(db, err);
}

bool setup_channels(struct db *db, const struct segment *segment, const char *actor,
	uint64_t client_id, bool dry_run, struct setup *setup, struct err *err)
{
	*setup = (struct setup){.client_id = client_id};
	if (!db_ready(db, err) || !db_begin_as(db, client_id, err))
		return false;
	bool ok = read_shares(db, setup, err);
	if (ok) {
		if (segment)
			look(setup, segment);
		setup_plan(setup);
		ok = dry_run ? db_commit(db, err) : store(db, actor, setup, err);
	}
	if (!ok)
		db_rollback(db);
	return ok;
}

static bool is_any_automatic(const struct setup *setup)
{
	for (size_t i = 0; i < setup->n; i++)
		if (setup->shares[i].automatic)
			return true;
	return false;
}

bool setup_follow(struct db *db, uint64_t client_id, struct err *err)
{
	struct setup setup = {.client_id = client_id};
	bool ok = db_as(db, client_id, err) && read_shares(db, &setup, err);

	if (ok && is_any_automatic(&setup)) {
		setup_plan(&setup);
		ok = setup.changed == 0 || write_shares(db, &setup, err);
	}
	setup_end(&setup);
	return ok;
}

void setup_end(struct setup *setup)
{
	free(setup->shares);
	free(setup->parts);
	setup->shares = NULL;
	setup->parts = NULL;
	setup->n = 0;
}
