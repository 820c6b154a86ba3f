/* Reads Asterisk's side of an AMI connection, message by message, out of a buffer that the caller
 * owns. Nothing is copied and nothing is kept: a message is a set of views into the buffer, and the
 * parser says how many bytes it took. So the caller can look at a socket's bytes (MSG_PEEK) and
 * discard them only after what they mean has been stored.
 *
 * Names are compared without case, the blank after ':' may be missing, a bare LF ends a line too,
 * and of several headers of one name the first counts: all as Asterisk does it. Everything in here
 * is untrusted.
 */
#ifndef CCS_DISPATCHER_AMI_PARSE_H
#define CCS_DISPATCHER_AMI_PARSE_H

#include "common/str.h"

/* A message longer than this is no message: the longest seen have a few KiB. */
enum { AMI_MESSAGE_MAX = 1 << 20 };

enum ami_header {
#define AMI_HEADER(constant, name) AMI_H_##constant,
#include "dispatcher/ami_headers.def"
#undef AMI_HEADER
	AMI_HEADER__N
};

enum ami_event {
	AMI_E_OTHER, /* none that we look at */
#define AMI_EVENT(constant, name) AMI_E_##constant,
#include "dispatcher/ami_events.def"
#undef AMI_EVENT
	AMI_EVENT__N
};

enum ami_kind { AMI_KIND_OTHER, AMI_KIND_RESPONSE, AMI_KIND_EVENT, AMI_KIND__N };

struct ami_message {
	enum ami_kind kind;   /* by the name of the first line */
	enum ami_event event; /* of an AMI_KIND_EVENT */
	struct str text;      /* all its lines: what user_event.h reads */
	uint32_t seen;	      /* bit 1 << enum ami_header: that header stands in headers[] */
	struct str
		headers[AMI_HEADER__N]; /* through ami_header() only: unseen ones are not cleared */
};

enum ami_parsed {
	AMI_MESSAGE, /* one message; *used bytes are its own */
	AMI_MORE,    /* no whole message yet */
	AMI_BAD	     /* never will be one */
};

/* Takes the message at the start of in. *searched is the caller's memory of bytes that are known to
 * hold no end: 0 for a new message, then left alone until the message is complete; so a message
 * that comes in a thousand pieces is not read a thousand times. An event that we do not look at is
 * recognised by its first line; its headers are not read. An empty line where a message should
 * begin is a message of nothing (AMI_KIND_OTHER). */
enum ami_parsed ami_parse_next(
	struct str in, size_t *searched, struct ami_message *msg, size_t *used);

/* Takes the banner line that comes before everything else: "Asterisk Call Manager/11.0.0". *version
 * is what stands behind the slash. BAD as soon as it cannot be one. */
enum ami_parsed ami_parse_banner(struct str in, struct str *version, size_t *used);

/* Cuts the next line off, without its CR LF or LF. False when its end is not there. */
bool ami_next_line(struct str *rest, struct str *line);

/* "Name: value", the value without blanks around it. False without a colon. */
bool ami_split_line(struct str line, struct str *name, struct str *value);

/* The value of a header, empty when the message has none. */
static inline struct str ami_header(const struct ami_message *msg, enum ami_header header)
{
	return msg->seen & UINT32_C(1) << header ? msg->headers[header] : STR("");
}

/* A header as a number; absent where it is missing or no number. */
uint32_t ami_number(const struct ami_message *msg, enum ami_header header, uint32_t absent);

/* The header Timestamp in wall microseconds; 0 without one (timestampevents = no). */
int64_t ami_timestamp_us(const struct ami_message *msg);

/* A Response that says Success, or an OriginateResponse that does. */
bool ami_is_success(const struct ami_message *msg);

#endif
