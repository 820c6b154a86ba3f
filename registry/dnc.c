/* Do-not-call lists: see dnc.h. */
#include "registry/dnc.h"

#include <inttypes.h>

#include "common/token.h"
#include "registry/change.h"

#include "common/base.h"

enum { MACS_SHOWN = 100 };

/* ---- numbers ---- */

struct number_rules dnc_rules_of_all(void)
{
	return (struct number_rules){.region = "ZZ", .check = NUMBER_CHECK_FULL};
}

static void copy_digits(const char *from, dnc_digits digits)
{
	if (!str_copy(digits, sizeof(dnc_digits), str_of(*from == '+' ? from + 1 : from)))
		digits[0] = '\0'; /* never: both have as many digits */
}

bool dnc_read(
	const struct number_rules *rules, struct str given, dnc_digits digits, struct err *err)
{
	struct number number;
	struct shm_plan plan;
	enum number_fault fault = number_read(given, &number);

	if (fault != NUMBER_FINE)
		return fail_code(err, ERR_INPUT, "invalid_number", "%s", number_fault_text(fault));
	if (rules->check == NUMBER_CHECK_SYNTAX) {
		copy_digits(number.number, digits);
		return true;
	}
	if (!number_plan_find(number.number, rules->region, number.e164, &plan))
		return fail_code(err, ERR_INPUT, "invalid_number",
			"is no number of %s%s; write it with '+' and its country",
			str_eq(str_of(rules->region), STR("ZZ")) ? "any country" : "region ",
			str_eq(str_of(rules->region), STR("ZZ")) ? "" : rules->region);
	copy_digits(number.e164, digits);
	return true;
}

struct str dnc_key(const struct number *number)
{
	if (number->e164[0])
		return str_of(number->e164);
	return str_of(number->number[0] == '+' ? number->number + 1 : number->number);
}

/* ---- statements ---- */

static void arg_list(struct sql_args *args, const struct dnc_list *list)
{
	arg_i64(args, (int64_t)list->client_id);
	arg_i64(args, (int64_t)list->queue_id);
}

static void arg_digits(struct sql_args *args, const dnc_digits *numbers, size_t n)
{
	struct sql_array array = arg_array(args, TEXTOID);
	for (size_t i = 0; i < n; i++)
		array_text(&array, str_of(numbers[i]));
	array_end(&array);
}

static bool change(struct db *db, enum sql_query query, const struct sql_args *args,
	struct dnc_state *state, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!db_query(db, query, args, &rows, err))
		return false;
	*state = (struct dnc_state){.changed = (uint64_t)row_i64(&rows, 0, 0),
		.version = (uint64_t)row_i64(&rows, 0, 1),
		.numbers = (uint64_t)row_i64(&rows, 0, 2),
		.changed_us = INT64_MIN,
		.control_id = (uint64_t)row_i64(&rows, 0, 3)};
	rows_free(&rows);
	return true;
}

bool dnc_put(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_list(&args, list);
	arg_digits(&args, numbers, n);
	arg_text(&args, str_of(act->source));
	arg_text(&args, str_of(act->actor));
	bool ok = change(db, SQL_DNC_ADD, &args, state, err);
	args_free(&args);
	return ok;
}

static bool take(struct db *db, const struct dnc_list *list, const dnc_digits *numbers, size_t n,
	struct dnc_state *state, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_list(&args, list);
	arg_digits(&args, numbers, n);
	bool ok = change(db, SQL_DNC_REMOVE, &args, state, err);
	args_free(&args);
	return ok;
}

/* ---- the audit ---- */

static const char *name_of(const struct dnc_list *list)
{
	if (list->client_id == 0)
		return "everybody";
	return list->queue_id ? "batch" : "client";
}

static void put_macs(
	struct strbuf *sb, const struct secret_key *key, const dnc_digits *numbers, size_t n)
{
	char hex[2 * DIGEST_BYTES + 1];

	strbuf_puts(sb, ",\"number_macs\":[");
	for (size_t i = 0; i < MIN(n, (size_t)MACS_SHOWN); i++) {
		struct digest mac = secret_mac(key, str_of(numbers[i]));
		hex_encode(mac.b, DIGEST_BYTES, hex);
		strbuf_printf(sb, "%s\"%s\"", i ? "," : "", hex);
	}
	strbuf_putc(sb, ']');
}

bool dnc_record(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const char *action, const dnc_digits *numbers, size_t n, uint64_t changed, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;

	strbuf_printf(&detail, "{\"list\":\"%s\"", name_of(list));
	if (list->queue_id)
		strbuf_printf(&detail, ",\"queue_id\":%" PRIu64, list->queue_id);
	strbuf_printf(&detail, ",\"source\":\"%s\",\"numbers\":%" PRIu64, act->source, changed);
	if (act->mac_key)
		put_macs(&detail, act->mac_key, numbers, n);
	strbuf_putc(&detail, '}');
	bool ok = change_record(db, act->actor, action, list->accountcode, detail.p, err);
	strbuf_free(&detail);
	return ok;
}

/* ---- changes ---- */

static bool begin(struct db *db, const struct dnc_list *list, struct err *err)
{
	return list->client_id ? db_begin_as(db, list->client_id, err) : db_begin(db, err);
}

/* What was asked for is recorded when it has changed something. */
static bool finish(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const char *action, const dnc_digits *numbers, size_t n, const struct dnc_state *state,
	struct err *err)
{
	return (state->changed == 0 ||
		       dnc_record(db, list, act, action, numbers, n, state->changed, err)) &&
	       db_commit(db, err);
}

bool dnc_add(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err)
{
	if (begin(db, list, err) && dnc_put(db, list, act, numbers, n, state, err) &&
		finish(db, list, act, "dnc.add", numbers, n, state, err))
		return true;
	db_rollback(db);
	return false;
}

bool dnc_remove(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err)
{
	if (begin(db, list, err) && take(db, list, numbers, n, state, err) &&
		finish(db, list, act, "dnc.remove", numbers, n, state, err))
		return true;
	db_rollback(db);
	return false;
}

/* ---- looking ---- */

static bool query(struct db *db, const struct dnc_list *list, enum sql_query query,
	const struct sql_args *args, struct rows *rows, struct err *err)
{
	return list->client_id ? db_query_as(db, list->client_id, query, args, rows, err)
			       : db_query(db, query, args, rows, err);
}

bool dnc_head(struct db *db, const struct dnc_list *list, struct dnc_state *state, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_list(&args, list);
	bool ok = query(db, list, SQL_DNC_HEAD, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*state = (struct dnc_state){.changed_us = INT64_MIN};
	if (rows.n) {
		state->version = (uint64_t)row_i64(&rows, 0, 0);
		state->numbers = (uint64_t)row_i64(&rows, 0, 1);
		state->changed_us = row_time(&rows, 0, 2);
	}
	rows_free(&rows);
	return true;
}

bool dnc_part(struct db *db, const struct dnc_list *list, const struct dnc_part *part,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_list(&args, list);
	arg_text(&args, str_of(part->after));
	arg_i64(&args, (int64_t)part->limit);
	arg_i64(&args, (int64_t)part->offset);
	arg_text_or_null(&args, str_of(part->number));
	bool ok = query(db, list, SQL_DNC_PART, &args, rows, err);
	args_free(&args);
	return ok;
}

bool dnc_count(struct db *db, uint64_t client_id, uint64_t queue_id,
	const struct number *const *numbers, size_t n, uint64_t *listed, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	struct sql_array array = arg_array(&args, TEXTOID);

	for (size_t i = 0; i < n; i++)
		array_text(&array, dnc_key(numbers[i]));
	array_end(&array);
	arg_i64(&args, (int64_t)queue_id);
	bool ok = db_query_as(db, client_id, SQL_DNC_CHECK, &args, &rows, err);
	args_free(&args);
	if (ok)
		*listed = (uint64_t)rows.n;
	rows_free(&rows);
	return ok;
}

/* ---- new entries ---- */

bool dnc_end(struct db *db, uint64_t client_id, const struct dnc_chunk *chunks, size_t n,
	dnc_ended_fn *fn, void *arg, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)client_id);
	struct sql_array ids = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&ids, (int64_t)chunks[i].id);
	array_end(&ids);
	struct sql_array batches = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&batches, (int64_t)chunks[i].batch_id);
	array_end(&batches);
	bool ok = db_query(db, SQL_DNC_END_CHUNKS, &args, &rows, err);
	args_free(&args);
	for (int i = 0; ok && i < rows.n; i++)
		fn(arg, (uint64_t)row_i64(&rows, i, 0), (uint64_t)row_i64(&rows, i, 1));
	rows_free(&rows);
	return ok;
}
