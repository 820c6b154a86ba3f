/* Frames of clients: see input.h. */
#include "relay/input.h"

#include "common/utf8.h"

#include "common/base.h"

enum opcode { OP_CONTINUATION, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

enum { FINAL = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f, MASK_BYTES = 4 };

void input_free(struct input *input)
{
	strbuf_free(&input->message);
}

static enum opcode opcode_of(const struct input *input)
{
	return (enum opcode)(input->head[0] & OPCODE);
}

static bool is_control(const struct input *input)
{
	return opcode_of(input) >= OP_CLOSE;
}

/* Bytes that the length takes behind the head's first two. */
static size_t length_bytes(const struct input *input)
{
	uint8_t length = input->head[1] & LENGTH;
	return length == 126 ? 2 : length == 127 ? 8 : 0;
}

static bool broken(struct input_frame *frame, enum close_code code, const char *why)
{
	*frame = (struct input_frame){.kind = INPUT_BROKEN, .code = code, .why = why};
	return false;
}

/* The first two bytes. */
static bool judge_start(const struct input *input, struct input_frame *frame)
{
	enum opcode opcode = opcode_of(input);
	bool final = input->head[0] & FINAL;
	if (input->head[0] & RESERVED)
		return broken(frame, CLOSE_PROTOCOL_ERROR, "a reserved bit is set");
	if (!(input->head[1] & MASKED))
		return broken(frame, CLOSE_PROTOCOL_ERROR, "a client's frames must be masked");
	if ((opcode > OP_BINARY && opcode < OP_CLOSE) || opcode > OP_PONG)
		return broken(frame, CLOSE_PROTOCOL_ERROR, "unknown opcode");
	if (is_control(input) && (!final || length_bytes(input) != 0))
		return broken(
			frame, CLOSE_PROTOCOL_ERROR, "a control frame is fragmented or too long");
	if (opcode == OP_CONTINUATION && !input->in_message)
		return broken(frame, CLOSE_PROTOCOL_ERROR, "nothing there to continue");
	if ((opcode == OP_TEXT || opcode == OP_BINARY) && input->in_message)
		return broken(frame, CLOSE_PROTOCOL_ERROR, "the message before has no end");
	if (opcode == OP_BINARY)
		return broken(frame, CLOSE_NOT_ACCEPTED, "send text");
	return true;
}

/* The whole head but the mask: the length is known. */
static bool judge_length(struct input *input, struct input_frame *frame)
{
	size_t n = length_bytes(input);
	uint64_t length = n ? 0 : input->head[1] & LENGTH;
	for (size_t i = 0; i < n; i++)
		length = length << 8 | input->head[2 + i];
	input->length = length;
	if (!is_control(input) && length > INPUT_MESSAGE_MAX - input->message.n)
		return broken(frame, CLOSE_TOO_BIG, "a message has at most 4096 bytes");
	return true;
}

static bool take_head(struct input *input, uint8_t byte, struct input_frame *frame)
{
	input->head[input->head_n++] = byte;
	if (input->head_n < 2)
		return true;
	if (input->head_n == 2 && !judge_start(input, frame))
		return false;
	size_t known = 2 + length_bytes(input);
	if (input->head_n == known && !judge_length(input, frame))
		return false;
	input->in_payload = input->head_n == known + MASK_BYTES;
	return true;
}

static void unmask(struct input *input, char *to, const char *from, size_t n)
{
	const uint8_t *mask = &input->head[input->head_n - MASK_BYTES];
	for (size_t i = 0; i < n; i++)
		to[i] = (char)((uint8_t)from[i] ^ mask[(input->done + i) % MASK_BYTES]);
	input->done += n;
}

static size_t take_payload(struct input *input, struct str bytes)
{
	size_t n = MIN(bytes.n, input->length - input->done);
	if (is_control(input)) {
		unmask(input, (char *)&input->control[input->control_n], bytes.p, n);
		input->control_n = (uint8_t)(input->control_n + n);
	} else {
		unmask(input, strbuf_room(&input->message, n), bytes.p, n);
		input->message.n += n;
	}
	return n;
}

/* Codes that may stand in a frame. */
static bool is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

static void finish_close(struct input *input, struct input_frame *frame)
{
	*frame = (struct input_frame){.kind = INPUT_CLOSE, .code = CLOSE_NO_CODE};
	if (input->control_n == 0)
		return;
	unsigned code = (unsigned)input->control[0] << 8 | input->control[1];
	struct str reason = {
		(const char *)&input->control[2], (size_t)MAX(input->control_n, 2) - 2};
	if (input->control_n == 1 || !is_close_code(code))
		(void)broken(frame, CLOSE_PROTOCOL_ERROR, "no such close code");
	else if (utf8_prefix(reason) != reason.n)
		(void)broken(frame, CLOSE_NOT_TEXT, "a close reason is UTF-8");
	else
		frame->code = (enum close_code)code;
}

static void finish_message(struct input *input, struct input_frame *frame)
{
	struct str text = strbuf_view(&input->message);
	if (utf8_prefix(text) == text.n)
		*frame = (struct input_frame){.kind = INPUT_TEXT, .data = text};
	else
		(void)broken(frame, CLOSE_NOT_TEXT, "a text message is UTF-8");
}

static void finish(struct input *input, struct input_frame *frame)
{
	struct str control = {(const char *)input->control, input->control_n};
	bool final = input->head[0] & FINAL;
	switch (opcode_of(input)) {
	case OP_CLOSE:
		finish_close(input, frame);
		break;
	case OP_PING:
		*frame = (struct input_frame){.kind = INPUT_PING, .data = control};
		break;
	case OP_PONG:
		*frame = (struct input_frame){.kind = INPUT_PONG};
		break;
	case OP_CONTINUATION:
	case OP_TEXT:
	case OP_BINARY:
		input->in_message = !final;
		if (final)
			finish_message(input, frame);
		else
			*frame = (struct input_frame){.kind = INPUT_FRAGMENT};
		break;
	}
	input->head_n = 0;
	input->in_payload = false;
	input->done = 0;
}

/* The message or control frame handed out before has been read by now. */
static void begin_frame(struct input *input)
{
	if (!input->in_message)
		strbuf_free(&input->message);
	input->control_n = 0;
}

size_t input_take(struct input *input, struct str bytes, struct input_frame *frame)
{
	size_t at = 0;
	*frame = (struct input_frame){.kind = INPUT_PARTIAL};
	if (input->head_n == 0)
		begin_frame(input);
	while (at < bytes.n && !input->in_payload)
		if (!take_head(input, (uint8_t)bytes.p[at++], frame))
			return at;
	if (!input->in_payload)
		return at;
	at += take_payload(input, (struct str){bytes.p + at, bytes.n - at});
	if (input->done == input->length)
		finish(input, frame);
	return at;
}
