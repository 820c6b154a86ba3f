/* Payloads of call events: see news.h. */
#include "dispatcher/news.h"
#include "common/clock.h"
#include "dispatcher/call_id.h"
#include "dispatcher/call_result.h"
#include "dispatcher/disposition.h"
#include "dispatcher/journal.h"
#include "dispatcher/recording.h"
#include "dispatcher/redial_rules.h"

#include "common/base.h"

static void add_text(struct strbuf *sb, const char *name, const char *value)
{
	strbuf_printf(sb, ",\"%s\":", name);
	strbuf_json(sb, str_of(value));
}

static void add_time(struct strbuf *sb, const char *name, int64_t us)
{
	char text[CLOCK_TEXT_BYTES];
	if (us)
		strbuf_printf(sb, ",\"%s\":\"%s\"", name, clock_utc_ms(us, text));
	else
		strbuf_printf(sb, ",\"%s\":null", name);
}

/* Seconds with milliseconds, as the document's `duration` is a number of seconds. */
static void add_span(struct strbuf *sb, const char *name, int64_t from_us, int64_t to_us)
{
	int64_t ms = from_us && to_us > from_us ? (to_us - from_us) / US_PER_MS : 0;
	strbuf_printf(
		sb, ",\"%s\":%lld.%03lld", name, (long long)(ms / 1000), (long long)(ms % 1000));
}

/* What an answered call has told. */
static void add_result(struct strbuf *sb, const struct dispatcher *d, const struct slot *slot)
{
	const char *by = call_answered_by(d, slot);

	if (by)
		add_text(sb, "answered_by", by);
	else
		strbuf_puts(sb, ",\"answered_by\":null");
	char path[RECORDING_PATH_BYTES];
	if (recording_path(slot, path))
		add_text(sb, "recording", path);
	else
		strbuf_puts(sb, ",\"recording\":null");
	strbuf_puts(sb, ",\"result\":");
	call_result_json(d, slot, sb);
	strbuf_puts(sb,
		slot->call->seen & SEEN_OPTED_OUT ? ",\"opted_out\":true" : ",\"opted_out\":false");
}

static void add_end(struct strbuf *sb, const struct shm_call *call, enum event_type type)
{
	add_time(sb, "ended_at", call->ended_us);
	add_span(sb, "duration", call->sent_us, call->ended_us);
	add_span(sb, "billsec", call->answered_us, call->ended_us);
	add_text(sb, "disposition", disposition_name((enum disposition)call->disposition));
	if (call->hangup_cause)
		strbuf_printf(sb, ",\"hangup_cause\":%u", call->hangup_cause);
	else
		strbuf_puts(sb, ",\"hangup_cause\":null");
	if (type == EVENT_call_failed) {
		add_text(sb, "reason", call->reason);
		add_time(sb, "next_attempt_at", call->redial_us);
	}
}

/* While it goes on: how many may follow. */
static uint32_t left(const struct slot *slot)
{
	uint32_t budget = redial_rules_budget(slot);
	return budget > slot->head->n ? budget - slot->head->n : 0;
}

void news_call(struct dispatcher *d, struct slot *slot, enum event_type type, int64_t occurred_us,
	bool again)
{
	const struct shm_call *call = slot->call;
	struct strbuf sb = STRBUF_INIT;
	char id[AMI_CALL_ID_CHARS + 1];
	bool ended = type == EVENT_call_ended || type == EVENT_call_failed;
	bool maybe_told = again || (call->seen & SEEN_REBUILT);

	call_id_of(slot->entry_id, slot->head->n, id);
	strbuf_printf(&sb, "{\"call_id\":\"%s\"", id);
	if (call->batch_id)
		strbuf_printf(&sb, ",\"batch_id\":%llu", (unsigned long long)call->batch_id);
	else
		strbuf_puts(&sb, ",\"batch_id\":null");
	strbuf_printf(&sb, ",\"attempt\":%u,\"is_final\":%s,\"attempts_left\":%u", slot->head->n,
		ended && !(call->seen & SEEN_NOT_FINAL) ? "true" : "false",
		ended ? call->attempts_left : left(slot));
	add_text(&sb, "phone_number", call->phone_number);
	add_text(&sb, "accountcode", slot->client ? slot->client->facts.accountcode : "");
	add_text(&sb, "server_code", slot->server ? slot->server->facts.server_code : "");
	add_text(&sb, "did", call->did);
	if (slot->client && slot->client->facts.is_test)
		strbuf_puts(&sb, ",\"test\":true");
	add_time(&sb, "started_at", call->sent_us);
	add_time(&sb, "answered_at", call->answered_us);
	if (ended)
		add_end(&sb, call, type);
	if (type == EVENT_call_ended)
		add_result(&sb, d, slot);
	strbuf_putc(&sb, '}');
	journal_event(d->journal, slot, type, occurred_us, strbuf_view(&sb), maybe_told);
	strbuf_free(&sb);
}
