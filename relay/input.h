/* What a client sends: WebSocket frames (RFC 6455), byte by byte as they arrive.
 *
 * A reader of our own, because libwebsockets takes unmasked frames as they come (4.1.6, and later ones), which the
 * standard forbids, and hands on messages of any length piece by piece. This one breaks the connection off at the
 * first byte that shows what is wrong, and never holds more than one message.
 */
#ifndef CCS_RELAY_INPUT_H
#define CCS_RELAY_INPUT_H

#include "common/strbuf.h"

enum { INPUT_MESSAGE_MAX = 4096, INPUT_HEAD_MAX = 14, INPUT_CONTROL_MAX = 125 };

/* Close codes of RFC 6455, 7.4.1. */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_GOING_AWAY = 1001,
	CLOSE_PROTOCOL_ERROR = 1002,
	CLOSE_NOT_ACCEPTED = 1003,
	CLOSE_NO_CODE = 1005, /* stands in no frame: the peer gave none */
	CLOSE_NOT_TEXT = 1007,
	CLOSE_POLICY = 1008,
	CLOSE_TOO_BIG = 1009,
};

enum input_kind {
	INPUT_PARTIAL,	/* nothing yet: all bytes are used up */
	INPUT_FRAGMENT, /* a frame, but its message goes on */
	INPUT_TEXT,	/* data is a message */
	INPUT_PING,	/* data is to be sent back in a pong */
	INPUT_PONG,
	INPUT_CLOSE,  /* code says why, CLOSE_NO_CODE when the peer did not */
	INPUT_BROKEN, /* code and why say what is wrong; nothing after it can be read */
};

struct input {
	uint8_t head[INPUT_HEAD_MAX];
	uint8_t head_n;
	uint8_t control_n;
	bool in_payload;       /* the head is complete */
	bool in_message;       /* a fragment has come, its end has not */
	uint64_t length, done; /* of the payload */
	struct strbuf message;
	uint8_t control[INPUT_CONTROL_MAX];
};

struct input_frame {
	enum input_kind kind;
	struct str data; /* good until the next call */
	enum close_code code;
	const char *why;
};

void input_free(struct input *input);

/* Reads to the end of one frame at most; the number of bytes it has used. */
size_t input_take(struct input *input, struct str bytes, struct input_frame *frame);

#endif
