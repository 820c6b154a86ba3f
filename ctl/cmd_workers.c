/* ccsctl workers: set, reset. The one change that ccsctl makes not through SQL: how many workers a node has concerns nobody
 * else. It is a file (common/pool.h) and a signal to whoever holds the pool's lock. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "common/clock.h"
#include "ctl/workers.h"

#include "common/base.h"

enum {
	FOLLOW_WITHIN_S = 15,
	FOLLOW_PAUSE_US = 20000,
	LOGIN_BYTES = 64 << 20, /* that hashing one password takes */
	DISPATCHER_CONNECTIONS = 2,
	OUR_CONNECTIONS = 1,
};

/* ---- do the numbers fit? ---- */

bool workers_fit_database(struct ctl *ctl, const int numbers[POOL__N], struct err *err)
{
	struct rows rows = ROWS_INIT;
	char words[POOL_WORDS_BYTES];
	int pools = 2 * pool_connected(numbers);
	int needed = pools + DISPATCHER_CONNECTIONS + OUR_CONNECTIONS;

	if (!db_query(ctl->db, SQL_CONNECTIONS, NULL, &rows, err))
		return false;
	int64_t most = row_i64(&rows, 0, 0);
	rows_free(&rows);
	return needed <= most ||
	       fail(err, ERR_INPUT,
		       "workers (%s) have %d connections to PostgreSQL while they roll, all but "
		       "the fast ones, the dispatcher and ccsctl %d more; its max_connections "
		       "leaves %" PRId64 ": raise it, or take fewer workers",
		       pool_words(numbers, words), pools, needed - pools, most);
}

/* What cannot be asked is said, and does not stop anybody. */
static bool check_database(struct ctl *ctl, const int numbers[POOL__N], struct err *err)
{
	struct err away = {0};

	if (ctl_db(ctl, &away))
		return workers_fit_database(ctl, numbers, err);
	(void)fprintf(stderr,
		"ccsctl: warning: PostgreSQL could not be asked whether it has connections for "
		"so many (%s)\n",
		away.text);
	return true;
}

/* The segment may have been made under another configuration. */
static bool check_slots(
	const struct workers_view *view, const int numbers[POOL__N], struct err *err)
{
	int64_t needed = pool_slots(numbers);
	return view->slots == 0 || needed <= view->slots ||
	       fail(err, ERR_INPUT,
		       "so many workers need %" PRId64 " worker slots, two each; the segment was "
		       "made with %u: restart ccs-dispatcher to make it with segment.worker_slots",
		       needed, view->slots);
}

static void warn_of_memory(const struct ctl *ctl, const struct workers_view *view)
{
	struct sysinfo machine;
	int64_t most = (int64_t)view->pool[POOL_LOGIN].wanted * LOGIN_BYTES;

	for (enum pool p = 0; p < POOL__N; p++)
		most += view->pool[p].wanted * ctl->conf.api_request_memory_bytes;
	if (sysinfo(&machine) != 0)
		return;
	int64_t has = (int64_t)machine.totalram * machine.mem_unit;
	if (most > has)
		(void)fprintf(stderr,
			"ccsctl: warning: when each is at a request as large as "
			"api.request_memory_bytes allows, they take %" PRId64
			" MiB; this machine has %" PRId64 " MiB\n",
			most >> 20, has >> 20);
}

/* ---- set, reset ---- */

/* "fast=8" */
static bool take_word(struct pool_wishes *given, const char *word, struct err *err)
{
	struct str rest = str_of(word), name;
	enum pool pool;

	if (!strchr(word, '='))
		return fail(err, ERR_INPUT, "\"%s\" is not POOL=NUMBER, such as fast=8 or sql=auto",
			word);
	(void)str_split(&rest, '=', &name);
	if (!pool_named(name, &pool))
		return fail(err, ERR_INPUT,
			"there is no pool \"%.*s\"; they are fast, sql, call, login and admin",
			(int)name.n, name.p);
	if (given->is_wished[pool])
		return fail(err, ERR_INPUT, "%s is given twice", pool_name(pool));
	return pool_wish(given, pool, rest.p, err);
}

static bool may_tell(const struct workers_view *view, struct err *err)
{
	for (enum pool p = 0; p < POOL__N; p++)
		if (view->pool[p].master && kill(view->pool[p].master, 0) != 0 && errno == EPERM)
			return fail(err, ERR_FORBIDDEN,
				"ccs-api, process %d, is another user's: run ccsctl as that user, "
				"or as root",
				(int)view->pool[p].master);
	return true;
}

/* Each master once, whose pools may be several. */
static void tell_masters(const struct workers_view *view)
{
	for (enum pool p = 0; p < POOL__N; p++) {
		bool is_told = false;
		for (enum pool q = 0; q < p; q++)
			is_told |= view->pool[q].master == view->pool[p].master;
		if (view->pool[p].master && !is_told)
			(void)kill(view->pool[p].master, SIGUSR1);
	}
}

/* By how many workers the pools that somebody runs have too many and too few. */
static void compare(const struct workers_view *view, int *too_many, int *too_few)
{
	*too_many = *too_few = 0;
	for (enum pool p = 0; p < POOL__N; p++) {
		int more = view->pool[p].master ? view->pool[p].serving - view->pool[p].wanted : 0;
		*too_many += MAX(more, 0);
		*too_few += MAX(-more, 0);
	}
}

/* Until the segment shows as many workers as there shall be. Whoever is still at a request learns only after it that it is to
 * leave. */
static bool follow(struct workers_view *view, struct err *err)
{
	int64_t deadline = clock_mono_us() + FOLLOW_WITHIN_S * US_PER_S;
	const struct timespec pause = {.tv_nsec = FOLLOW_PAUSE_US * 1000};

	for (;;) {
		int too_many, too_few;
		bool is_late = clock_mono_us() > deadline;
		workers_count(view);
		compare(view, &too_many, &too_few);
		if (view->slots == 0 || too_many + too_few == 0 || (is_late && too_few == 0))
			return true;
		if (is_late)
			return fail(err, ERR_BUSY,
				"after %d s %d workers are missing and %d too many; the log of "
				"ccs-api says why",
				FOLLOW_WITHIN_S, too_few, too_many);
		(void)nanosleep(&pause, NULL);
	}
}

static void say(const struct ctl *ctl, const struct workers_view *view)
{
	int too_many, too_few;
	bool runs = false;
	int wanted[POOL__N];
	char words[POOL_WORDS_BYTES];
	for (enum pool p = 0; p < POOL__N; p++) {
		runs |= view->pool[p].master != 0;
		wanted[p] = view->pool[p].wanted;
	}
	if (ctl->json) {
		out_json(json_pack("{s:b, s:o}", "running", runs, "pools", workers_pools(view)));
		return;
	}
	(void)printf("%s %s.\n", runs ? "Workers:" : "ccs-api does not run; it will start with",
		pool_words(wanted, words));
	compare(view, &too_many, &too_few);
	if (view->slots && too_many)
		(void)printf("%d more will leave when they have answered.\n", too_many);
}

/* Everything is looked at before anything is done. */
static bool may_change(struct ctl *ctl, const struct workers_view *view, struct err *err)
{
	int numbers[POOL__N];
	for (enum pool p = 0; p < POOL__N; p++)
		numbers[p] = view->pool[p].wanted;
	return may_tell(view, err) && check_slots(view, numbers, err) &&
	       check_database(ctl, numbers, err);
}

static bool change(struct ctl *ctl, const struct pool_wishes *wishes, struct err *err)
{
	struct workers_view view;

	if (!workers_view_open(&view, ctl, wishes, err))
		return false;
	bool ok = may_change(ctl, &view, err) && pool_wishes_write(wishes, &ctl->conf, err);
	if (ok) {
		warn_of_memory(ctl, &view);
		tell_masters(&view);
		ok = follow(&view, err);
	}
	workers_view_close(&view);
	if (ok)
		say(ctl, &view);
	return ok;
}

bool workers_set(struct ctl *ctl, struct err *err)
{
	struct pool_wishes wishes, given = {0};

	for (int i = 0; i < ctl->arguments_n; i++)
		if (!take_word(&given, ctl->arguments[i], err))
			return false;
	if (!pool_wishes_read(&wishes, &ctl->conf, err))
		return false;
	for (enum pool p = 0; p < POOL__N; p++)
		if (given.is_wished[p]) {
			wishes.is_wished[p] = true;
			wishes.number[p] = given.number[p];
		}
	return change(ctl, &wishes, err);
}

bool workers_reset(struct ctl *ctl, struct err *err)
{
	const struct pool_wishes none = {0};
	return change(ctl, &none, err);
}
