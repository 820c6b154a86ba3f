/* Audiences, and what they are told: see feed.h. */
#include "relay/feed.h"

#include <stdlib.h>

#include <uthash.h>
#include <utlist.h>

#include "common/log.h"
#include "relay/trail.h"

#include "common/base.h"

enum {
	PULL_PART = 8, /* of the backlog: more is not framed before listeners could take some */
	WALK_MAX =
		TRAIL_MOST, /* events looked back through for the one before an audience's first */
	AHEAD_S = 5,
};

struct audience {
	struct tenant *tenant;
	struct wish wish;
	struct strand strand;
	uint64_t last_seq; /* of its last frame; 0 = not known yet */
	bool touched;
	struct listener *listeners;
	struct audience *next, *next_touched;
};

struct tenant {
	uint64_t client_id;
	uint64_t newest, position; /* of its last event: seq and place in the ring; 0 = not known */
	uint32_t visitors;
	struct trail trail; /* laid while there are visitors */
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

/* ---- who listens ---- */

static struct tenant *find_tenant(const struct feed *feed, uint64_t client_id)
{
	struct tenant *tenant;
	HASH_FIND(hh, feed->tenants, &client_id, sizeof(client_id), tenant);
	return tenant;
}

static struct tenant *tenant_of(struct feed *feed, uint64_t client_id)
{
	struct tenant *tenant = find_tenant(feed, client_id);
	if (tenant)
		return tenant;
	tenant = allocate(sizeof(*tenant));
	tenant->client_id = client_id;
	HASH_ADD(hh, feed->tenants, client_id, sizeof(tenant->client_id), tenant);
	return tenant;
}

uint32_t feed_enter(struct feed *feed, uint64_t client_id)
{
	struct tenant *tenant = tenant_of(feed, client_id);
	if (tenant->visitors++ == 0)
		trail_lay(&tenant->trail, feed->seg, client_id, tenant->position);
	return tenant->visitors;
}

void feed_exit(struct feed *feed, uint64_t client_id)
{
	struct tenant *tenant = tenant_of(feed, client_id);
	if (--tenant->visitors == 0)
		trail_lift(&tenant->trail);
}

uint32_t feed_visitors(const struct feed *feed, uint64_t client_id)
{
	const struct tenant *tenant = find_tenant(feed, client_id);
	return tenant ? tenant->visitors : 0;
}

struct feed_reach feed_reach(struct feed *feed, uint64_t client_id)
{
	struct tenant *tenant = tenant_of(feed, client_id);
	uint64_t oldest = trail_oldest(&tenant->trail, feed->seg, client_id);
	return (struct feed_reach){
		tenant->newest, tenant->newest ? tenant->newest + 1 - oldest : 0};
}

static struct audience *audience_of(struct tenant *tenant, const struct wish *wish)
{
	struct audience *audience;
	LL_FOREACH (tenant->audiences, audience)
		if (wish_is(&audience->wish, wish))
			return audience;
	audience = allocate(sizeof(*audience));
	audience->tenant = tenant;
	audience->wish = *wish;
	LL_PREPEND(tenant->audiences, audience);
	return audience;
}

/* With the audience, at its end. */
static void go_along(struct listener *listener)
{
	struct audience *audience = listener->audience;
	listener->next = 0;
	listener->reader = reader_of(&audience->strand, audience->tenant->newest);
}

/* Behind the event with this seq: by itself until there is no other. */
static void go_back(struct listener *listener, uint64_t seq)
{
	go_along(listener);
	listener->reader.mark = seq;
	listener->prev = seq;
	listener->waits_s = 0;
	uint64_t newest = listener->audience->tenant->newest;
	if (!newest || seq != newest)
		listener->next = seq + 1;
}

uint64_t feed_join(struct feed *feed, struct listener *listener, uint64_t client_id,
	const struct wish *wish, uint64_t resume_from)
{
	struct tenant *tenant = tenant_of(feed, client_id);
	feed_leave(feed, listener);
	if (wish->events == 0)
		return tenant->newest;
	listener->audience = audience_of(tenant, wish);
	DL_APPEND2(listener->audience->listeners, listener, before, after);
	if (resume_from == FEED_NOW)
		go_along(listener);
	else
		go_back(listener, resume_from);
	return listener->reader.mark;
}

void feed_leave(struct feed *feed, struct listener *listener)
{
	struct audience *audience = listener->audience;
	(void)feed;
	if (!audience)
		return;
	listener->audience = NULL;
	DL_DELETE2(audience->listeners, listener, before, after);
	if (audience->listeners)
		return;
	LL_DELETE(audience->tenant->audiences, audience);
	free(audience);
}

const struct wish *feed_wish(const struct listener *listener)
{
	return listener->audience ? &listener->audience->wish : NULL;
}

static bool is_ahead(const struct listener *listener)
{
	uint64_t newest = listener->audience->tenant->newest;
	return newest && listener->next > newest + 1;
}

void feed_second(struct feed *feed, struct listener *listener)
{
	if (listener->audience && listener->next && is_ahead(listener) &&
		++listener->waits_s == AHEAD_S)
		feed->wake(listener);
}

uint64_t feed_mark(struct listener *listener)
{
	if (!listener->audience || listener->next || listener->reader.next)
		return 0;
	uint64_t newest = listener->audience->tenant->newest;
	if (newest <= listener->reader.mark)
		return 0;
	return listener->reader.mark = newest;
}

static void drop_tenant(struct feed *feed, struct tenant *tenant)
{
	while (tenant->audiences)
		feed_leave(feed, tenant->audiences->listeners);
	trail_lift(&tenant->trail);
	HASH_DELETE(hh, feed->tenants, tenant);
	free(tenant);
}

void feed_close(struct feed *feed)
{
	struct tenant *tenant, *after;
	HASH_ITER (hh, feed->tenants, tenant, after)
		drop_tenant(feed, tenant);
	backlog_close(&feed->backlog);
	strbuf_free(&feed->frame);
}

/* ---- what happens ---- */

/* The seq of the event before that this audience would have been shown. Where the ring does not reach back so far,
 * the last seq of which nothing is known: a reader who has not come so far asks for what it missed. */
static uint64_t look_back(
	const struct feed *feed, const struct audience *audience, const struct event_copy *event)
{
	static struct event_copy before;
	uint64_t seq = event->head.seq, at = event->head.previous;
	for (int i = 0; i < WALK_MAX && event_at(feed->seg, at, event->head.client_id, &before) &&
			before.head.seq + 1 == seq;
		i++) {
		seq = before.head.seq;
		if (wish_fits(&audience->wish, &before))
			return seq;
		at = before.head.previous;
	}
	return seq - 1;
}

static void add_frame(struct feed *feed, struct audience *audience, uint64_t seq)
{
	backlog_add(&feed->backlog, &audience->strand, strbuf_view(&feed->frame), seq);
	if (audience->touched)
		return;
	audience->touched = true;
	LL_PREPEND2(feed->touched, audience, next_touched);
}

/* Events of one client are missing in the ring: those of another node, say. */
static void tell_hole(struct feed *feed, struct tenant *tenant, uint64_t seq)
{
	struct audience *audience;
	log_warn("relay.hole", "client_id=%llu after=%llu before=%llu",
		(unsigned long long)tenant->client_id, (unsigned long long)tenant->newest,
		(unsigned long long)seq);
	LL_FOREACH (tenant->audiences, audience) {
		strbuf_reset(&feed->frame);
		say_resync(&feed->frame, tenant->newest, seq);
		audience->last_seq = 0;
		add_frame(feed, audience, seq - 1);
	}
}

static void tell(struct feed *feed, const struct event_copy *event)
{
	struct tenant *tenant = tenant_of(feed, event->head.client_id);
	struct audience *audience;
	uint64_t seq = event->head.seq;
	if (tenant->newest && seq <= tenant->newest)
		return;
	if (tenant->newest && seq != tenant->newest + 1)
		tell_hole(feed, tenant, seq);
	tenant->newest = seq;
	tenant->position = event->head.position;
	trail_add(&tenant->trail, feed->seg, seq, event->head.position);
	LL_FOREACH (tenant->audiences, audience) {
		if (!wish_fits(&audience->wish, event))
			continue;
		uint64_t prev =
			audience->last_seq ? audience->last_seq : look_back(feed, audience, event);
		strbuf_reset(&feed->frame);
		say_event(&feed->frame, event, prev);
		audience->last_seq = seq;
		add_frame(feed, audience, seq);
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
	HASH_ITER (hh, feed->tenants, tenant, after) {
		tenant->newest = tenant->position = 0;
		trail_forget(&tenant->trail);
		LL_FOREACH (tenant->audiences, audience) {
			audience->last_seq = 0;
			add_frame(feed, audience, 0);
		}
	}
}

static void wake_touched(struct feed *feed)
{
	struct audience *audience;
	struct listener *listener;
	LL_FOREACH2(feed->touched, audience, next_touched)
	{
		audience->touched = false;
		DL_FOREACH2(audience->listeners, listener, after)
		{
			if (!listener->next)
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

void feed_open(
	struct feed *feed, const struct segment *seg, uint64_t backlog_bytes, feed_wake_fn *wake)
{
	*feed = (struct feed){.seg = seg, .wake = wake};
	backlog_open(&feed->backlog, backlog_bytes);
	event_cursor_oldest(seg, &feed->cursor);
	/* Nobody listens yet: only where everybody's last event is. */
	while (feed_pull(feed))
		;
}

/* ---- what a listener takes ---- */

/* The ring has gone on without it: up to where, and how many that are. */
static void declare_loss(struct feed *feed, struct listener *listener, struct strbuf *out)
{
	struct tenant *tenant = listener->audience->tenant;
	uint64_t oldest = trail_oldest(&tenant->trail, feed->seg, tenant->client_id);
	uint64_t after = listener->next - 1;
	if (tenant->newest < listener->next || oldest <= listener->next)
		oldest = 0; /* its position is of another log, or nothing is known of ours */
	say_resync(out, after, oldest);
	if (!oldest) {
		go_along(listener);
		return;
	}
	listener->next = oldest;
	listener->prev = listener->reader.mark = oldest - 1;
}

/* Straight from the event ring. True when there are more. */
static bool catch_up(struct feed *feed, struct listener *listener, struct strbuf *out, size_t max)
{
	static struct event_copy event;
	struct tenant *tenant = listener->audience->tenant;
	size_t until = out->n + max;
	while (!tenant->newest || listener->next != tenant->newest + 1) {
		if (is_ahead(listener) && listener->waits_s < AHEAD_S)
			return false;
		if (!trail_read(
			    &tenant->trail, feed->seg, tenant->client_id, listener->next, &event)) {
			declare_loss(feed, listener, out);
			return true;
		}
		if (wish_fits(&listener->audience->wish, &event)) {
			if (out->n + sizeof(event) > until)
				return true;
			say_event(out, &event, listener->prev);
			listener->prev = listener->next;
		}
		listener->reader.mark = listener->next++;
	}
	go_along(listener);
	return false;
}

bool feed_take(struct feed *feed, struct listener *listener, struct strbuf *out, size_t max)
{
	uint64_t missed;
	if (!listener->audience)
		return false;
	if (listener->next)
		return catch_up(feed, listener, out, max);
	reader_take(
		&feed->backlog, &listener->audience->strand, &listener->reader, out, max, &missed);
	if (missed && listener->reader.mark)
		go_back(listener, listener->reader.mark);
	else if (missed)
		say_gap(out, missed);
	return listener->reader.next != 0 || listener->next != 0;
}
