/* Events as JSON: see envelope.h. */
#include "shm/envelope.h"

#include <inttypes.h>

#include "common/clock.h"

void event_envelope(struct strbuf *sb, const struct event_copy *event, uint64_t prev)
{
	const struct shm_event *head = &event->head;
	char at[CLOCK_TEXT_BYTES];
	strbuf_printf(sb,
		"{\"id\":\"%" PRIu64 "-%" PRIu64 "\",\"seq\":%" PRIu64 ",\"prev\":%" PRIu64
		",\"type\":\"%s\",\"occurred_at\":\"%s\",\"payload\":",
		head->client_id, head->seq, head->seq, prev,
		event_type_name((enum event_type)head->type), clock_utc_ms(head->occurred_us, at));
	strbuf_add(sb, event->payload, head->payload);
	strbuf_putc(sb, '}');
}
