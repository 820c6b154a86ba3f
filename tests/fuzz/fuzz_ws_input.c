/* Frames of WebSocket clients: any bytes, cut anywhere. Read whole and in parts, the same must come out; a message is
 * text within its limit, and nothing is read after what is broken.
 *
 * Run: make fuzz. Its corpus is replayed by tests/unit/relay/test_input.c, which includes this file.
 *
 * Sources: relay/input.c common/strbuf.c common/utf8.c common/str.c common/log.c
 */
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "relay/input.h"

#include "common/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

struct story {
	struct strbuf text; /* kind, code and data of each frame */
	bool broken;
};

static void note(struct story *story, const struct input_frame *frame)
{
	uint8_t head[] = {(uint8_t)frame->kind, (uint8_t)(frame->code >> 8), (uint8_t)frame->code};
	if (frame->kind == INPUT_PARTIAL)
		return;
	CHECK(!story->broken);
	story->broken = frame->kind == INPUT_BROKEN;
	CHECK(frame->kind != INPUT_TEXT ||
		(frame->data.n <= INPUT_MESSAGE_MAX && utf8_prefix(frame->data) == frame->data.n));
	CHECK(frame->kind != INPUT_PING || frame->data.n <= INPUT_CONTROL_MAX);
	CHECK(!story->broken || frame->why);
	strbuf_add(&story->text, head, sizeof(head));
	strbuf_str(&story->text, frame->data);
}

static struct story read_in_parts(struct str bytes, size_t part)
{
	struct story story = {0};
	struct input input = {0};
	struct input_frame frame;
	while (bytes.n && !story.broken) {
		struct str some = {bytes.p, MIN(part, bytes.n)};
		size_t used = input_take(&input, some, &frame);
		CHECK(used > 0 && used <= some.n);
		note(&story, &frame);
		bytes = (struct str){bytes.p + used, bytes.n - used};
	}
	input_free(&input);
	return story;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct str bytes = {(const char *)data + 1, size - 1};
	struct story whole = read_in_parts(bytes, SIZE_MAX);
	struct story parts = read_in_parts(bytes, 1 + data[0] % 16);
	CHECK(whole.broken == parts.broken);
	CHECK(str_eq(strbuf_view(&whole.text), strbuf_view(&parts.text)));
	strbuf_free(&whole.text);
	strbuf_free(&parts.text);
	return 0;
}
