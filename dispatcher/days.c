/* Daily caps: see days.h. */
#include <stdlib.h>

#include "common/log.h"
#include "dispatcher/days.h"
#include "dispatcher/directory.h"
#include "dispatcher/sched.h"
#include "dispatcher/work.h"

#include "common/base.h"

/* ---- counts ---- */

static struct region_day *find_region(const struct day *day, uint16_t region)
{
	for (uint32_t i = 0; i < day->regions_n; i++)
		if (day->regions[i].region == region)
			return &day->regions[i];
	return NULL;
}

static struct region_day *region_of(struct day *day, uint16_t region)
{
	struct region_day *found = find_region(day, region);
	if (found)
		return found;
	if (day->regions_n == day->regions_cap) {
		day->regions_cap = MAX(day->regions_cap * 2, 4u);
		day->regions = reallocarray(day->regions, day->regions_cap, sizeof(*day->regions));
		if (!day->regions)
			die("memory.exhausted", "regions=%u", day->regions_cap);
	}
	found = &day->regions[day->regions_n++];
	*found = (struct region_day){.region = region};
	return found;
}

/* The number behind "where:" in the client's caps. */
static bool find_cap(const struct day *day, struct str where, uint32_t *cap)
{
	struct str rest = strbuf_view(&day->caps), item, name;
	uint64_t calls;
	while (rest.n && str_split(&rest, ' ', &item))
		if (str_split(&item, ':', &name) && str_eq(name, where) &&
			str_to_u64(item, 0, UINT32_MAX, &calls)) {
			*cap = (uint32_t)calls;
			return true;
		}
	return false;
}

/* For those who read the segment. */
static void show(const struct day *day)
{
	uint32_t cap;
	if (!find_cap(day, STR("all"), &cap))
		cap = SHM_NO_CAP;
	atomic_store_explicit(&day->shown->cap, cap, memory_order_relaxed);
	atomic_store_explicit(&day->shown->used, day->used, memory_order_relaxed);
	atomic_store_explicit(&day->shown->ends_us, day->ends_us, memory_order_relaxed);
}

static void show_used(const struct day *day)
{
	atomic_store_explicit(&day->shown->used, day->used, memory_order_relaxed);
}

static void start_again(struct day *day)
{
	day->used = 0;
	day->regions_n = 0;
}

void day_take(struct slot *slot)
{
	struct day *day = &slot->client->day;
	day->used++;
	region_of(day, slot->call->plan.region)->used++;
	slot->day_ends_us = day->ends_us;
	show_used(day);
}

void day_give(struct slot *slot)
{
	if (!slot->client || slot->day_ends_us == 0 ||
		slot->day_ends_us != slot->client->day.ends_us)
		return;
	slot->client->day.used--;
	show_used(&slot->client->day);
	region_of(&slot->client->day, slot->call->plan.region)->used--;
	slot->day_ends_us = 0;
}

/* ---- caps ---- */

struct gate_day day_of_client(const struct client *client)
{
	const struct day *day = &client->day;
	struct gate_day gate = {.used = day->used, .ends_us = day->ends_us};
	gate.is_capped = find_cap(day, STR("all"), &gate.cap);
	return gate;
}

/* Where no region is known there is none to cap. */
struct gate_day day_of_region(const struct client *client, uint16_t region)
{
	const struct day *day = &client->day;
	const struct region_day *counted = find_region(day, region);
	struct gate_day gate = {.used = counted ? counted->used : 0, .ends_us = day->ends_us};
	char name[REGION_TEXT_BYTES];
	if (region && day->caps.n)
		gate.is_capped = find_cap(day, str_of(region_text(region, name)), &gate.cap) ||
				 find_cap(day, STR("other"), &gate.cap);
	return gate;
}

/* ---- the turn of the day ---- */

static void try_again(struct dispatcher *d, struct client *client)
{
	work_take_up(d, client);
	sched_client_ready(d, client);
}

void day_turn(struct dispatcher *d, struct client *client)
{
	struct day *day = &client->day;
	if (day->ends_us == 0 || d->now_us < day->ends_us)
		return;
	start_again(day);
	day->ends_us = 0; /* PostgreSQL knows when the new one ends */
	show(day);
	d->directory_wanted = true;
	try_again(d, client);
}

void days_turn(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next)
		day_turn(d, c);
}

void day_free(struct client *client)
{
	free(client->day.regions);
	strbuf_free(&client->day.caps);
}

/* ---- from PostgreSQL ---- */

/* Counted here since the day began, calls on their way to the journal included: better than what PostgreSQL says. */
static bool counts_are_known(const struct day *day, int64_t ends_us)
{
	return day->ends_us == ends_us || (day->ends_us == 0 && day->is_counted);
}

/* Another day (its zone has changed), or other caps: what waited for the end of the day may go now. */
static void take_day(struct dispatcher *d, struct client *client, int64_t ends_us, struct str caps)
{
	struct day *day = &client->day;
	bool known = counts_are_known(day, ends_us);
	bool same = known && day->is_counted && str_eq(strbuf_view(&day->caps), caps);
	if (!known)
		start_again(day);
	day->is_counted = true;
	day->ends_us = ends_us;
	if (!same) {
		strbuf_reset(&day->caps);
		strbuf_str(&day->caps, caps);
	}
	show(day);
	if (!same)
		try_again(d, client);
}

/* One row for each region that a client has called today, or one without a region; in order of clients. */
static void take_days(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	struct client *client = NULL;
	bool known = false;
	for (int i = 0; i < rows->n; i++) {
		uint64_t id = (uint64_t)row_i64(rows, i, 0);
		if (!client || client->id != id) {
			int64_t ends_us = row_time(rows, i, 1);
			client = client_find(d, id);
			if (!client) /* made between two of our reads */
				continue;
			known = counts_are_known(&client->day, ends_us);
			take_day(d, client, ends_us, row_text(rows, i, 2));
		}
		uint32_t calls = (uint32_t)row_i64(rows, i, 4);
		if (known || calls == 0)
			continue;
		client->day.used += calls;
		region_of(&client->day, region_code(row_text(rows, i, 3)))->used += calls;
		show_used(&client->day);
	}
}

void days_load(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_time(&args, d->now_us);
	stream_query(d->lookups, SQL_DIRECTORY_DAYS, &args, take_days, d);
	args_free(&args);
}
