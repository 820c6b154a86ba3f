/* DELETE /subjects/{number}: a telephone number of the client is erased, with a receipt. */
#include <stdio.h>

#include "fcgi/put.h"
#include "fcgi/record.h"
#include "fcgi/router.h"
#include "registry/subject.h"

#include "common/base.h"

static void put_receipt(struct strbuf *sb, const struct req *req, const struct subject *subject,
	const struct subject_receipt *receipt)
{
	char mac[2 * DIGEST_BYTES + 1];

	hex_encode(receipt->mac.b, DIGEST_BYTES, mac);
	put_object(sb, NULL);
	put_text(sb, "message", STR("Number erased"));
	put_text(sb, "status", STR("success"));
	put_text(sb, "number", str_of(subject->masked));
	put_text(sb, "number_mac", str_of(mac));
	put_time(sb, "erased_at", req->now_us);
	put_object(sb, "erased");
	put_u64(sb, "entries", receipt->entries);
	put_u64(sb, "details", receipt->details);
	put_u64(sb, "events", receipt->events);
	put_u64(sb, "batches", receipt->batches);
	put_u64(sb, "answers", receipt->answers);
	put_end(sb, '}');
	put_u64(sb, "withdrawn", receipt->withdrawn);
	put_end(sb, '}');
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
	if (ok)
		put_receipt(&reply->body, req, &subject, &receipt);
	return ok;
}
