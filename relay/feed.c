/* Audiences, and what they are told: see feed.h. */
#include "relay/feed.h"

#include <stdlib.h>

#include <uthash.h>
#include <utlist.h>

#include "common/log.h"

#include "common/base.h"

enum {
	PULL_PART = 8,	 /* of the backlog: more is not framed before listeners could take some */
	WALK_MAX = 1000, /* events looked back through for the one before an audience's first */
};

struct audience {
	struct tenant *tenant;
	event_set events;
	struct strand strand;
	uint64_t last_seq; /* of its last frame; 0 = not known yet */
	bool touched;
	struct listener *listeners;
	struct audience *next, *next_touched;
};

struct tenant {
	uint64_t client_id;
	struct audience *audiences;
	UT_hash_handle hh;
};

static void *allocate(size_t bytes)
{
	void *p = calloc(1, bytes);
	if (!p)
		die("memory.exhausted", "bytes=%zu", bytes);
	return p;
}

void feed_open(
	struct feed *feed, const struct segment *seg, uint64_t backlog_bytes, feed_wake_fn *wake)
{
	*feed = (struct feed){.seg = seg, .wake = wake};
	backlog_open(&feed->backlog, backlog_bytes);
	event_cursor_newest(seg, &feed->cursor);
}

/* ---- who listens ---- */

static struct tenant *tenant_of(struct feed *feed, uint64_t client_id)
{
	struct tenant *tenant;
	HASH_FIND(hh, feed->tenants, &client_id, sizeof(client_id), tenant);
	return tenant;
}

static struct tenant *make_tenant(struct feed *feed, uint64_t client_id)
{
	struct tenant *tenant = allocate(sizeof(*tenant));
	tenant->client_id = client_id;
	HASH_ADD(hh, feed->tenants, client_id, sizeof(tenant->client_id), tenant);
	return tenant;
}

static struct audience *audience_of(struct tenant *tenant, event_set events)
{
	struct audience *audience;
	LL_FOREACH (tenant->audiences, audience)
		if (audience->events == events)
			return audience;
	audience = allocate(sizeof(*audience));
	audience->tenant = tenant;
	audience->events = events;
	LL_PREPEND(tenant->audiences, audience);
	return audience;
}

void feed_join(struct feed *feed, struct listener *listener, uint64_t client_id, event_set events)
{
	feed_leave(feed, listener);
	if (events == 0)
		return;
	struct tenant *tenant = tenant_of(feed, client_id);
	if (!tenant)
		tenant = make_tenant(feed, client_id);
	struct audience *audience = audience_of(tenant, events);
	listener->audience = audience;
	listener->reader = reader_of(&audience->strand);
	DL_APPEND(audience->listeners, listener);
}

void feed_leave(struct feed *feed, struct listener *listener)
{
	struct audience *audience = listener->audience;
	if (!audience)
		return;
	listener->audience = NULL;
	DL_DELETE(audience->listeners, listener);
	if (audience->listeners)
		return;
	struct tenant *tenant = audience->tenant;
	LL_DELETE(tenant->audiences, audience);
	free(audience);
	if (tenant->audiences)
		return;
	HASH_DELETE(hh, feed->tenants, tenant);
	free(tenant);
}

void feed_close(struct feed *feed)
{
	while (feed->tenants)
		feed_leave(feed, feed->tenants->audiences->listeners);
	backlog_close(&feed->backlog);
	strbuf_free(&feed->frame);
}

/* ---- what happens ---- */

/* The seq of the event before that this audience would have been shown. Where the ring does not reach back so far,
 * the last seq of which nothing is known: a reader who has not seen it asks for what it missed. */
static uint64_t look_back(
	const struct feed *feed, const struct audience *audience, const struct event_copy *event)
{
	struct event_copy before;
	uint64_t seq = event->head.seq, at = event->head.previous;
	for (int i = 0; i < WALK_MAX && event_at(feed->seg, at, event->head.client_id, &before);
		i++) {
		seq = before.head.seq;
		if (audience->events & 1U << before.head.type)
			return seq;
		at = before.head.previous;
	}
	return seq - 1;
}

static void add_frame(struct feed *feed, struct audience *audience)
{
	backlog_add(&feed->backlog, &audience->strand, strbuf_view(&feed->frame));
	if (audience->touched)
		return;
	audience->touched = true;
	LL_PREPEND2(feed->touched, audience, next_touched);
}

static void tell(struct feed *feed, const struct event_copy *event)
{
	struct tenant *tenant = tenant_of(feed, event->head.client_id);
	struct audience *audience;
	if (!tenant || event->head.type >= EVENT_TYPE__N)
		return;
	LL_FOREACH (tenant->audiences, audience) {
		if (!(audience->events & 1U << event->head.type))
			continue;
		uint64_t prev =
			audience->last_seq ? audience->last_seq : look_back(feed, audience, event);
		strbuf_reset(&feed->frame);
		say_event(&feed->frame, event, prev);
		audience->last_seq = event->head.seq;
		add_frame(feed, audience);
	}
}

/* The ring has run away from us, or is another: nobody can say how many of whose events are gone. */
static void tell_gap(struct feed *feed, const char *why)
{
	struct tenant *tenant, *after;
	struct audience *audience;
	if (feed->tenants)
		log_warn("relay.gap", "clients=%u why=%s", HASH_COUNT(feed->tenants), why);
	strbuf_reset(&feed->frame);
	say_gap(&feed->frame, SAY_MISSED_UNKNOWN);
	HASH_ITER (hh, feed->tenants, tenant, after)
		LL_FOREACH (tenant->audiences, audience) {
			audience->last_seq = 0;
			add_frame(feed, audience);
		}
}

static void wake_touched(struct feed *feed)
{
	struct audience *audience;
	struct listener *listener;
	LL_FOREACH2(feed->touched, audience, next_touched)
	{
		audience->touched = false;
		DL_FOREACH (audience->listeners, listener) {
			reader_follow(&listener->reader, &audience->strand);
			feed->wake(listener);
		}
		strand_settle(&audience->strand);
	}
	feed->touched = NULL;
}

bool feed_pull(struct feed *feed)
{
	static struct event_copy event;
	uint64_t missed, enough = feed->backlog.end + feed->backlog.bytes / PULL_PART;
	enum event_result result;
	while ((result = event_next(feed->seg, &feed->cursor, &event, &missed)) != EVENT_NONE) {
		if (result == EVENT_OK)
			tell(feed, &event);
		else
			tell_gap(feed, result == EVENT_RESET ? "another_ring" : "overrun");
		if (feed->backlog.end >= enough)
			break;
	}
	wake_touched(feed);
	return result != EVENT_NONE;
}

bool feed_take(struct feed *feed, struct listener *listener, struct strbuf *out, size_t max)
{
	uint64_t missed;
	if (!listener->audience)
		return false;
	reader_take(
		&feed->backlog, &listener->audience->strand, &listener->reader, out, max, &missed);
	if (missed)
		say_gap(out, missed);
	return listener->reader.next != 0;
}
