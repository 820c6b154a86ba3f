/* The body of a delivery: see body.h. */
#include "courier/body.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

#include "common/base.h"

void body_id(uint64_t client_id, int64_t seq, char out[BODY_ID_BYTES])
{
	if (seq < 0)
		(void)snprintf(out, BODY_ID_BYTES, "%" PRIu64 "-test-%" PRId64, client_id, -seq);
	else
		(void)snprintf(out, BODY_ID_BYTES, "%" PRIu64 "-%" PRId64, client_id, seq);
}

static void begin(
	struct strbuf *out, uint64_t client_id, int64_t seq, struct str type, int64_t occurred_us)
{
	char id[BODY_ID_BYTES], at[CLOCK_TEXT_BYTES];

	body_id(client_id, seq, id);
	strbuf_printf(
		out, "{\"id\":\"%s\",\"seq\":%" PRId64 ",\"type\":", id, MAX(seq, (int64_t)0));
	strbuf_json(out, type);
	strbuf_printf(
		out, ",\"occurred_at\":\"%s\",\"event_type\":", clock_utc_ms(occurred_us, at));
}

/* By our type and, of a call that failed, by its disposition. */
static struct str event_type(struct str type, struct str disposition)
{
	static const struct {
		struct str disposition, name;
	} failures[] = {
		{{"busy", 4}, {"call_busy", 9}},
		{{"no_answer", 9}, {"call_no_answer", 14}},
		{{"expired", 7}, {"call_timeout", 12}},
	};
	if (str_eq(type, STR("call_ended")))
		return STR("call_completed");
	if (str_eq(type, STR("call_failed")))
		for (size_t i = 0; i < ARRAY_LEN(failures); i++)
			if (str_eq(disposition, failures[i].disposition))
				return failures[i].name;
	return type;
}

static struct str status_of(struct str type, struct str disposition)
{
	if (disposition.n)
		return disposition;
	if (str_eq(type, STR("call_started")))
		return STR("started");
	return str_eq(type, STR("call_answered")) ? STR("answered") : STR("");
}

static void add_text(struct strbuf *out, const char *name, struct str text)
{
	strbuf_printf(out, ",\"%s\":", name);
	if (text.n)
		strbuf_json(out, text);
	else
		strbuf_puts(out, "null");
}

/* A member of the payload under another name; null when it is not there. */
static void add_copy(
	struct strbuf *out, const char *name, const json_t *payload, const char *member)
{
	const json_t *value = json_object_get(payload, member);
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;

	strbuf_printf(out, ",\"%s\":%s", name, text ? text : "null");
	free(text);
}

static struct str text_of(const json_t *payload, const char *member)
{
	return str_of(json_string_value(json_object_get(payload, member)));
}

bool body_of_event(struct strbuf *out, const struct body_event *event)
{
	json_t *payload = json_loadb(event->payload.p, event->payload.n, 0, NULL);
	if (!json_is_object(payload)) {
		json_decref(payload);
		return false;
	}
	struct str disposition = text_of(payload, "disposition");
	begin(out, event->client_id, event->seq, event->type, event->occurred_us);
	strbuf_json(out, event_type(event->type, disposition));
	add_text(out, "accountcode", str_of(event->accountcode));
	add_copy(out, "batch_id", payload, "batch_id");
	add_copy(out, "call_id", payload, "call_id");
	add_copy(out, "phone_number", payload, "phone_number");
	add_text(out, "call_status", status_of(event->type, disposition));
	add_text(out, "disposition", disposition);
	add_copy(out, "duration", payload, "duration");
	add_copy(out, "start_time", payload, "started_at");
	add_copy(out, "end_time", payload, "ended_at");
	add_copy(out, "recording_url", payload, "recording_url");
	add_copy(out, "server_code", payload, "server_code");
	add_copy(out, "error_message", payload, "reason");
	strbuf_puts(out, ",\"custom_data\":");
	strbuf_str(out, event->custom_data.p ? event->custom_data : STR("null"));
	strbuf_puts(out, ",\"payload\":");
	strbuf_str(out, event->payload);
	strbuf_putc(out, '}');
	json_decref(payload);
	return true;
}

void body_of_test(struct strbuf *out, uint64_t client_id, int64_t number, const char *accountcode,
	int64_t now_us)
{
	begin(out, client_id, -number, STR("test"), now_us);
	strbuf_json(out, STR("test"));
	add_text(out, "accountcode", str_of(accountcode));
	strbuf_puts(out, ",\"payload\":{\"message\":\"This is a test.\"}}");
}
