/* What a receiver gets: one event as JSON. */
#ifndef CCS_COURIER_BODY_H
#define CCS_COURIER_BODY_H

#include "common/str.h"
#include "common/strbuf.h"

struct body_event {
	uint64_t client_id;
	int64_t seq;
	struct str type;
	int64_t occurred_us;
	const char *accountcode;
	struct str payload;	/* the event's, a JSON object */
	struct str custom_data; /* of the entry, as it was sent; p NULL: none */
};

/* {"id","seq","type","occurred_at","payload"} as everywhere, and beside it the members that receivers of call centers expect at the
 * top: event_type, accountcode, batch_id, call_id, phone_number, call_status, disposition, duration, start_time, end_time,
 * recording_url, custom_data, server_code, error_message. False when payload is no JSON object. */
MUST_USE bool body_of_event(struct strbuf *out, const struct body_event *event);

/* A test, by which a client sees whether its receiver is reached. */
void body_of_test(struct strbuf *out, uint64_t client_id, int64_t number, const char *accountcode,
	int64_t now_us);

/* "7-1234", or "7-test-5": the event's id everywhere, and the webhook-id. */
enum { BODY_ID_BYTES = 48 };
void body_id(uint64_t client_id, int64_t seq, char out[BODY_ID_BYTES]);

#endif
