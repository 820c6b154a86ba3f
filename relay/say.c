/* Our messages: see say.h. */
#include "relay/say.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/utf8.h"
#include "relay/input.h"
#include "shm/envelope.h"

#include "common/base.h"

/* With the FIN bit: we never fragment. */
enum first_byte { FRAME_TEXT = 0x81, FRAME_CLOSE = 0x88, FRAME_PONG = 0x8a };

enum { HEAD_MAX = 4 };

static void frame(struct strbuf *sb, enum first_byte first, struct str payload)
{
	char head[HEAD_MAX] = {(char)first};
	size_t n = 2;
	if (payload.n < 126) {
		head[1] = (char)payload.n;
	} else {
		/* 16 bits: our longest message is an event */
		_Static_assert(SAY_EVENT_MAX < 65536, "frames have short lengths");
		head[1] = 126;
		head[2] = (char)(payload.n >> 8);
		head[3] = (char)payload.n;
		n = HEAD_MAX;
	}
	strbuf_add(sb, head, n);
	strbuf_str(sb, payload);
}

/* Where a message is written before its length is known. */
static struct strbuf *scratch(void)
{
	static struct strbuf text = STRBUF_INIT;
	strbuf_reset(&text);
	return &text;
}

static void message(struct strbuf *sb, const struct strbuf *text)
{
	frame(sb, FRAME_TEXT, strbuf_view(text));
}

void say_names(struct strbuf *sb, event_set events)
{
	char before = '[';
	for (int type = 0; type < EVENT_TYPE__N; type++) {
		if (!(events & 1U << type))
			continue;
		strbuf_printf(sb, "%c\"%s\"", before, event_type_name((enum event_type)type));
		before = ',';
	}
	strbuf_puts(sb, before == '[' ? "[]" : "]");
}

/* ,"name":7, or null. */
static void add_seq(struct strbuf *sb, const char *name, uint64_t seq, bool known)
{
	strbuf_printf(sb, ",\"%s\":", name);
	if (known)
		strbuf_u64(sb, seq);
	else
		strbuf_puts(sb, "null");
}

void say_connected(struct strbuf *sb, int64_t now_us, uint64_t seq, uint64_t resume_window)
{
	char time[CLOCK_TEXT_BYTES];
	struct strbuf *text = scratch();
	strbuf_printf(text, "{\"type\":\"connected\",\"server_time\":\"%s\",\"events\":",
		clock_utc_ms(now_us, time));
	say_names(text, every_event());
	add_seq(text, "seq", seq, seq != 0);
	strbuf_printf(text, ",\"resume_window\":%" PRIu64 "}", resume_window);
	message(sb, text);
}

void say_subscribed(struct strbuf *sb, const struct wish *wish, uint64_t seq)
{
	struct strbuf *text = scratch();
	strbuf_puts(text, "{\"type\":\"subscribed\",\"events\":");
	say_names(text, wish->events);
	for (int i = 0; i < WISH_FILTER__N; i++)
		if (wish->value[i][0])
			strbuf_printf(text, ",\"%s\":%s", wish_filter_name((enum wish_filter)i),
				wish->value[i]);
	add_seq(text, "seq", seq, seq != SAY_SEQ_UNKNOWN);
	strbuf_putc(text, '}');
	message(sb, text);
}

void say_mark(struct strbuf *sb, uint64_t seq)
{
	struct strbuf *text = scratch();
	strbuf_puts(text, "{\"type\":\"mark\"");
	add_seq(text, "seq", seq, true);
	strbuf_putc(text, '}');
	message(sb, text);
}

void say_resync(struct strbuf *sb, uint64_t after, uint64_t before)
{
	struct strbuf *text = scratch();
	strbuf_printf(text, "{\"type\":\"resync_required\",\"after\":%" PRIu64, after);
	add_seq(text, "before", before, before != 0);
	add_seq(text, "missed", before - after - 1, before != 0);
	strbuf_putc(text, '}');
	message(sb, text);
}

void say_closing(struct strbuf *sb, const char *detail, int64_t reconnect_after_ms)
{
	struct strbuf *text = scratch();
	strbuf_puts(text, "{\"type\":\"closing\",\"detail\":");
	strbuf_json(text, str_of(detail));
	strbuf_printf(text, ",\"reconnect_after_ms\":%" PRId64 "}", reconnect_after_ms);
	message(sb, text);
}

void say_event(struct strbuf *sb, const struct event_copy *event, uint64_t prev)
{
	struct strbuf *text = scratch();
	event_envelope(text, event, prev);
	message(sb, text);
}

void say_gap(struct strbuf *sb, uint64_t missed)
{
	struct strbuf *text = scratch();
	if (missed == SAY_MISSED_UNKNOWN)
		strbuf_puts(text, "{\"type\":\"gap\",\"missed\":null}");
	else
		strbuf_printf(text, "{\"type\":\"gap\",\"missed\":%" PRIu64 "}", missed);
	message(sb, text);
}

void say_error(struct strbuf *sb, const char *code, struct str detail, struct str members)
{
	struct strbuf *text = scratch();
	strbuf_printf(text, "{\"type\":\"error\",\"code\":\"%s\",\"detail\":", code);
	strbuf_json(text, detail);
	strbuf_str(text, members);
	strbuf_putc(text, '}');
	message(sb, text);
}

void say_pong(struct strbuf *sb, struct str data)
{
	frame(sb, FRAME_PONG, data);
}

void say_close(struct strbuf *sb, unsigned code, const char *reason)
{
	char payload[INPUT_CONTROL_MAX];
	struct str text = str_of(reason);
	if (code == CLOSE_NO_CODE) {
		frame(sb, FRAME_CLOSE, STR(""));
		return;
	}
	text.n = MIN(text.n, sizeof(payload) - 2);
	text.n = utf8_prefix(text);
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	memcpy(payload + 2, text.p, text.n);
	frame(sb, FRAME_CLOSE, (struct str){payload, text.n + 2});
}
