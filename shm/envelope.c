/* Events as JSON: see envelope.h. */
#include "shm/envelope.h"

#include "common/clock.h"

/* Without printf, which would be most of the cost of an event that goes to a thousand readers who were away. */
void event_envelope(struct strbuf *sb, const struct event_copy *event, uint64_t prev)
{
	const struct shm_event *head = &event->head;
	char at[CLOCK_TEXT_BYTES];
	strbuf_puts(sb, "{\"id\":\"");
	strbuf_u64(sb, head->client_id);
	strbuf_putc(sb, '-');
	strbuf_u64(sb, head->seq);
	strbuf_puts(sb, "\",\"seq\":");
	strbuf_u64(sb, head->seq);
	strbuf_puts(sb, ",\"prev\":");
	strbuf_u64(sb, prev);
	strbuf_puts(sb, ",\"type\":\"");
	strbuf_puts(sb, event_type_name((enum event_type)head->type));
	strbuf_puts(sb, "\",\"occurred_at\":\"");
	strbuf_puts(sb, clock_utc_ms(head->occurred_us, at));
	strbuf_puts(sb, "\",\"payload\":");
	strbuf_add(sb, event->payload, head->payload);
	strbuf_putc(sb, '}');
}
