/* Random picks under limits that change at random: none is ever exceeded, by a counter that knows only which calls began and
 * ended when, and the limits in force. CCS_PICKS says how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatcher/audit.h"
#include "tests/unit/dispatcher/sched_rig.h"

#include <cmocka.h> /* last: it has a macro fail() */

enum { CLIENTS = 8, SERVERS = 4, SHARES = 3, LIMITED = CLIENTS * (1 + SHARES) + SERVERS };
enum { PICKS = 100000, STARTS_MAX = 1 << 16, CALLS = 512 };

/* The counter of one client, allocation or server. */
struct counted {
	uint32_t live;
	int64_t starts[STARTS_MAX]; /* a ring */
	uint64_t began;		    /* starts ever */
	uint64_t hour, second;	    /* of these, those that are older than that */
};

static struct counted counted[LIMITED];
static bool is_counted[CALLS]; /* by slot */

static struct counted *of_client(const struct rig *rig, const struct client *client)
{
	return &counted[client - rig->clients];
}

static struct counted *of_edge(const struct rig *rig, const struct edge *edge)
{
	return &counted[CLIENTS + (edge - rig->edges)];
}

static struct counted *of_server(const struct rig *rig, const struct server *server)
{
	return &counted[CLIENTS * (1 + SHARES) + (server - rig->servers)];
}

/* How many of the starts lie in (now - period, now]; *older only grows, as time does. */
static uint64_t within(const struct counted *c, uint64_t *older, int64_t now_us, int64_t period_us)
{
	while (*older < c->began && c->starts[*older % STARTS_MAX] <= now_us - period_us)
		++*older;
	return c->began - *older;
}

static void begin(struct counted *c, int64_t now_us, uint32_t channels, uint32_t per_hour,
	uint32_t per_second)
{
	c->live++;
	c->starts[c->began++ % STARTS_MAX] = now_us;
	assert_true(c->live <= channels);
	assert_true(within(c, &c->hour, now_us, 3600 * US_PER_S) <= per_hour);
	uint64_t a_second = within(c, &c->second, now_us, US_PER_S);
	assert_true(per_second == 0 || a_second <= per_second);
	assert_true(c->began - c->hour < STARTS_MAX);
}

/* The calls that hold a channel and did not when we looked last: those that are only armed ahead have not begun. */
static unsigned count_begun(struct rig *rig)
{
	const int64_t now = rig->d.now_us;
	unsigned n = 0;
	for (const struct slot *slot = rig->d.by_entry; slot; slot = slot->hh.next) {
		if (!slot->granted || is_counted[slot->index])
			continue;
		const struct shm_client *c = &slot->client->facts;
		const struct shm_allocation *a = &slot->edge->facts;
		const struct shm_server *s = &slot->server->facts;
		assert_true(c->status == CLIENT_ACTIVE && a->status == SERVER_ACTIVE &&
			    s->status == SERVER_ACTIVE);
		begin(of_client(rig, slot->client), now, c->allocated_channels, c->rate_limit,
			c->calls_per_second);
		begin(of_edge(rig, slot->edge), now, a->allowed_active_calls, a->rate_limit,
			a->calls_per_second);
		begin(of_server(rig, slot->server), now, s->allowed_active_calls, s->rate_limit,
			s->calls_per_second);
		is_counted[slot->index] = true;
		n++;
	}
	return n;
}

/* One of the live calls, by chance; the counter forgets it before the scheduler hears of it. */
static void end_one(struct rig *rig)
{
	uint32_t n = rig->d.calls.n, at = (uint32_t)random() % n, left = n;
	while (left && !is_counted[at]) {
		at = (at + 1) % n;
		left--;
	}
	if (!left)
		return;
	struct slot *slot = &rig->d.slots[at];
	of_client(rig, slot->client)->live--;
	of_edge(rig, slot->edge)->live--;
	of_server(rig, slot->server)->live--;
	is_counted[at] = false;
	slot_close(&rig->d, slot);
}

static uint32_t status(void)
{
	return random() % 20 == 0 ? (uint32_t)(1 + random() % 2) : 0;
}

static uint32_t rate(void)
{
	return (uint32_t)(random() % 10 ? 1000 + random() % 20000 : random() % 30);
}

static uint32_t pace(void)
{
	return (uint32_t)(random() % 3 ? 0 : 1 + random() % 40);
}

static void change_a_limit(struct rig *rig)
{
	struct client *c = &rig->clients[random() % CLIENTS];
	struct edge *e = &rig->edges[random() % (CLIENTS * SHARES)];
	struct server *s = &rig->servers[random() % SERVERS];
	struct shm_client cf = c->facts;
	struct shm_allocation ef = e->facts;
	struct shm_server sf = s->facts;
	switch (random() % 3) {
	case 0:
		cf.allocated_channels = (uint32_t)(random() % 60);
		cf.rate_limit = rate();
		cf.calls_per_second = pace();
		cf.weight = (uint32_t)(1 + random() % 100);
		cf.status = status();
		client_set_facts(&rig->d, c, &cf);
		break;
	case 1:
		ef.allowed_active_calls = (uint32_t)(random() % 30);
		ef.rate_limit = rate();
		ef.calls_per_second = pace();
		ef.status = status();
		edge_set_facts(&rig->d, e, &ef);
		break;
	default:
		sf.allowed_active_calls = (uint32_t)(random() % 100);
		sf.rate_limit = 2 * rate();
		sf.calls_per_second = pace();
		sf.status = status();
		server_set_facts(&rig->d, s, &sf);
	}
}

static void supply(struct rig *rig)
{
	for (uint32_t c = 0; c < CLIENTS; c++)
		while (rig->clients[c].waiting_n < 20)
			rig_announce(rig, c);
}

static void no_limit_is_ever_exceeded(void **state)
{
	const struct rig_size size = {.clients = CLIENTS,
		.servers = SERVERS,
		.shares = SHARES,
		.calls = CALLS,
		.waiting = 2048};
	const char *asked = getenv("CCS_PICKS");
	uint64_t picks = asked ? strtoull(asked, NULL, 10) : PICKS, begun = 0, changes = 0;
	struct rig *rig = rig_new(&size);
	(void)state;
	srandom(7);
	for (uint64_t turn = 0; begun < picks; turn++) {
		/* Sometimes a moment, sometimes long enough for the hour to empty. */
		rig->d.now_us += random() % (turn % 5000 == 0 ? 3600 * US_PER_S : 200 * US_PER_MS);
		if (random() % 8 == 0) {
			change_a_limit(rig);
			changes++;
		}
		for (long ends = random() % 8; ends > 0; ends--)
			end_one(rig);
		supply(rig);
		sched_pass(&rig->d);
		begun += count_begun(rig);
		if (turn % 64 == 0)
			rig_settle(rig);
		if (turn % 1024 == 0)
			assert_int_equal(audit_all(&rig->d), 0);
		assert_true(turn < 100 * picks);
	}
	print_message("%llu picks, %llu changes of limits\n", (unsigned long long)begun,
		(unsigned long long)changes);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_is_ever_exceeded),
	};
	return cmocka_run_group_tests_name("picks", tests, NULL, NULL);
}
