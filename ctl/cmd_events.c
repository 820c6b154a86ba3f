/* ccsctl events: what happened last, from PostgreSQL, and with --follow what happens, from the event ring. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "registry/event.h"
#include "shm/envelope.h"

#include "common/base.h"

enum { LAST_DEFAULT = 20, PAUSE_NS = 50 * 1000 * 1000 };

const struct field events_fields[] = {
#define FLAG(member, text)	  FIELD_ROW_FLAG(struct events_input, member, text)
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct events_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct events_input, member, need, __VA_ARGS__)
#include "ctl/events.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
const size_t events_fields_n = ARRAY_LEN(events_fields);

/* What is shown, and what has been: an event that PostgreSQL told of comes round in the ring, too. */
struct show {
	const struct ctl *ctl;
	uint32_t types; /* bit 1 << enum event_type */
	struct shown {
		uint64_t client_id, seq;
	} *shown;
	size_t shown_n;
};

static bool read_types(const struct events_input *input, uint32_t *types, struct err *err)
{
	struct str names = input->types, name;
	*types = names.p ? 0 : UINT32_MAX;
	while (str_split(&names, ',', &name)) {
		int type = event_type_find(name);
		if (type < 0)
			return fail(err, ERR_INPUT, "types: there is no event %.*s", (int)name.n,
				name.p);
		*types |= 1U << type;
	}
	return true;
}

/* A member of the payload, or "". */
static const char *member(const json_t *payload, const char *name)
{
	const char *text = json_string_value(json_object_get(payload, name));
	return text ? text : "";
}

static void print_event(const struct show *show, const struct event_copy *event)
{
	char at[CLOCK_TEXT_BYTES];
	struct strbuf text = STRBUF_INIT;
	if (show->ctl->json) {
		event_envelope(&text, event, event->head.seq - 1);
	} else {
		json_auto_t *payload = json_loadb(event->payload, event->head.payload, 0, NULL);
		const char *reason = member(payload, "reason");
		strbuf_printf(&text, "%s %-12s %7" PRIu64 "  %-14s %s %-16s %-10s %s%s%s",
			clock_utc_ms(event->head.occurred_us, at), member(payload, "accountcode"),
			event->head.seq, event_type_name((enum event_type)event->head.type),
			member(payload, "call_id"), member(payload, "phone_number"),
			member(payload, "server_code"), member(payload, "disposition"),
			*reason ? ": " : "", reason);
	}
	(void)puts(text.p);
	strbuf_free(&text);
}

/* ---- the past ---- */

static bool load_last(struct ctl *ctl, struct rows *rows, struct err *err)
{
	const struct events_input *input = &ctl->input.events;
	struct sql_args args = SQL_ARGS_INIT;
	arg_text_or_null(&args, input->client);
	arg_text_or_null(&args, input->types);
	arg_i64(&args, input->last == FIELD_NOT_GIVEN ? LAST_DEFAULT : input->last);
	bool ok = db_query(ctl->db, SQL_EVENTS_LAST, &args, rows, err);
	args_free(&args);
	return ok;
}

static void show_last(struct show *show, const struct rows *rows)
{
	static struct event_copy event;
	show->shown = calloc((size_t)rows->n + 1, sizeof(*show->shown));
	if (!show->shown)
		die("memory.exhausted", "rows=%d", rows->n);
	for (int row = 0; row < rows->n; row++) {
		if (!event_row_read(rows, row, &event))
			continue;
		print_event(show, &event);
		show->shown[show->shown_n++] = (struct shown){event.head.client_id, event.head.seq};
	}
}

/* ---- the present ---- */

static bool is_wanted(const struct show *show, uint64_t client_id, const struct event_copy *event)
{
	if ((client_id && event->head.client_id != client_id) ||
		event->head.type >= EVENT_TYPE__N || !(show->types & 1U << event->head.type))
		return false;
	for (size_t i = 0; i < show->shown_n; i++)
		if (show->shown[i].client_id == event->head.client_id &&
			show->shown[i].seq == event->head.seq)
			return false;
	return true;
}

/* For ever. What the ring had no room for any more is said where it does not disturb the lines of events. */
static void follow(
	struct show *show, struct segment *seg, struct event_cursor *cursor, uint64_t client_id)
{
	static struct event_copy event;
	uint64_t missed;
	for (;;) {
		switch (event_next(seg, cursor, &event, &missed)) {
		case EVENT_OK:
			if (is_wanted(show, client_id, &event))
				print_event(show, &event);
			break;
		case EVENT_NONE:
			(void)fflush(stdout);
			(void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
			(void)segment_check(seg);
			break;
		case EVENT_OVERRUN:
			(void)fprintf(stderr, "missed %" PRIu64 " events\n", missed);
			break;
		case EVENT_RESET:
			(void)fprintf(stderr,
				"the shared memory is another one: events may be missing\n");
			break;
		}
	}
}

static bool attach(
	const struct ctl *ctl, struct segment *seg, struct event_cursor *cursor, struct err *err)
{
	if (!segment_init(seg, ctl->conf.common_node, err))
		return false;
	if (!segment_attach_events(seg, err))
		return fail_context(err,
			"node %s has no events that can be read (its dispatcher makes them)",
			ctl->conf.common_node);
	event_cursor_newest(seg, cursor);
	return true;
}

static bool find_client(struct ctl *ctl, uint64_t *client_id, struct err *err)
{
	struct shm_client client;
	*client_id = 0;
	if (!ctl->input.events.client.p)
		return true;
	if (!client_by_accountcode(ctl->db, ctl->input.events.client, &client, err))
		return false;
	*client_id = client.id;
	return true;
}

bool events_show(struct ctl *ctl, struct err *err)
{
	const struct events_input *input = &ctl->input.events;
	bool follows = input->follow == 1;
	struct show show = {.ctl = ctl};
	struct rows rows = ROWS_INIT;
	struct event_cursor cursor;
	struct segment seg;
	uint64_t client_id;

	/* The cursor first: what happens while we look is in both, and shown once. */
	if (!fields_check(events_fields, events_fields_n, input, err) ||
		!read_types(input, &show.types, err) || !ctl_db(ctl, err) ||
		!find_client(ctl, &client_id, err) ||
		(follows && !attach(ctl, &seg, &cursor, err)) || !load_last(ctl, &rows, err))
		return false;
	show_last(&show, &rows);
	rows_free(&rows);
	if (follows)
		follow(&show, &seg, &cursor, client_id);
	free(show.shown);
	return true;
}
