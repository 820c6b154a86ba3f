/* What stands in the way of one entry: a live call to its number, what its client may not call, the calls of its day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <string.h>

#include "sched_world.h"

#include "dispatcher/audit.h"
#include "dispatcher/call.h"
#include "dispatcher/disposition.h"
#include "dispatcher/hold.h"
#include "dispatcher/hours.h"

#include <cmocka.h> /* last: it has a macro fail() */

static void one_number_is_dialled_once_at_a_time(void **state)
{
	struct rig *w = *state;
	announce(w, 0, 1, 9000000000);
	announce(w, 0, 1, 9000000000);
	announce(w, 1, 1, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 1);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 1);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 1);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 0);
}

/* Both leave the line that the number has, too: nobody is called back from the dead when the number is free. */
static void who_waits_for_a_number_may_leave(void **state)
{
	struct rig *w = *state;
	announce(w, 0, 1, 9000000000);
	announce(w, 0, 1, 9000000000);
	announce(w, 1, 1, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 1);
	call_off(&w->d, 1, (w->next_chunk - 2) << 10);
	work_forget_client(&w->d, &w->clients[1]);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 0);
}

static void allow(struct client *client, const char *regions)
{
	assert_true(policy_read(&client->facts.policy, str_of(regions), STR("default")));
}

/* One quick call to a number that a plan knows, "": that none does. */
static void announce_number(struct rig *w, uint32_t client, const char *e164)
{
	struct shm_submit rec = {.kind = SUBMIT_CHUNK,
		.entries = 1,
		.id = w->next_chunk++,
		.client_id = client + 1,
		.plan = {.country_digits = 1, .type = NUMBER_TYPE_MOBILE}};
	(void)snprintf(rec.number, sizeof(rec.number), "9%08u", (unsigned)rec.id);
	(void)snprintf(rec.e164, sizeof(rec.e164), "%s", e164);
	rig_submit(w, &rec);
}

static void set_caps(struct rig *w, struct client *client, const char *caps)
{
	client->day.ends_us = w->d.now_us + 3600 * US_PER_S;
	client->day.round = 1;
	strbuf_reset(&client->day.caps);
	strbuf_puts(&client->day.caps, caps);
}

/* What was allowed when it came in and is not any more is told, and never dialled. */
static void a_number_denied_meanwhile_ends_undialled(void **state)
{
	struct rig *w = *state;
	allow(&w->clients[0], "IN");
	announce_to(w, 0, "US", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "IN", NUMBER_TYPE_PREMIUM);
	announce_to(w, 0, "IN", NUMBER_TYPE_MOBILE);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 1);
	static const char *const reasons[] = {
		"not allowed: region US", "not allowed: premium numbers"};
	for (uint64_t chunk = 1; chunk <= 2; chunk++) {
		const struct slot *slot = slot_of_entry(&w->d, chunk << 10);
		assert_non_null(slot);
		assert_int_equal(slot_state(slot), CALL_ENDED);
		assert_int_equal(slot->head->n, 0);
		assert_int_equal(slot->head->server_id, 0);
		assert_int_equal(slot->call->disposition, DISPOSITION_SUPPRESSED);
		assert_string_equal(slot->call->reason, reasons[chunk - 1]);
	}
	assert_int_equal(slot_state(slot_of_entry(&w->d, 3 << 10)), CALL_PLANNED);
	assert_int_equal(audit_all(&w->d), 0);
}

static void daily_caps_put_off_what_is_too_much_and_nothing_else(void **state)
{
	struct rig *w = *state;
	struct client *c = &w->clients[0];
	allow(c, "all");
	set_caps(w, c, "US:2 other:1");
	for (int i = 0; i < 4; i++)
		announce_to(w, 0, "US", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "GB", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "GB", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "IN", NUMBER_TYPE_MOBILE);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 4);
	assert_int_equal(c->waiting_n, 0); /* what is put off takes no place in the window */
	assert_int_equal(atomic_load(&c->usage->gate), GATE_daily_cap);
	unsigned put_off = 0;
	for (const struct chunk *k = c->put_off; k; k = k->next)
		put_off++;
	assert_int_equal(put_off, 3);

	w->d.recovered = false; /* there is no PostgreSQL to load them from */
	w->d.now_us = c->day.ends_us;
	days_turn(&w->d);
	assert_null(c->put_off);
	assert_non_null(c->quick.known);
	assert_int_equal(c->day.used, 0);
	assert_true(w->d.directory_wanted);
}

/* On 2026-11-23 at 15:00 UTC it is 20:30 in India, 10:00 in New York and 07:00 in Los Angeles. */
static void numbers_wait_for_the_hours_where_they_are(void **state)
{
	struct rig *w = *state;
	struct client *c = &w->clients[0];
	const int64_t at_us = INT64_C(1795446000) * US_PER_S;
	w->d.now_us = at_us;
	allow(c, "all");
	assert_true(
		calling_rule_read(&c->facts.calling, 9 * 3600, 18 * 3600, STR(""), STR(""), at_us));
	c->facts.calling.in_callee_zone = true;
	announce_number(w, 0, "919810000001");
	announce_number(w, 0, "12125550101");
	announce_number(w, 0, "13105550101");
	announce_number(w, 0, ""); /* not in any plan */
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 1);
	assert_int_equal(slot_state(slot_of_entry(&w->d, 2 << 10)), CALL_PLANNED);
	assert_int_equal(c->waiting_n, 0);
	assert_int_equal(atomic_load(&c->usage->gate), GATE_window_closed);
	assert_int_equal(c->put_off_n, 3);
	assert_int_equal(w->d.put_offs.n, 2); /* nobody knows when the last one may be called */
	assert_true(heap_first_key(&w->d.put_offs) == at_us + 2 * 3600 * US_PER_S);

	w->d.recovered = false; /* there is no PostgreSQL to load them from */
	w->d.now_us = at_us + 2 * 3600 * US_PER_S - 1;
	work_wake(&w->d);
	assert_null(c->quick.known);
	w->d.now_us++;
	work_wake(&w->d);
	assert_non_null(c->quick.known);
	assert_true(c->quick.known->id == 3 && !c->quick.known->next);
	assert_int_equal(c->put_off_n, 2);

	c->facts.calling.in_callee_zone =
		false; /* the client's zone counts again: all may be tried */
	hours_changed(&w->d, c);
	assert_int_equal(c->put_off_n, 0);
	assert_null(c->put_off);
	assert_int_equal(w->d.put_offs.n, 0);
	assert_int_equal(audit_all(&w->d), 0);
}

static void a_daily_cap_of_all_calls_parks_the_client_until_midnight(void **state)
{
	struct rig *w = *state;
	struct client *c = &w->clients[0];
	set_caps(w, c, "all:3");
	int64_t ends_us = c->day.ends_us;
	announce(w, 0, 5, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 3);
	assert_int_equal(atomic_load(&c->usage->gate), GATE_daily_cap);
	assert_true(sched_next_us(&w->d) == ends_us);
	w->d.now_us = ends_us - 1;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 3);
	w->d.now_us = ends_us;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 5);
}

/* A plan that PostgreSQL does not take was no call. */
static void a_call_that_is_not_journalled_is_not_counted(void **state)
{
	struct rig *w = *state;
	struct client *c = &w->clients[0];
	set_caps(w, c, "all:1");
	announce(w, 0, 1, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(c->day.used, 1);
	(void)call_step(&w->d, w->d.by_entry, EV_NOT_JOURNALLED,
		&(struct call_cause){.at_us = w->d.now_us});
	assert_int_equal(c->day.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(one_number_is_dialled_once_at_a_time),
		WORLD_TEST(who_waits_for_a_number_may_leave),
		WORLD_TEST(a_number_denied_meanwhile_ends_undialled),
		WORLD_TEST(daily_caps_put_off_what_is_too_much_and_nothing_else),
		WORLD_TEST(numbers_wait_for_the_hours_where_they_are),
		WORLD_TEST(a_daily_cap_of_all_calls_parks_the_client_until_midnight),
		WORLD_TEST(a_call_that_is_not_journalled_is_not_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
