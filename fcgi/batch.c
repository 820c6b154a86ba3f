/* Gathering a batch: see batch.h. */
#include <inttypes.h>
#include <stdio.h>

#include "fcgi/batch.h"
#include "fcgi/put.h"
#include "registry/client.h"
#include "registry/context_allowed.h"

#include "common/base.h"

struct number_rules rules_of(const struct app *app, const struct shm_client *client)
{
	return client_number_rules(client, app->conf);
}

void batch_begin(struct batch *batch, struct db *db, const struct shm_client *client,
	struct arena *arena, const struct number_rules *rules)
{
	*batch = (struct batch){.client = client,
		.arena = arena,
		.rules = *rules,
		.shown = {.db = db, .arena = arena, .client_id = client->id},
		.rejected = STRBUF_INIT};
	put_array(&batch->rejected, NULL);
}

void batch_end(struct batch *batch)
{
	strbuf_free(&batch->rejected);
}

/* Text of at most max bytes, cut between characters. */
static struct str cut(struct str text, size_t max)
{
	if (text.n <= max)
		return text;
	while (max > 0 && ((unsigned char)text.p[max] & 0xc0) == 0x80)
		max--;
	return (struct str){text.p, max};
}

static void reject(struct batch *batch, const struct batch_entry *entry, const struct err *why)
{
	enum { SHOWN_BYTES = 64 }; /* a number that is none may be a megabyte */
	if (batch->first_rejection.kind == ERR_NONE)
		batch->first_rejection = *why;
	batch->rejected_n++;
	put_object(&batch->rejected, NULL);
	put_u64(&batch->rejected, "index", entry->index);
	put_text(&batch->rejected, "phone_number", cut(entry->phone_number, SHOWN_BYTES));
	put_text(&batch->rejected, "reason", str_of(why->code));
	put_text(&batch->rejected, "detail", str_of(why->text));
	put_end(&batch->rejected, '}');
}

static struct batch_row *row_add(struct batch *batch)
{
	if (batch->n == batch->cap) {
		size_t cap = MAX(batch->cap * 2, (size_t)64);
		struct batch_row *rows = arena_alloc(batch->arena, cap * sizeof(*rows));
		if (!rows)
			return NULL;
		if (batch->n)
			memcpy(rows, batch->rows, batch->n * sizeof(*rows));
		batch->rows = rows;
		batch->cap = cap;
	}
	return &batch->rows[batch->n++];
}

/* "is empty" becomes a sentence. */
static void name_entry(uint32_t index, struct err *why)
{
	const struct err cause = *why;
	(void)fail_code(why, cause.kind, cause.code, "phone_number of entry %" PRIu32 " %s", index,
		cause.text);
}

static bool out_of_memory(struct err *err)
{
	return fail(err, ERR_TOO_LARGE,
		"the batch needs more memory than one request may take; send it in parts");
}

/* The last row goes again when its number has come before. */
static bool dedupe(struct batch *batch, const struct batch_entry *entry, struct err *err)
{
	struct err why;
	switch (number_set_add(&batch->seen, batch->arena, &batch->rows[batch->n - 1].number)) {
	case NUMBER_NEW:
		return true;
	case NUMBER_AGAIN:
		batch->n--;
		(void)fail_code(&why, ERR_INPUT, "duplicate_number",
			"phone_number of entry %" PRIu32 " is that of an earlier entry",
			entry->index);
		reject(batch, entry, &why);
		return true;
	case NUMBER_NO_ROOM:
		break;
	}
	return out_of_memory(err);
}

static bool may_show(
	struct batch *batch, const struct batch_entry *entry, bool *may, struct err *err)
{
	char what[32];
	struct err why;
	*may = true;
	if (!entry->did.p)
		return true;
	if (!shown_find(&batch->shown, entry->did, may, err))
		return false;
	if (!*may) {
		(void)snprintf(what, sizeof(what), "did of entry %" PRIu32, entry->index);
		(void)shown_denied(&why, what);
		reject(batch, entry, &why);
	}
	return true;
}

bool batch_gather(void *arg, const struct batch_entry *entry, struct err *err)
{
	struct batch *batch = arg;
	struct number number;
	struct err why;

	if (entry->problem) {
		reject(batch, entry, entry->problem);
		return true;
	}
	if (!number_accept(&batch->rules, entry->phone_number, &number, &why)) {
		name_entry(entry->index, &why);
		reject(batch, entry, &why);
		return true;
	}
	bool may;
	if (!may_show(batch, entry, &may, err))
		return false;
	if (!may)
		return true;
	struct batch_row *row = row_add(batch);
	if (!row)
		return out_of_memory(err);
	*row = (struct batch_row){entry->phone_number, entry->custom_data, entry->did, number};
	return !batch->dedupe || dedupe(batch, entry, err);
}

bool batch_close(struct batch *batch, bool strict, struct err *err)
{
	bool may = true;
	put_end(&batch->rejected, ']');
	if (!context_allowed(batch->shown.db, batch->shown.client_id, &batch->head.settings, err))
		return false;
	if (batch->head.settings.did.p &&
		!shown_find(&batch->shown, batch->head.settings.did, &may, err))
		return false;
	if (!may)
		return shown_denied(err, "did");
	if (batch->n > 0 && (!strict || batch->first_rejection.kind == ERR_NONE))
		return true;
	*err = batch->first_rejection;
	return false;
}
