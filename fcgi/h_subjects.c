/* DELETE /subjects/{number} and /admin/subjects/{number}: a telephone number is erased, with a receipt. */
#include <stdio.h>

#include "fcgi/permit.h"
#include "fcgi/put.h"
#include "fcgi/record.h"
#include "fcgi/router.h"
#include "registry/client.h"
#include "registry/subject.h"

#include "common/base.h"

static void put_head(struct strbuf *sb, const struct req *req)
{
	put_object(sb, NULL);
	put_text(sb, "message", STR("Number erased"));
	put_text(sb, "status", STR("success"));
	put_time(sb, "erased_at", req->now_us);
}

/* The members of one receipt. */
static void put_receipt(
	struct strbuf *sb, const struct subject *subject, const struct subject_receipt *receipt)
{
	char mac[2 * DIGEST_BYTES + 1];

	hex_encode(receipt->mac.b, DIGEST_BYTES, mac);
	put_text(sb, "number", str_of(subject->masked));
	put_text(sb, "number_mac", str_of(mac));
	put_object(sb, "erased");
	put_u64(sb, "entries", receipt->entries);
	put_u64(sb, "details", receipt->details);
	put_u64(sb, "events", receipt->events);
	put_u64(sb, "batches", receipt->batches);
	put_u64(sb, "answers", receipt->answers);
	put_end(sb, '}');
	put_u64(sb, "withdrawn", receipt->withdrawn);
}

bool handle_erase_subject(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[64], by[RECORD_BY_BYTES];
	struct subject subject;
	struct subject_receipt receipt;
	struct secret_key key;

	(void)snprintf(actor, sizeof(actor), "client:%s", req->client->accountcode);
	const struct subject_wish wish = {.client_id = req->client->id,
		.accountcode = req->client->accountcode,
		.actor = actor,
		.by = record_by(req, by)};
	if (!subject_read(req_param(req, "number"), req->client->region, &subject, err) ||
		!secret_load_key(app->conf->common_secret_key_file, &key, err))
		return false;
	bool ok = subject_erase(app->db, &key, &subject, &wish, &receipt, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	put_head(&reply->body, req);
	put_receipt(&reply->body, &subject, &receipt);
	put_end(&reply->body, '}');
	return true;
}

/* ---- an administrator's: one client's, or everybody's ---- */

/* Columns of client_facts. */
enum { ID = 0, ACCOUNTCODE = 2, REGION = 7 };

static bool erase_of(struct app *app, const struct req *req, const struct secret_key *key,
	const struct rows *rows, int row, struct strbuf *sb, struct err *err)
{
	char actor[ACTOR_BYTES], accountcode[48], region[8];
	struct subject subject;
	struct subject_receipt receipt;
	const struct subject_wish wish = {.client_id = (uint64_t)row_i64(rows, row, ID),
		.accountcode = accountcode,
		.actor = actor_of(req, actor)};

	if (!row_copy(rows, row, ACCOUNTCODE, accountcode, sizeof(accountcode)) ||
		!row_copy(rows, row, REGION, region, sizeof(region)))
		return fail(err, ERR_INTERNAL, "an account code that is too long");
	if (!subject_read(req_param(req, "number"), region, &subject, err) ||
		!subject_erase(app->db, key, &subject, &wish, &receipt, err))
		return false;
	put_object(sb, NULL);
	put_text(sb, "accountcode", str_of(accountcode));
	put_receipt(sb, &subject, &receipt);
	put_end(sb, '}');
	return true;
}

bool handle_admin_erase_subject(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct str accountcode = req_query(req, "accountcode");
	struct strbuf *sb = &reply->body;
	const struct listing listing = {.filter.name = accountcode};
	struct rows rows = ROWS_INIT;
	uint64_t total;
	struct secret_key key;

	if (!secret_load_key(app->conf->common_secret_key_file, &key, err))
		return false;
	bool ok = noun_rows(app->db, NOUN_CLIENT, &listing, &rows, &total, err);
	if (ok && rows.n == 0 && accountcode.p)
		ok = fail(err, ERR_MISSING, "no client has this accountcode");
	put_head(sb, req);
	put_array(sb, "receipts");
	for (int row = 0; ok && row < rows.n; row++)
		ok = erase_of(app, req, &key, &rows, row, sb, err);
	put_end(sb, ']');
	put_end(sb, '}');
	rows_free(&rows);
	secret_wipe(&key, sizeof(key));
	return ok;
}
