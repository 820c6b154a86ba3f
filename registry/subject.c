/* Erasing a number: see subject.h. */
#include "registry/subject.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "registry/call_id.h"
#include "registry/change.h"

#include "common/base.h"

/* The dispatcher does it within a turn, unless it is away. */
static const int64_t PATIENCE_US = 5 * US_PER_S;
static const struct timespec LOOK_AGAIN = {.tv_nsec = 20000000};
enum { BUSY_RETRY_S = 5 };

bool subject_read(struct str given, const char *region, struct subject *subject, struct err *err)
{
	struct number number;
	struct shm_plan plan;
	enum number_fault fault = number_read(given, &number);

	if (fault != NUMBER_FINE)
		return fail_code(err, ERR_INPUT, "invalid_number", "the number %s",
			number_fault_text(fault));
	*subject = (struct subject){.e164 = ""};
	if (number_plan_find(number.number, region, number.e164, &plan))
		memcpy(subject->e164, number.e164, sizeof(subject->e164));
	memcpy(subject->number, number.number, sizeof(subject->number));
	(void)snprintf(subject->masked, sizeof(subject->masked), "%s", log_number(number.number));
	return true;
}

/* As entries may have stored it, and as digits only. */
static void add_numbers(struct sql_args *args, const struct subject *subject, bool only_digits)
{
	struct sql_array array = arg_array(args, TEXTOID);
	struct str number = str_of(subject->number);
	char with_plus[NUMBER_MAX_DIGITS + 2];

	if (only_digits && number.p[0] == '+')
		number = (struct str){number.p + 1, number.n - 1};
	array_text(&array, number);
	if (subject->e164[0])
		array_text(&array, str_of(subject->e164));
	(void)snprintf(with_plus, sizeof(with_plus), "+%s", subject->e164);
	if (subject->e164[0] && !only_digits)
		array_text(&array, str_of(with_plus));
	array_end(&array);
}

/* ---- the entries ---- */

struct found {
	int64_t *ids;
	size_t n, cap;
	size_t open_n; /* those that have no end yet stand first */
};

static void add_found(struct found *found, int64_t id, bool is_open)
{
	if (found->n == found->cap) {
		found->cap = MAX(found->cap * 2, (size_t)64);
		found->ids = realloc(found->ids, found->cap * sizeof(*found->ids));
		if (!found->ids)
			die("memory.exhausted", "entries=%zu", found->cap);
	}
	found->ids[found->n++] = id;
	if (!is_open)
		return;
	found->ids[found->n - 1] = found->ids[found->open_n];
	found->ids[found->open_n++] = id;
}

static bool in_progress(uint64_t entry_id, uint64_t n, struct err *err)
{
	char id[CALL_ID_BYTES];
	return fail_code(err, ERR_CONFLICT, "call_in_progress",
		"call %s to this number is in progress: wait for its end or hang it up, then ask "
		"again",
		call_id_text(entry_id, n, id).p);
}

static bool take_entries(const struct rows *rows, struct found *found, struct err *err)
{
	for (int row = 1; row < rows->n; row++) {
		int64_t id = row_i64(rows, row, 1), n = row_i64(rows, row, 2);
		bool has_ended = row_bool(rows, row, 3);
		if (!has_ended && n > 0)
			return in_progress((uint64_t)id, (uint64_t)n, err);
		add_found(found, id, !has_ended);
	}
	return true;
}

static bool find_entries(struct db *db, const struct subject *subject, uint64_t client_id,
	struct found *found, struct err *err)
{
	struct rows rows = ROWS_INIT;
	int64_t chunk = 0;
	bool ok = true, more = true;

	while (ok && more) {
		struct sql_args args = SQL_ARGS_INIT;
		arg_i64(&args, (int64_t)client_id);
		arg_i64(&args, chunk);
		add_numbers(&args, subject, false);
		ok = db_query_as(db, client_id, SQL_SUBJECT_STEP, &args, &rows, err) &&
		     take_entries(&rows, found, err);
		args_free(&args);
		more = ok && !row_is_null(&rows, 0, 0);
		if (more)
			chunk = row_i64(&rows, 0, 0);
	}
	rows_free(&rows);
	return ok;
}

/* ---- what waits ---- */

static void add_ids(struct sql_args *args, uint64_t client_id, const int64_t *ids, size_t n)
{
	arg_i64(args, (int64_t)client_id);
	struct sql_array array = arg_array(args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&array, ids[i]);
	array_end(&array);
}

static bool wait_withdrawn(
	struct db *db, uint64_t client_id, const struct sql_args *args, struct err *err)
{
	struct rows rows = ROWS_INIT;
	int64_t until_us = clock_mono_us() + PATIENCE_US, open = 1;
	bool ok = true;

	while (ok && open > 0 && clock_mono_us() < until_us) {
		(void)nanosleep(&LOOK_AGAIN, NULL);
		ok = db_query_as(db, client_id, SQL_SUBJECT_OPEN, args, &rows, err);
		open = ok ? row_i64(&rows, 0, 0) : 0;
	}
	rows_free(&rows);
	if (!ok || open == 0)
		return ok;
	(void)fail(err, ERR_BUSY,
		"%" PRId64
		" entries with this number are being withdrawn, and the dispatcher has not "
		"confirmed it yet; nothing is erased before: ask again",
		open);
	if (err)
		err->retry_after_s = BUSY_RETRY_S;
	return false;
}

static bool withdraw(struct db *db, uint64_t client_id, const struct found *found, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	if (found->open_n == 0)
		return true;
	add_ids(&args, client_id, found->ids, found->open_n);
	bool ok = db_query_as(db, client_id, SQL_SUBJECT_WITHDRAW, &args, NULL, err) &&
		  wait_withdrawn(db, client_id, &args, err);
	args_free(&args);
	return ok;
}

/* ---- erasing ---- */

static bool erase(struct db *db, const struct subject *subject, uint64_t client_id,
	const struct found *found, struct subject_receipt *receipt, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	add_ids(&args, client_id, found->ids, found->n);
	add_numbers(&args, subject, true);
	bool ok = db_query(db, SQL_SUBJECT_ERASE, &args, &rows, err);
	args_free(&args);
	if (ok) {
		uint64_t *const counts[] = {&receipt->entries, &receipt->details, &receipt->events,
			&receipt->batches, &receipt->answers};
		for (size_t i = 0; i < ARRAY_LEN(counts); i++)
			*counts[i] = (uint64_t)row_i64(&rows, 0, (int)i);
		receipt->withdrawn = found->open_n;
	}
	rows_free(&rows);
	return ok;
}

static bool record(struct db *db, const struct subject_wish *wish,
	const struct subject_receipt *receipt, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;
	char hex[2 * DIGEST_BYTES + 1];

	hex_encode(receipt->mac.b, DIGEST_BYTES, hex);
	strbuf_printf(&detail,
		"{\"number_mac\":\"%s\",\"withdrawn\":%" PRIu64 ",\"entries\":%" PRIu64
		",\"details\":%" PRIu64 ",\"events\":%" PRIu64 ",\"batches\":%" PRIu64
		",\"answers\":%" PRIu64,
		hex, receipt->withdrawn, receipt->entries, receipt->details, receipt->events,
		receipt->batches, receipt->answers);
	if (wish->by) {
		strbuf_puts(&detail, ",\"by\":");
		strbuf_json(&detail, str_of(wish->by));
	}
	strbuf_putc(&detail, '}');
	bool ok = change_record(db, wish->actor, "subject.erase", wish->accountcode, detail.p, err);
	strbuf_free(&detail);
	return ok;
}

static bool erase_and_record(struct db *db, const struct subject *subject,
	const struct subject_wish *wish, const struct found *found, struct subject_receipt *receipt,
	struct err *err)
{
	if (db_begin_as(db, wish->client_id, err) &&
		erase(db, subject, wish->client_id, found, receipt, err) &&
		record(db, wish, receipt, err) && db_commit(db, err))
		return true;
	db_rollback(db);
	return false;
}

bool subject_erase(struct db *db, const struct secret_key *key, const struct subject *subject,
	const struct subject_wish *wish, struct subject_receipt *receipt, struct err *err)
{
	struct found found = {NULL, 0, 0, 0};
	struct str digits = str_of(subject->e164[0] ? subject->e164 : subject->number);

	*receipt = (struct subject_receipt){.mac = secret_mac(key, digits)};
	bool ok = find_entries(db, subject, wish->client_id, &found, err) &&
		  withdraw(db, wish->client_id, &found, err) &&
		  erase_and_record(db, subject, wish, &found, receipt, err);
	free(found.ids);
	return ok;
}
