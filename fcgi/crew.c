/* The list of workers: see crew.h. */
#include "fcgi/crew.h"

#include "common/base.h"

struct member *crew_join(struct crew *crew, pid_t pid, enum pool pool, int64_t now_us)
{
	struct member *free_place = crew_find(crew, 0);
	if (free_place)
		*free_place = (struct member){
			.pid = pid, .pool = pool, .roll = crew->roll, .since_us = now_us};
	return free_place;
}

struct member *crew_find(struct crew *crew, pid_t pid)
{
	for (size_t i = 0; i < CREW_MAX; i++)
		if (crew->member[i].pid == pid)
			return &crew->member[i];
	return NULL;
}

int crew_size(const struct crew *crew)
{
	int n = 0;
	for (size_t i = 0; i < CREW_MAX; i++)
		n += crew->member[i].pid != 0;
	return n;
}

static bool stays(const struct member *m, enum pool pool)
{
	return m->pid != 0 && m->pool == pool && !m->leaving;
}

struct crew_need crew_need(const struct crew *crew, enum pool pool, int wanted)
{
	int current = 0, ready = 0, old = 0;
	for (size_t i = 0; i < CREW_MAX; i++) {
		const struct member *m = &crew->member[i];
		if (!stays(m, pool))
			continue;
		bool is_current = m->roll == crew->roll;
		current += is_current;
		ready += is_current && m->ready;
		old += !is_current;
	}
	return (struct crew_need){
		.missing = MAX(wanted - current, 0),
		.old = MIN(MAX(ready + old - wanted, 0), old),
		.surplus = MAX(current - wanted, 0),
	};
}

struct member *crew_eldest(struct crew *crew, enum pool pool, bool current)
{
	struct member *eldest = NULL;
	for (size_t i = 0; i < CREW_MAX; i++) {
		struct member *m = &crew->member[i];
		if (stays(m, pool) && (m->roll == crew->roll) == current &&
			(!eldest || m->since_us < eldest->since_us))
			eldest = m;
	}
	return eldest;
}
