/* Kills processes of the segment at random moments, then counts: torture [KILLS [SEED]]. See
 * torture.h. */
#include "tests/shm/torture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "shm/check.h"

enum { DISPATCHER = WORKERS, PROCESSES = WORKERS + 1 + READERS, DRAIN_S = 60 };

static const char *const file_names[FILE__N] = {
	"committed.0", "committed.1", "committed.2", "journal", "dialled", "done"};

static pid_t pids[PROCESSES];
static uint32_t kills_of[PROCESSES];

static void prepare(struct torture *t)
{
	t->conf = (struct conf){
		.segment_live_calls = 32,
		.segment_window_entries = 256,
		.segment_clients = 16,
		.segment_servers = 16,
		.segment_allocations = 16,
		.segment_worker_slots = 2 * WORKERS,
		.segment_event_bytes = 65536,
	};
	(void)snprintf(
		t->conf.common_node, sizeof(t->conf.common_node), "torture-%d", (int)getpid());
	(void)snprintf(t->folder, sizeof(t->folder), "/tmp/ccs-torture-XXXXXX");
	if (!mkdtemp(t->folder))
		die("torture.folder", "why=%s", strerror(errno));
	for (int i = 0; i < FILE__N; i++) {
		char path[128];
		(void)snprintf(path, sizeof(path), "%s/%s", t->folder, file_names[i]);
		t->fd[i] = open(path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
		if (t->fd[i] < 0)
			die("torture.file", "path=%s why=%s", path, strerror(errno));
	}
	t->score = mmap(
		NULL, sizeof(*t->score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->score == MAP_FAILED)
		die("torture.score", "why=%s", strerror(errno));
}

static void clean_up(const struct torture *t)
{
	char path[128];
	for (int i = 0; i < FILE__N; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", t->folder, file_names[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/bell", t->folder);
	(void)unlink(path);
	(void)rmdir(t->folder);
	struct segment seg;
	if (segment_init(&seg, t->conf.common_node, NULL))
		segment_remove(&seg);
}

static void spawn(const struct torture *t, int who)
{
	pid_t parent = getpid();
	pids[who] = fork();
	if (pids[who] < 0)
		die("torture.fork", "why=%s", strerror(errno));
	if (pids[who] > 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	srandom((unsigned)getpid());
	if (who < WORKERS)
		be_worker(t, who);
	if (who == DISPATCHER)
		be_dispatcher(t);
	be_reader(t);
}

/* A process that ended by itself has found something that cannot be. */
static bool kill_one(int who)
{
	int status;
	(void)kill(pids[who], SIGKILL);
	if (waitpid(pids[who], &status, 0) != pids[who] || !WIFSIGNALED(status) ||
		WTERMSIG(status) != SIGKILL) {
		printf("process %d ended by itself with status %d\n", who, status);
		return false;
	}
	kills_of[who]++;
	return true;
}

static bool kill_at_random(const struct torture *t, uint32_t kills)
{
	for (uint32_t i = 0; i < kills; i++) {
		nap_us(500 + random() % 10000);
		int who = random() % 2 ? DISPATCHER : (int)(random() % PROCESSES);
		if (!kill_one(who))
			return false;
		spawn(t, who);
	}
	return true;
}

static uint64_t committed(const struct torture *t)
{
	uint64_t n = 0;
	for (int k = 0; k < WORKERS; k++)
		n += file_count(t, COMMITTED + (enum file)k);
	return n;
}

static bool wait_for_the_rest(const struct torture *t)
{
	int64_t deadline = clock_mono_us() + DRAIN_S * US_PER_S;
	while (file_count(t, DONE) < committed(t)) {
		if (clock_mono_us() > deadline)
			return false;
		nap_us(1000);
	}
	return true;
}

static void print_finding(void *arg, const char *invariant, const char *text)
{
	(void)arg;
	printf("%s: %s\n", invariant, text);
}

/* Under the last dispatcher, which has nothing left to do. */
static uint32_t audit(const struct torture *t)
{
	struct segment seg;
	struct err err;
	if (!segment_init(&seg, t->conf.common_node, &err) || !segment_attach_in(&seg, &err) ||
		!segment_attach_state(&seg, &err) || !segment_attach_events(&seg, &err)) {
		printf("audit: %s\n", err.text);
		return 1;
	}
	int64_t deadline = clock_mono_us() + DRAIN_S * US_PER_S;
	while (!segment_fresh(&seg, clock_mono_us()) && clock_mono_us() < deadline)
		nap_us(1000);
	uint32_t findings =
		segment_fresh(&seg, clock_mono_us()) ? shm_check(&seg, print_finding, NULL) : 1;
	segment_close(&seg);
	return findings;
}

/* How often each id stands in a file. */
static void tally(const struct torture *t, enum file file, uint8_t *times)
{
	uint64_t n, *ids = file_load(t, file, 0, &n);
	for (uint64_t i = 0; i < n; i++)
		times[ids[i]]++;
	free(ids);
}

struct verdict {
	uint64_t committed, lost, twice, ghosts, not_done, done_twice;
};

static struct verdict judge(const struct torture *t)
{
	struct verdict v = {.committed = committed(t)};
	uint8_t *ids = calloc(3, ID_MAX), *dialled = ids + ID_MAX, *done = dialled + ID_MAX;
	if (!ids)
		die("memory.exhausted", "what=verdict");
	for (int k = 0; k < WORKERS; k++)
		tally(t, COMMITTED + (enum file)k, ids);
	tally(t, DIALLED, dialled);
	tally(t, DONE, done);
	for (uint64_t id = 0; id < ID_MAX; id++) {
		v.lost += ids[id] && !dialled[id];
		v.twice += dialled[id] > 1;
		v.ghosts += dialled[id] && !ids[id];
		v.not_done += dialled[id] && !done[id];
		v.done_twice += done[id] > 1;
	}
	free(ids);
	return v;
}

static bool report(const struct torture *t, const struct verdict *v, uint32_t findings)
{
	const struct score *s = t->score;
	printf("committed %" PRIu64 ": lost %" PRIu64 ", dialled twice %" PRIu64 ", ghosts %" PRIu64
	       ", not done %" PRIu64 ", done twice %" PRIu64 "\n",
		v->committed, v->lost, v->twice, v->ghosts, v->not_done, v->done_twice);
	printf("submits: popped %" PRIu64 ", swept %" PRIu64 ", known already %" PRIu64
	       ", torn %" PRIu64 "\n",
		s->popped, s->swept, s->known_already, s->torn_records);
	printf("calls: adopted %" PRIu64 ", proven never written %" PRIu64 ", orphans %" PRIu64
	       ", read %" PRIu64 ", torn %" PRIu64 "\n",
		s->adopted, s->never_written, s->orphans, s->calls_read, s->torn_calls);
	printf("events: read %" PRIu64 ", overruns %" PRIu64 " with %" PRIu64
	       " missed, lives that republished %" PRIu64 ", torn %" PRIu64
	       ", out of order %" PRIu64 ", resets %" PRIu64 "\n",
		s->events, s->overruns, s->missed, s->republished, s->torn_events, s->wrong_order,
		s->resets);
	printf("rows: read %" PRIu64 ", not certain %" PRIu64 ", torn %" PRIu64
	       "; audit: %u findings\n",
		s->rows_read, s->rows_busy, s->torn_rows, findings);
	uint64_t worked = MIN(v->committed, MIN(s->popped, MIN(s->events, s->rows_read)));
	uint64_t wrong = v->lost + v->twice + v->ghosts + v->not_done + v->done_twice +
			 s->torn_records + s->torn_events + s->torn_calls + s->torn_rows +
			 s->wrong_order + s->resets + s->orphans + findings;
	return worked > 0 && wrong == 0;
}

int main(int argc, char **argv)
{
	struct torture t;
	uint32_t kills = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200;
	unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : (unsigned)getpid();
	srandom(seed);
	log_open("torture", LOG_WARN);
	prepare(&t);
	int64_t began = clock_mono_us();
	for (int who = 0; who < PROCESSES; who++)
		spawn(&t, who);
	bool fine = kill_at_random(&t, kills);
	for (int k = 0; k < WORKERS; k++)
		fine &= kill_one(k);
	fine &= wait_for_the_rest(&t);
	fine &= kill_one(DISPATCHER);
	spawn(&t, DISPATCHER);
	uint32_t findings = audit(&t);
	for (int who = DISPATCHER; who < PROCESSES; who++)
		fine &= kill_one(who);
	printf("kills %u (dispatcher %u) in %.1f s, seed %u\n", kills, kills_of[DISPATCHER],
		(double)(clock_mono_us() - began) / 1e6, seed);
	struct verdict v = judge(&t);
	fine &= report(&t, &v, findings);
	clean_up(&t);
	return fine ? 0 : 1;
}
