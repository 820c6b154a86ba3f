/* Numbers that must not be called: see dnc.h. */
#include "dispatcher/dnc.h"

#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/call.h"
#include "dispatcher/journal.h"
#include "dispatcher/lookups.h"
#include "dispatcher/slot.h"
#include "shm/counters.h"

#include "common/base.h"

static const struct {
	const char *name, *reason;
} lists[] = {
	[DNC_EVERYBODY] = {"everybody", "do not call: everybody"},
	[DNC_CLIENT] = {"client", "do not call: client"},
	[DNC_BATCH] = {"batch", "do not call: batch"},
};

enum dnc_list dnc_list_of(struct str name)
{
	if (!name.p)
		return DNC_NONE;
	for (size_t i = DNC_EVERYBODY; i < ARRAY_LEN(lists); i++)
		if (str_eq(name, str_of(lists[i].name)))
			return (enum dnc_list)i;
	return DNC_EVERYBODY;
}

const char *dnc_reason(enum dnc_list list)
{
	return lists[list].reason;
}

struct str dnc_number(const struct shm_call *call)
{
	if (call->e164[0])
		return str_of(call->e164);
	return str_of(call->number[0] == '+' ? call->number + 1 : call->number);
}

/* Another slot in its place, without a server. In between its chunk must not take itself for done. */
void dnc_suppress(struct dispatcher *d, struct slot *slot, enum dnc_list list)
{
	struct call_identity id = {slot->entry_id, slot->head->client_id, 0, 0};
	struct shm_call facts = *slot->call;
	struct client *client = slot->client;
	struct chunk *chunk = slot->chunk;
	struct call_cause cause = {d->now_us, str_of(dnc_reason(list))};

	facts.seen = 0;
	facts.did[0] = '\0';
	if (chunk)
		chunk->live++;
	(void)call_step(d, slot, EV_NOT_JOURNALLED, &cause);
	slot = slot_open(d, &id, &facts); /* there is room: one was closed just now */
	if (!slot)
		die("dnc.slot", "entry=%llu", (unsigned long long)id.entry_id);
	slot->client = client;
	slot->chunk = chunk;
	(void)call_step(d, slot, EV_DENIED, &cause);
}

void dnc_withdraw(struct dispatcher *d, struct slot *slot)
{
	struct call_cause cause = {d->now_us, str_of(dnc_reason(slot->listed))};
	(void)call_step(d, slot, slot_is_ahead(slot) ? EV_TAKEN_BACK : EV_LISTED, &cause);
}

/* ---- who was called wants no more calls ---- */

void dnc_opt_out(struct server *server, const struct user_event *event)
{
	struct dispatcher *d = server->d;
	struct slot *slot = slot_of_call(server, event->call_id);

	if (!slot || slot_state(slot) < CALL_SENT) {
		log_warn("dnc.opt_out_refused",
			"server=%s call=%.*s why=\"no live call of this server\"",
			server->facts.server_code,
			(int)MIN(event->call_id.n, (size_t)AMI_CALL_ID_CHARS), event->call_id.p);
		return;
	}
	if (slot->call->seen & SEEN_OPTED_OUT)
		return;
	call_see(d, slot, SEEN_OPTED_OUT);
	journal_opt_out(d->journal, slot);
	counter_add(d->seg, COUNTER_opt_outs, 1);
}

void dnc_opt_out_again(struct dispatcher *d, const struct slot *slot)
{
	if (slot->call->seen & SEEN_OPTED_OUT)
		journal_opt_out(d->journal, slot);
}

/* ---- what was journalled before its number was listed ---- */

static bool is_unwritten(const struct slot *slot)
{
	return slot->head->n > 0 && slot_state(slot) <= CALL_ARMED && !slot->listed;
}

static void take_listed(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		struct slot *slot = slot_of_entry(d, (uint64_t)row_i64(rows, i, 0));
		if (!slot || !is_unwritten(slot))
			continue;
		slot->listed = dnc_list_of(row_text(rows, i, 1));
		if (slot_state(slot) == CALL_ARMED) /* else when its commit is there */
			dnc_withdraw(d, slot);
	}
}

static void asked(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	d->dnc_running = false;
	if (ok)
		return;
	log_warn("dnc.not_asked", "why=%s", log_q(err->text));
	lookups_pause(d);
	d->dnc_wanted = true;
}

void dnc_changed(struct dispatcher *d)
{
	d->dnc_wanted = true;
}

#define COLUMN(oid, add, value)                                                                    \
	do {                                                                                       \
		struct sql_array column_ = arg_array(&args, oid);                                  \
		for (slot = d->by_entry; slot; slot = slot->hh.next)                               \
			if (is_unwritten(slot)) {                                                  \
				add(&column_, value);                                              \
				any = true;                                                        \
			}                                                                          \
		array_end(&column_);                                                               \
	} while (0)

void dnc_ask(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;
	const struct slot *slot;
	bool any = false;

	if (!d->dnc_wanted || d->dnc_running || !d->recovered || !lookups_may(d))
		return;
	d->dnc_wanted = false;
	COLUMN(INT8OID, array_i64, (int64_t)slot->entry_id);
	COLUMN(INT8OID, array_i64, (int64_t)slot->head->client_id);
	COLUMN(INT8OID, array_i64, (int64_t)slot->call->queue_master_id);
	COLUMN(TEXTOID, array_text, dnc_number(slot->call));
	if (any) {
		d->dnc_running = true;
		stream_query(d->lookups, SQL_CALLS_LISTED, &args, take_listed, d);
		stream_end(d->lookups, asked, d);
	}
	args_free(&args);
}
