/* Copies for clients' databases: see export.h. */
#include "courier/export.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "courier/outlet.h"

#include "common/base.h"

enum {
	EVENTS_MOST = 1000, /* read for one statement */
	AT_ONCE_MOST = 8,   /* clients whose events one fetch reads */
	BUSY_MOST = 64,	    /* connections that store something at once */
	FETCH_PAUSE_MS = 20,
};

static const int64_t FIRST_PAUSE_US = US_PER_S, LONGEST_PAUSE_US = 300 * US_PER_S;

/* A client with a database of its own. */
struct copy {
	struct export *export;
	uint64_t client_id;
	char accountcode[HOOK_ACCOUNTCODE_BYTES];
	int64_t seq;	  /* stored up to here */
	int64_t sent_seq; /* what is on its way goes up to here */
	int64_t sent_calls;
	bool is_usable; /* its address is one */
	bool lags;	/* there may be events behind seq */
	bool is_read;	/* they are being read */
	bool is_seen;
	bool moved;	       /* since the last load was sent */
	int64_t pause_us;      /* 0: all is well */
	int64_t not_before_us; /* mono */
	struct outlet outlet;
	UT_hash_handle hh;
};

struct export
{
	struct courier *c;
	struct copy *copies; /* by client */
	unsigned busy;
	bool fetching;
	bool fetch_void;
	int64_t fetch_at_us;
};

/* ---- outcomes ---- */

static void tell_failure(struct copy *copy, const char *why)
{
	struct courier *c = copy->export->c;
	struct sql_args args = SQL_ARGS_INIT;

	if (!stream_is_up(c->stream))
		return;
	arg_i64(&args, (int64_t)copy->client_id);
	arg_text(&args, str_of(why));
	stream_query(c->stream, SQL_CLIENT_DATABASE_FAIL, &args, NULL, NULL);
	stream_end(c->stream, NULL, NULL);
	args_free(&args);
}

static void put_off(struct copy *copy, const char *why)
{
	if (copy->pause_us == 0)
		log_warn("client_database.failed", "client=%s why=%s", copy->accountcode,
			log_q(why));
	copy->pause_us =
		copy->pause_us ? MIN(copy->pause_us * 2, LONGEST_PAUSE_US) : FIRST_PAUSE_US;
	copy->not_before_us = clock_mono_us() + copy->pause_us / 2 +
			      (int64_t)(noise() % (uint64_t)(copy->pause_us / 2));
	copy->lags = true;
	tell_failure(copy, why);
}

static void advance(struct copy *copy)
{
	struct courier *c = copy->export->c;
	struct sql_args args = SQL_ARGS_INIT;
	int64_t before = copy->seq;

	copy->seq = copy->sent_seq;
	copy->moved = true;
	if (!stream_is_up(c->stream))
		return;
	arg_i64(&args, (int64_t)copy->client_id);
	arg_i64(&args, copy->seq);
	arg_i64(&args, copy->sent_calls);
	arg_i64(&args, before);
	stream_query(c->stream, SQL_CLIENT_DATABASE_ADVANCE, &args, NULL, NULL);
	stream_end(c->stream, NULL, NULL);
	args_free(&args);
}

static void on_done(void *arg, bool ok, const char *why)
{
	struct copy *copy = arg;

	copy->export->busy--;
	if (!ok) {
		put_off(copy, why);
		return;
	}
	if (copy->pause_us)
		log_info("client_database.works", "client=%s", copy->accountcode);
	copy->pause_us = 0;
	advance(copy);
}

/* ---- reading ---- */

static struct copy *find(struct export *export, uint64_t client_id)
{
	struct copy *copy;
	HASH_FIND(hh, export->copies, &client_id, sizeof(client_id), copy);
	return copy;
}

/* Columns: client_id, last seq, how many calls, these as elements of an array. */
static void on_events(void *arg, const struct rows *rows)
{
	struct export *export = arg;

	for (int row = 0; !export->fetch_void && row < rows->n; row++) {
		struct copy *copy = find(export, (uint64_t)row_i64(rows, row, 0));
		int64_t last = row_i64(rows, row, 1);
		if (!copy || !copy->is_read || last <= copy->seq)
			continue;
		copy->sent_seq = last;
		copy->sent_calls = row_i64(rows, row, 2);
		copy->lags = true; /* until a fetch finds nothing */
		if (copy->sent_calls == 0) {
			advance(copy);
			continue;
		}
		struct strbuf calls = STRBUF_INIT;
		strbuf_putc(&calls, '[');
		strbuf_str(&calls, row_text(rows, row, 3));
		strbuf_putc(&calls, ']');
		export->busy++;
		outlet_send(&copy->outlet, calls.p, export->c->now_mono_us);
	}
}

static void fetch_ended(void *arg, bool ok, const struct err *err)
{
	struct export *export = arg;
	(void)ok;
	(void)err;
	export->fetching = export->fetch_void = false;
	for (struct copy *copy = export->copies; copy; copy = copy->hh.next)
		copy->is_read = false;
}

static bool is_due(const struct copy *copy, int64_t mono_us)
{
	return copy->lags && copy->is_usable && copy->outlet.state == OUTLET_IDLE &&
	       mono_us >= copy->not_before_us;
}

static void fetch(struct export *export)
{
	struct courier *c = export->c;
	struct sql_args args = SQL_ARGS_INIT;
	struct copy *chosen[AT_ONCE_MOST];
	int n = 0;

	for (struct copy *copy = export->copies; copy && n < AT_ONCE_MOST; copy = copy->hh.next)
		if (is_due(copy, c->now_mono_us) && export->busy + (unsigned)n < BUSY_MOST)
			chosen[n++] = copy;
	if (n == 0)
		return;
	struct sql_array ids = arg_array(&args, INT8OID);
	for (int i = 0; i < n; i++)
		array_i64(&ids, (int64_t)chosen[i]->client_id);
	array_end(&ids);
	struct sql_array after = arg_array(&args, INT8OID);
	for (int i = 0; i < n; i++)
		array_i64(&after, chosen[i]->seq);
	array_end(&after);
	arg_i64(&args, EVENTS_MOST);
	for (int i = 0; i < n; i++) {
		/* To the end of the line, and without news nothing is read again. */
		HASH_DEL(export->copies, chosen[i]);
		HASH_ADD(hh, export->copies, client_id, sizeof(chosen[i]->client_id), chosen[i]);
		chosen[i]->lags = false;
		chosen[i]->is_read = true;
	}
	export->fetching = true;
	export->fetch_at_us = c->now_mono_us + FETCH_PAUSE_MS * US_PER_MS;
	stream_query(c->stream, SQL_CLIENT_DATABASE_FETCH, &args, on_events, export);
	stream_end(c->stream, fetch_ended, export);
	args_free(&args);
}

/* ---- who ---- */

static void remove_copy(struct export *export, struct copy *copy)
{
	if (copy->outlet.state != OUTLET_IDLE)
		export->busy--;
	outlet_close(&copy->outlet);
	HASH_DEL(export->copies, copy);
	secret_wipe(copy, sizeof(*copy));
	free(copy);
}

static bool open_url(struct courier *c, struct str sealed, struct client_url *url, bool *is_there,
	struct err *err)
{
	struct strbuf plain = STRBUF_INIT;

	*is_there = sealed.n > 0;
	if (!sealed.n)
		return true;
	bool ok = secret_open(&c->secret_key, sealed, &plain, err) &&
		  client_url_read(strbuf_view(&plain), url, err);
	if (plain.p)
		secret_wipe(plain.p, plain.n);
	strbuf_free(&plain);
	return ok;
}

/* Either address serves; two must mean the same database. */
static bool choose_url(struct courier *c, struct str async_sealed, struct str sync_sealed,
	struct client_url *url, struct err *err)
{
	struct client_url first, second;
	bool has_first, has_second;

	if (!open_url(c, async_sealed, &first, &has_first, err) ||
		!open_url(c, sync_sealed, &second, &has_second, err))
		return false;
	if (has_first && has_second && !client_url_same_database(&first, &second))
		return fail(err, ERR_INPUT,
			"asyncdatabaseurl and syncdatabaseurl name different databases");
	*url = has_first ? first : second;
	return has_first || has_second || fail(err, ERR_INPUT, "there is no address");
}

static struct copy *add_copy(struct export *export, uint64_t client_id, int64_t seq)
{
	struct copy *copy = calloc(1, sizeof(*copy));
	if (!copy)
		die("memory.exhausted", "bytes=%zu", sizeof(*copy));
	copy->export = export;
	copy->client_id = client_id;
	copy->seq = seq;
	copy->outlet = (struct outlet){.poll = export->c->poll,
		.wall = &export->c->wall,
		.ca_file = export->c->conf->courier_ca_file,
		.done = on_done,
		.arg = copy};
	outlet_open(&copy->outlet);
	HASH_ADD(hh, export->copies, client_id, sizeof(copy->client_id), copy);
	return copy;
}

/* Columns: client_id, seq, accountcode, asyncdatabaseurl, syncdatabaseurl. */
static void take(struct export *export, const struct rows *rows, int row)
{
	uint64_t client_id = (uint64_t)row_i64(rows, row, 0);
	int64_t seq = row_i64(rows, row, 1);
	struct copy *copy = find(export, client_id);
	struct client_url url;
	struct err err;

	if (copy && copy->outlet.state != OUTLET_IDLE) { /* looked at when it is at rest */
		copy->is_seen = true;
		return;
	}
	bool ok =
		choose_url(export->c, row_bytes(rows, row, 3), row_bytes(rows, row, 4), &url, &err);
	bool is_logged = copy && !copy->is_usable; /* each load finds such an address again */
	/* Another address, or a position that was set back for a replay: begun anew. */
	if (copy && ((seq != copy->seq && !copy->moved) || !ok ||
			    memcmp(&url, &copy->outlet.url, sizeof(url)) != 0)) {
		remove_copy(export, copy);
		copy = NULL;
	}
	if (!copy) {
		copy = add_copy(export, client_id, seq);
		if (!row_copy(rows, row, 2, copy->accountcode, sizeof(copy->accountcode)))
			die("client_database.row", "client=%llu", (unsigned long long)client_id);
		copy->is_usable = ok;
		copy->lags = true;
		copy->pause_us = ok || !is_logged ? 0 : FIRST_PAUSE_US;
		if (ok)
			copy->outlet.url = url;
		else
			put_off(copy, err.text);
	}
	copy->is_seen = true;
}

void export_expect(struct export *export)
{
	for (struct copy *copy = export->copies; copy; copy = copy->hh.next)
		copy->moved = false;
}

void export_take(struct export *export, const struct rows *rows)
{
	struct copy *copy, *next;

	for (copy = export->copies; copy; copy = copy->hh.next)
		copy->is_seen = false;
	for (int row = 0; row < rows->n; row++)
		take(export, rows, row);
	HASH_ITER (hh, export->copies, copy, next)
		if (!copy->is_seen)
			remove_copy(export, copy);
}

void export_news(struct export *export)
{
	for (struct copy *copy = export->copies; copy; copy = copy->hh.next)
		copy->lags = true;
}

void export_turn(struct export *export)
{
	struct courier *c = export->c;

	for (struct copy *copy = export->copies, *next; copy; copy = next) {
		next = copy->hh.next;
		outlet_tick(&copy->outlet, c->now_mono_us);
	}
	if (!export->fetching && c->now_mono_us >= export->fetch_at_us)
		fetch(export);
}

int64_t export_deadline(const struct export *export)
{
	const struct courier *c = export->c;
	int64_t next = INT64_MAX;

	for (const struct copy *copy = export->copies; copy; copy = copy->hh.next) {
		next = MIN(next, outlet_deadline(&copy->outlet, c->now_mono_us));
		if (copy->lags && copy->is_usable && copy->outlet.state == OUTLET_IDLE &&
			!export->fetching && export->busy < BUSY_MOST)
			next = MIN(next, MAX(copy->not_before_us, export->fetch_at_us));
	}
	return next;
}

void export_forget(struct export *export)
{
	struct copy *copy, *next;
	HASH_ITER (hh, export->copies, copy, next)
		remove_copy(export, copy);
	export->fetch_void = export->fetching;
}

struct export *export_new(struct courier *c)
{
	struct export *export = calloc(1, sizeof(*export));
	if (!export)
		die("memory.exhausted", "bytes=%zu", sizeof(*export));
	export->c = c;
	return export;
}

void export_free(struct export *export)
{
	export_forget(export);
	free(export);
}
