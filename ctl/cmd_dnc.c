/* ccsctl dnc: do-not-call lists, number by number or by the file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "ctl/dnc_file.h"

#include "common/base.h"

#define FIELDS_OF(name) const size_t name##_fields_n = ARRAY_LEN(name##_fields)
const struct field dnc_fields[] = {
#define FLAG(member, text)	  FIELD_ROW_FLAG(struct dnc_input, member, text)
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct dnc_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct dnc_input, member, need, __VA_ARGS__)
#include "ctl/dnc.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
FIELDS_OF(dnc);
const struct field dnc_list_fields[] = {
#define FLAG(member, text)	  FIELD_ROW_FLAG(struct dnc_list_input, member, text)
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct dnc_list_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct dnc_list_input, member, need, __VA_ARGS__)
#include "ctl/dnc_list.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
FIELDS_OF(dnc_list);

/* ---- whose ---- */

static bool find_client(struct ctl *ctl, struct ctl_dnc *dnc, struct err *err)
{
	if (!client_by_accountcode(ctl->db, dnc->client, &dnc->owner, err))
		return false;
	dnc->list.client_id = dnc->owner.id;
	dnc->list.accountcode = dnc->owner.accountcode;
	dnc->rules = client_number_rules(&dnc->owner, &ctl->conf);
	return true;
}

static bool find_batch(struct ctl *ctl, struct ctl_dnc *dnc, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	if (dnc->batch_id == FIELD_NOT_GIVEN)
		return true;
	arg_i64(&args, (int64_t)dnc->owner.id);
	arg_i64(&args, dnc->batch_id);
	arg_bool(&args, true);
	bool ok = db_query(ctl->db, SQL_QUEUE_MASTER_FIND, &args, &rows, err);
	args_free(&args);
	if (ok && rows.n == 0)
		ok = fail(err, ERR_MISSING, "client %s has no batch %" PRId64,
			dnc->owner.accountcode, dnc->batch_id);
	if (ok)
		dnc->list.queue_id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok;
}

bool ctl_dnc_find(struct ctl *ctl, struct ctl_dnc *dnc, struct err *err)
{
	if ((dnc->all == 1) == (dnc->client.p != NULL) ||
		(dnc->all == 1 && dnc->batch_id != FIELD_NOT_GIVEN))
		return fail(err, ERR_INPUT, "say whose list: an account code, or --all");
	dnc->list = (struct dnc_list){.accountcode = "-"};
	dnc->rules = dnc_rules_of_all();
	return ctl_db(ctl, err) &&
	       (dnc->all == 1 || (find_client(ctl, dnc, err) && find_batch(ctl, dnc, err)));
}

/* ---- numbers ---- */

typedef bool change_fn(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err);

static bool read_number(struct ctl *ctl, struct ctl_dnc *dnc, dnc_digits digits, struct err *err)
{
	const struct dnc_input *input = &ctl->input.dnc;
	struct err why;

	*dnc = (struct ctl_dnc){
		.client = input->client, .batch_id = input->batch_id, .all = input->all};
	if (!fields_check(dnc_fields, dnc_fields_n, input, err) || !ctl_dnc_find(ctl, dnc, err))
		return false;
	return dnc_read(&dnc->rules, input->number, digits, &why) ||
	       fail_code(err, why.kind, why.code, "the number %s", why.text);
}

static bool change(struct ctl *ctl, change_fn *fn, const char *done, struct err *err)
{
	struct dnc_act act = {.actor = ctl_actor(), .source = "operator"};
	struct dnc_state state;
	struct secret_key key;
	struct ctl_dnc dnc;
	dnc_digits digits;

	if (!read_number(ctl, &dnc, digits, err) ||
		!secret_load_key(ctl->conf.common_secret_key_file, &key, err))
		return false;
	act.mac_key = &key;
	bool ok = fn(ctl->db, &dnc.list, &act, (const dnc_digits *)&digits, 1, &state, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	if (ctl->json)
		out_json(json_pack("{s:s, s:b, s:I, s:I}", "number", digits, "changed",
			(int)(state.changed > 0), "total", (json_int_t)state.numbers, "version",
			(json_int_t)state.version));
	else
		(void)printf("%s %s; %" PRIu64 " numbers are on the list.\n", digits,
			state.changed ? done : "changes nothing", state.numbers);
	return true;
}

bool dnc_add_one(struct ctl *ctl, struct err *err)
{
	return change(ctl, dnc_add, "is not called any more", err);
}

bool dnc_remove_one(struct ctl *ctl, struct err *err)
{
	return change(ctl, dnc_remove, "is off the list", err);
}

bool dnc_check_one(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct ctl_dnc dnc;
	dnc_digits digits;

	if (!read_number(ctl, &dnc, digits, err))
		return false;
	const struct dnc_part part = {.after = "", .limit = 1, .number = digits};
	if (!dnc_part(ctl->db, &dnc.list, &part, &rows, err))
		return false;
	char since[CLOCK_TEXT_BYTES] = "";
	if (rows.n)
		(void)clock_utc(row_time(&rows, 0, DNC_ADDED_AT), since);
	if (ctl->json)
		out_json(json_pack("{s:s, s:b}", "number", digits, "listed", rows.n));
	else if (rows.n)
		(void)printf("%s is on the list since %s: by %s (%s).\n", digits, since,
			row_text(&rows, 0, DNC_ADDED_BY).p, row_text(&rows, 0, DNC_SOURCE).p);
	else
		(void)printf("%s is not on the list.\n", digits);
	rows_free(&rows);
	return true;
}

/* ---- all of them ---- */

static bool find_list(struct ctl *ctl, struct ctl_dnc *dnc, struct err *err)
{
	const struct dnc_list_input *input = &ctl->input.dnc_list;

	*dnc = (struct ctl_dnc){
		.client = input->client, .batch_id = input->batch_id, .all = input->all};
	return fields_check(dnc_list_fields, dnc_list_fields_n, input, err) &&
	       ctl_dnc_find(ctl, dnc, err);
}

bool dnc_list_show(struct ctl *ctl, struct err *err)
{
	struct dnc_state state;
	struct ctl_dnc dnc;

	if (!find_list(ctl, &dnc, err) || !dnc_head(ctl->db, &dnc.list, &state, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I, s:I}", "total", (json_int_t)state.numbers, "version",
			(json_int_t)state.version));
	else
		(void)printf("%" PRIu64 " numbers, version %" PRIu64
			     "; \"ccsctl dnc export\" writes them.\n",
			state.numbers, state.version);
	return true;
}

static void print_part(const struct rows *rows)
{
	char at[CLOCK_TEXT_BYTES];

	for (int i = 0; i < rows->n; i++)
		(void)printf("%s,%s,%s,%s\n", row_text(rows, i, DNC_NUMBER).p,
			row_text(rows, i, DNC_SOURCE).p, row_text(rows, i, DNC_ADDED_BY).p,
			clock_utc(row_time(rows, i, DNC_ADDED_AT), at));
}

bool dnc_export_all(struct ctl *ctl, struct err *err)
{
	struct dnc_part part = {.after = "", .limit = DNC_PART_ROWS};
	struct rows rows = ROWS_INIT;
	struct ctl_dnc dnc;
	dnc_digits last = "";
	bool ok, more = true;

	if (!find_list(ctl, &dnc, err))
		return false;
	(void)puts("phone_number,source,added_by,added_at");
	for (ok = true; ok && more;) {
		part.after = last;
		ok = dnc_part(ctl->db, &dnc.list, &part, &rows, err);
		if (!ok)
			break;
		print_part(&rows);
		more = rows.n == DNC_PART_ROWS;
		if (more)
			ok = row_copy(&rows, rows.n - 1, DNC_NUMBER, last, sizeof(last));
		rows_free(&rows);
	}
	return ok;
}
