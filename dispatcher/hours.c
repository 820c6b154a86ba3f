/* Calling hours: see hours.h. */
#include "dispatcher/hours.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/sched.h"
#include "dispatcher/work.h"
#include "shm/callee_zone.h"
#include "shm/directory.h"
#include "shm/hours.h"

#include "common/base.h"

/* ---- of clients ---- */

void hours_turn_of(struct dispatcher *d, struct client *client)
{
	if (!hours_are_over(&client->facts, d->now_us))
		return;
	hours_look(&client->facts, d->now_us);
	if (!d->directory_running) /* a load publishes its clients last of all */
		(void)dir_put_client(d->seg, &client->facts); /* has its row already */
}

void hours_turn(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next)
		if (hours_are_over(&c->facts, d->now_us)) {
			hours_turn_of(d, c);
			sched_client_ready(d, c);
		}
}

/* ---- holidays of regions ---- */

struct region_holidays {
	uint16_t region;
	struct calling_holidays holidays;
	UT_hash_handle hh;
};

static const struct region_holidays *holidays_of(const struct dispatcher *d, uint16_t region)
{
	const struct region_holidays *found;
	HASH_FIND(hh, d->region_holidays, &region, sizeof(region), found);
	return found;
}

static void forget_holidays(struct dispatcher *d)
{
	struct region_holidays *one, *next;
	HASH_ITER (hh, d->region_holidays, one, next) {
		HASH_DEL(d->region_holidays, one);
		free(one);
	}
}

/* What the rows say, in one text. True when it is another than before. */
static bool is_news(struct strbuf *known, const struct rows *rows)
{
	struct strbuf text = STRBUF_INIT;
	for (int i = 0; i < rows->n; i++)
		for (int column = 0; column < 2; column++) {
			strbuf_str(&text, row_text(rows, i, column));
			strbuf_putc(&text, '\n');
		}
	bool is_new = !str_eq(strbuf_view(known), strbuf_view(&text));
	strbuf_free(known);
	*known = text;
	return is_new;
}

/* Made anew also when they say the same: they count from today. */
static void take_holidays(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	bool is_new = is_news(&d->region_holidays_text, rows);
	forget_holidays(d);
	for (int i = 0; i < rows->n; i++) {
		struct region_holidays *one = calloc(1, sizeof(*one));
		if (!one)
			die("memory.exhausted", "bytes=%zu", sizeof(*one));
		one->region = region_code(row_text(rows, i, 0));
		if (!calling_holidays_read(&one->holidays, row_text(rows, i, 1), d->now_us))
			log_error("directory.holidays", "region=%u", one->region);
		HASH_ADD(hh, d->region_holidays, region, sizeof(one->region), one);
	}
	for (struct client *c = d->clients; c; c = c->hh.next)
		if (is_new && c->facts.calling.in_callee_zone)
			hours_changed(d, c);
}

void hours_load(struct dispatcher *d)
{
	stream_query(d->lookups, SQL_DIRECTORY_HOLIDAYS, NULL, take_holidays, d);
}

/* ---- of numbers ---- */

/* What is known of the numbers of one list of zones and one region. */
struct number_hours {
	uint64_t key;
	int64_t asked_us;
	struct calling_time time;
	UT_hash_handle hh;
};

void hours_forget(struct client *client)
{
	struct number_hours *one, *next;
	HASH_ITER (hh, client->number_hours, one, next) {
		HASH_DEL(client->number_hours, one);
		free(one);
	}
}

void hours_changed(struct dispatcher *d, struct client *client)
{
	hours_forget(client);
	work_take_up(d, client);
}

static struct calling_time look(const struct dispatcher *d, const struct client *client,
	uint32_t list, uint16_t region, int64_t at_us)
{
	const struct zone *const *zones = NULL;
	const struct region_holidays *theirs = holidays_of(d, region);
	struct calling_rule rule = client->facts.calling;
	if (theirs)
		calling_holidays_add(&rule.holidays, &theirs->holidays);
	uint32_t n = callee_zones(list, &zones);
	return calling_time_in_all(&rule, zones, n, at_us);
}

static struct number_hours *hours_kept(struct client *client, uint64_t key)
{
	struct number_hours *found;
	HASH_FIND(hh, client->number_hours, &key, sizeof(key), found);
	if (found)
		return found;
	found = calloc(1, sizeof(*found));
	if (!found)
		die("memory.exhausted", "bytes=%zu", sizeof(*found));
	found->key = key;
	found->asked_us = INT64_MAX;
	HASH_ADD(hh, client->number_hours, key, sizeof(found->key), found);
	return found;
}

struct calling_time hours_of_number(
	struct dispatcher *d, struct client *client, const char *e164, uint16_t region)
{
	if (!client->facts.calling.in_callee_zone)
		return (struct calling_time){.is_open = true, .until_us = INT64_MAX};
	uint32_t list = callee_zones_of(e164);
	struct number_hours *kept = hours_kept(client, (uint64_t)list << 16 | region);
	if (d->now_us < kept->asked_us || d->now_us >= kept->time.until_us) {
		kept->time = look(d, client, list, region, d->now_us);
		kept->asked_us = d->now_us;
	}
	return kept->time;
}

int64_t hours_next_us(struct dispatcher *d, const struct client *client, const char *e164,
	uint16_t region, int64_t at_us)
{
	const struct calling_rule *rule = &client->facts.calling;
	struct calling_time time =
		rule->in_callee_zone
			? look(d, client, callee_zones_of(e164), region, at_us)
			: calling_time(rule, zone_find(str_of(client->facts.timezone)), at_us);
	return time.is_open ? at_us : time.until_us;
}
