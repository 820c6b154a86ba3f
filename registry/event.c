/* Rows of events: see event.h. */
#include "registry/event.h"

#include "common/base.h"

enum { CLIENT_ID, SEQ, TYPE, OCCURRED_AT, PAYLOAD };

bool event_row_read(const struct rows *rows, int row, struct event_copy *event)
{
	int type = event_type_find(row_text(rows, row, TYPE));
	struct str payload = row_text(rows, row, PAYLOAD);
	if (type < 0 || payload.n > EVENT_PAYLOAD_MAX)
		return false;
	event->head = (struct shm_event){.client_id = (uint64_t)row_i64(rows, row, CLIENT_ID),
		.seq = (uint64_t)row_i64(rows, row, SEQ),
		.occurred_us = row_time(rows, row, OCCURRED_AT),
		.type = (uint16_t)type,
		.payload = (uint16_t)payload.n};
	memcpy(event->payload, payload.p, payload.n);
	event->payload[payload.n] = '\0';
	return true;
}
