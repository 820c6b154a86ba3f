/* ccsctl subject erase: a telephone number, of one client or of all. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "registry/subject.h"

#include "common/base.h"

const struct field subject_fields[] = {
#define FLAG(member, text)	FIELD_ROW_FLAG(struct subject_input, member, text)
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct subject_input, member, need, __VA_ARGS__)
#include "ctl/subject.def"
#undef FLAG
#undef TEXT
};
const size_t subject_fields_n = ARRAY_LEN(subject_fields);

/* Columns of client_facts. */
enum { ID = 0, ACCOUNTCODE = 2, REGION = 7 };

static bool is_meant(const struct subject_input *input, struct err *err)
{
	if ((input->all == 1) == (input->client.p != NULL))
		return fail(err, ERR_INPUT, "say whose: an account code, or --all");
	return input->yes == 1 ||
	       fail(err, ERR_INPUT,
		       "what is erased cannot be brought back, and calls that wait are "
		       "withdrawn: add "
		       "--yes when you mean it");
}

static json_t *receipt_json(const char *accountcode, const struct subject_receipt *receipt)
{
	char hex[2 * DIGEST_BYTES + 1];

	hex_encode(receipt->mac.b, DIGEST_BYTES, hex);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "accountcode", accountcode,
		"number_mac", hex, "withdrawn", (json_int_t)receipt->withdrawn, "entries",
		(json_int_t)receipt->entries, "details", (json_int_t)receipt->details, "events",
		(json_int_t)receipt->events, "batches", (json_int_t)receipt->batches, "answers",
		(json_int_t)receipt->answers);
}

static bool erase_of(struct ctl *ctl, const struct secret_key *key, const struct rows *rows,
	int row, json_t *receipts, struct err *err)
{
	char accountcode[48], region[8];
	struct subject subject;
	struct subject_receipt receipt;
	struct subject_wish wish = {.client_id = (uint64_t)row_i64(rows, row, ID),
		.accountcode = accountcode,
		.actor = ctl_actor()};

	if (!row_copy(rows, row, ACCOUNTCODE, accountcode, sizeof(accountcode)) ||
		!row_copy(rows, row, REGION, region, sizeof(region)))
		return fail(err, ERR_INTERNAL, "an account code that is too long");
	if (!subject_read(ctl->input.subject.number, region, &subject, err) ||
		!subject_erase(ctl->db, key, &subject, &wish, &receipt, err))
		return fail_context(err, "client %s", accountcode);
	json_array_append_new(receipts, receipt_json(accountcode, &receipt));
	if (!ctl->json)
		(void)printf("%s: %s is erased from %" PRIu64 " entries (%" PRIu64
			     " withdrawn), %" PRIu64 " details, %" PRIu64 " events, %" PRIu64
			     " batches, %" PRIu64 " answers.\n",
			accountcode, subject.masked, receipt.entries, receipt.withdrawn,
			receipt.details, receipt.events, receipt.batches, receipt.answers);
	return true;
}

bool subject_erase_now(struct ctl *ctl, struct err *err)
{
	const struct subject_input *input = &ctl->input.subject;
	const struct listing listing = {.filter.name = input->client};
	struct secret_key key;
	struct rows rows = ROWS_INIT;
	uint64_t total;

	if (!fields_check(subject_fields, subject_fields_n, input, err) || !is_meant(input, err) ||
		!secret_load_key(ctl->conf.common_secret_key_file, &key, err))
		return false;
	bool ok = ctl_db(ctl, err) && noun_rows(ctl->db, NOUN_CLIENT, &listing, &rows, &total, err);
	if (ok && rows.n == 0 && input->client.p)
		ok = fail(err, ERR_MISSING, "no client has accountcode %.*s", (int)input->client.n,
			input->client.p);
	json_t *receipts = json_array();
	for (int row = 0; ok && row < rows.n; row++)
		ok = erase_of(ctl, &key, &rows, row, receipts, err);
	if (ok && ctl->json)
		out_json(json_pack("{s:O}", "receipts", receipts));
	json_decref(receipts);
	rows_free(&rows);
	secret_wipe(&key, sizeof(key));
	return ok;
}
