/* Looking at the API workers, and ccsctl workers show: see workers.h. */
#include "ctl/workers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/submit.h"

#include "common/base.h"

#define PSS "Pss:"

static bool look_at_masters(const struct ctl *ctl, struct workers_view *view, struct err *err)
{
	for (enum pool p = 0; p < POOL__N; p++)
		if (!pool_master(&view->pool[p].master, ctl->conf.common_run_dir, p, err))
			return false;
	return true;
}

void workers_count(struct workers_view *view)
{
	const struct segment *seg = &view->segment;
	struct worker_facts worker;

	(void)seg_workers(seg, &view->slots);
	view->used = 0;
	for (enum pool p = 0; p < POOL__N; p++)
		view->pool[p].serving = view->pool[p].leaving = 0;
	for (uint32_t i = 0; i < view->slots; i++) {
		if (!worker_at(seg, i, &worker))
			continue;
		view->used++;
		*(worker.leaving ? &view->pool[worker.pool].leaving
				 : &view->pool[worker.pool].serving) += 1;
	}
}

static bool read_numbers(const struct ctl *ctl, const struct pool_wishes *wishes,
	struct workers_view *view, struct err *err)
{
	struct conf wished = ctl->conf;
	int numbers[POOL__N];

	pool_wishes_apply(wishes, &wished);
	const int64_t asked[POOL__N] = {wished.api_fast_workers, wished.api_sql_workers,
		wished.api_call_workers, wished.api_login_workers, wished.api_admin_workers};
	if (!pool_numbers(numbers, &wished, err))
		return false;
	for (enum pool p = 0; p < POOL__N; p++) {
		view->pool[p].wanted = numbers[p];
		view->pool[p].is_wished = wishes->is_wished[p];
		view->pool[p].is_auto = asked[p] == 0;
	}
	return true;
}

bool workers_view_open(struct workers_view *view, const struct ctl *ctl,
	const struct pool_wishes *wishes, struct err *err)
{
	*view = (struct workers_view){0};
	if (!read_numbers(ctl, wishes, view, err) || !look_at_masters(ctl, view, err) ||
		!segment_init(&view->segment, ctl->conf.common_node, err))
		return false;
	if (segment_attach_in(&view->segment, &view->unseen))
		workers_count(view);
	return true;
}

void workers_view_close(struct workers_view *view)
{
	segment_close(&view->segment);
}

/* ---- show ---- */

static const char *origin(const struct pool_view *pool)
{
	if (pool->is_wished)
		return pool->is_auto ? "set: automatic" : "set";
	return pool->is_auto ? "automatic" : "configured";
}

/* Seconds since the process began; its start is known in ticks since boot, modulo 2^32. */
static int64_t age_s(const struct worker_facts *worker)
{
	struct timespec now;
	long hz = sysconf(_SC_CLK_TCK);

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	uint32_t ticks = (uint32_t)(now.tv_sec * hz + now.tv_nsec * hz / 1000000000);
	return (uint32_t)(ticks - worker->started_ticks) / hz;
}

/* Its own memory and its share of what several have; -1 when we may not know. */
static int64_t memory_kb(uint32_t pid)
{
	char path[64], line[128];
	int64_t kb = -1;

	(void)snprintf(path, sizeof(path), "/proc/%u/smaps_rollup", pid);
	FILE *file = fopen(path, "re");
	while (file && kb < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, PSS, sizeof(PSS) - 1) == 0)
			kb = strtoll(line + sizeof(PSS) - 1, NULL, 10);
	if (file)
		(void)fclose(file);
	return kb;
}

/* list NULL: for people. */
static void show_worker(json_t *list, const struct worker_facts *worker)
{
	int64_t kb = memory_kb(worker->pid);
	const char *state = worker->leaving ? "leaving" : "serving";

	if (list) {
		json_array_append_new(list,
			json_pack("{s:i, s:s, s:s, s:I, s:I, s:o}", "pid", (int)worker->pid, "pool",
				pool_name(worker->pool), "state", state, "age_s",
				(json_int_t)age_s(worker), "requests", (json_int_t)worker->requests,
				"memory_kb", kb < 0 ? json_null() : json_integer(kb)));
		return;
	}
	(void)printf("%-8u %-6s %-8s %9" PRId64 " %12" PRIu64, worker->pid, pool_name(worker->pool),
		state, age_s(worker), worker->requests);
	if (kb >= 0)
		(void)printf(" %10" PRId64, kb);
	(void)printf("\n");
}

json_t *workers_pools(const struct workers_view *view)
{
	json_t *pools = json_array();
	for (enum pool p = 0; p < POOL__N; p++) {
		const struct pool_view *pool = &view->pool[p];
		json_array_append_new(
			pools, json_pack("{s:s, s:i, s:s, s:i, s:i, s:o}", "pool", pool_name(p),
				       "wanted", pool->wanted, "origin", origin(pool), "serving",
				       pool->serving, "leaving", pool->leaving, "master",
				       pool->master ? json_integer(pool->master) : json_null()));
	}
	return pools;
}

static void print_pools(const struct workers_view *view)
{
	(void)printf("%-6s %7s %8s %8s %8s  %s\n", "POOL", "WANTED", "SERVING", "LEAVING", "MASTER",
		"NUMBER IS");
	for (enum pool p = 0; p < POOL__N; p++) {
		const struct pool_view *pool = &view->pool[p];
		char master[16] = "none";
		if (pool->master)
			(void)snprintf(master, sizeof(master), "%d", (int)pool->master);
		(void)printf("%-6s %7d %8d %8d %8s  %s\n", pool_name(p), pool->wanted,
			pool->serving, pool->leaving, master, origin(pool));
	}
	(void)printf("\n%-8s %-6s %-8s %9s %12s %10s\n", "PID", "POOL", "STATE", "SECONDS",
		"REQUESTS", "MEMORY kB");
}

bool workers_show(struct ctl *ctl, struct err *err)
{
	struct pool_wishes wishes;
	struct worker_facts worker;
	struct workers_view view;

	if (!pool_wishes_read(&wishes, &ctl->conf, err) ||
		!workers_view_open(&view, ctl, &wishes, err))
		return false;
	json_t *list = ctl->json ? json_array() : NULL;
	if (!list)
		print_pools(&view);
	for (enum pool p = 0; p < POOL__N; p++)
		for (uint32_t i = 0; i < view.slots; i++)
			if (worker_at(&view.segment, i, &worker) && worker.pool == p)
				show_worker(list, &worker);
	if (list)
		out_json(json_pack("{s:o, s:o, s:{s:i, s:i}}", "pools", workers_pools(&view),
			"workers", list, "slots", "used", (int)view.used, "total",
			(int)view.slots));
	else if (view.slots)
		(void)printf("\n%u of %u worker slots are used.\n", view.used, view.slots);
	else
		(void)printf("No worker can be seen: %s\n", view.unseen.text);
	workers_view_close(&view);
	return true;
}
