/* ccs-sim: simulates days of the dispatcher, each from its seed. A seed that breaks a rule says which one, and how to see it
 * again. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/sim/sim.h"

#include "common/base.h"

static const char usage[] =
	"ccs-sim [--seeds N] [--from SEED] [--jobs N]   N seeds from SEED on (500, 1, all cores)\n"
	"ccs-sim --seed SEED [--trace]                  one of them, with all that happens\n";

static const char *program;

void say(const char *fmt, ...)
{
	va_list ap;
	if (!sim.trace)
		return;
	int64_t us = sim.now_us - sim.began_us;
	fprintf(stderr, "%6lld.%06lld ", (long long)(us / US_PER_S), (long long)(us % US_PER_S));
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

enum {
	BROKE_A_RULE = 3
}; /* the status of a day that has said so; a sanitizer's report is another */

static void say_how_to_replay(uint64_t seed)
{
	printf("  replay: %s --seed %llu --trace\n", program, (unsigned long long)seed);
}

void violated(const char *fmt, ...)
{
	char text[400];
	va_list ap;
	int64_t us = sim.now_us - sim.began_us;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("seed %llu, second %lld.%06lld, life %u: %s\n", (unsigned long long)sim.seed,
		(long long)(us / US_PER_S), (long long)(us % US_PER_S), sim.lives, text);
	say_how_to_replay(sim.seed);
	(void)fflush(stdout);
	segment_remove(&sim.seg);
	_exit(BROKE_A_RULE);
}

/* Of all seeds: nothing is shown by days on which nobody was called. */
enum { CALLS_A_SEED = 100 };
static _Atomic uint64_t *calls;

/* The days under way; pid 0: none. */
static struct running {
	pid_t pid;
	uint64_t seed;
} *days;
static uint64_t days_n;

static struct running *day_of(pid_t pid)
{
	for (uint64_t i = 0; i < days_n; i++)
		if (days[i].pid == pid)
			return &days[i];
	die("sim.process", "pid=%d why=\"it is no day\"", (int)pid);
}

static void days_open(uint64_t jobs)
{
	days_n = jobs;
	days = calloc(days_n, sizeof(*days));
	if (!days)
		die("memory.exhausted", "jobs=%llu", (unsigned long long)jobs);
}

/* A process of its own for each seed: whatever it does, the next one begins anew. */
static void begin(uint64_t seed, bool trace)
{
	(void)fflush(stdout);
	struct running *day = day_of(0);
	pid_t pid = fork();
	if (pid < 0)
		die("sim.fork", "why=%s", log_q(strerror(errno)));
	if (pid) {
		*day = (struct running){pid, seed};
		return;
	}
	log_open("sim", trace ? LOG_DEBUG : LOG_ERROR + 1);
	day_run(seed, trace);
	*calls += sim.dialled_n;
	_exit(0);
}

static bool bury(uint64_t *failed)
{
	int status;
	pid_t pid = wait(&status);
	if (pid < 0)
		return false;
	struct running *day = day_of(pid);
	day->pid = 0;
	*failed += status != 0;
	if (WIFEXITED(status) && (status == 0 || WEXITSTATUS(status) == BROKE_A_RULE))
		return true;
	printf("seed %llu: ended %s %d\n", (unsigned long long)day->seed,
		WIFSIGNALED(status) ? "by signal" : "with status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	say_how_to_replay(day->seed);
	return true;
}

static uint64_t number(const char *text)
{
	uint64_t n;
	if (!str_to_u64(str_of(text), 0, UINT32_MAX, &n)) {
		fputs(usage, stderr);
		exit(EX_USAGE);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seeds", required_argument, NULL, 'n'},
		{"from", required_argument, NULL, 'f'}, {"jobs", required_argument, NULL, 'j'},
		{"seed", required_argument, NULL, 's'}, {"trace", no_argument, NULL, 't'}, {0}};
	uint64_t seeds = 500, from = 1, failed = 0;
	uint64_t jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN), running = 0;
	bool trace = false;
	program = argv[0];
	calls = mmap(
		NULL, sizeof(*calls), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (calls == MAP_FAILED)
		die("sim.memory", "why=%s", log_q(strerror(errno)));
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (c) {
		case 'n':
			seeds = number(optarg);
			break;
		case 'f':
			from = number(optarg);
			break;
		case 'j':
			jobs = number(optarg);
			break;
		case 's':
			from = number(optarg);
			seeds = 1;
			break;
		case 't':
			trace = true;
			break;
		default:
			fputs(usage, stderr);
			return EX_USAGE;
		}
	days_open(MIN(jobs, seeds));
	for (uint64_t i = 0; i < seeds; i++) {
		while (running >= jobs)
			running -= bury(&failed);
		begin(from + i, trace);
		running++;
	}
	while (bury(&failed)) {
	}
	printf("%llu seeds, %llu calls, %llu failed\n", (unsigned long long)seeds,
		(unsigned long long)*calls, (unsigned long long)failed);
	return failed || (seeds > 1 && *calls < seeds * CALLS_A_SEED) ? 1 : 0;
}
