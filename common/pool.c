/* Pools of API workers: see pool.h. */
#include "common/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "common/base.h"

enum {
	SQL_PER_CORE = 4,
	/* Unasked; while they roll, their connections, twice as many, are within the hundred that PostgreSQL allows when
	 * nobody has told it otherwise. */
	SQL_MOST = 32,
	SLOTS_PER_WORKER = 2,
	FAST_SHARE = 8, /* of the slots, one in so many: unasked, they always fit */
	SQL_SHARE = 4,
	/* Unasked; a flood of guesses must leave a core to others. */
	LOGIN_MOST = 2,
	FILE_MODE = 0644, /* numbers are no secret */
	PATH_BYTES = CONF_TEXT_BYTES + 8,
};

static const struct {
	const char *name, *option;
	size_t offset; /* of the option's number in struct conf */
} pools[POOL__N] = {
	[POOL_FAST] = {"fast", "fast_workers", offsetof(struct conf, api_fast_workers)},
	[POOL_SQL] = {"sql", "sql_workers", offsetof(struct conf, api_sql_workers)},
	[POOL_CALL] = {"call", "call_workers", offsetof(struct conf, api_call_workers)},
	[POOL_LOGIN] = {"login", "login_workers", offsetof(struct conf, api_login_workers)},
	[POOL_ADMIN] = {"admin", "admin_workers", offsetof(struct conf, api_admin_workers)},
};

const char *pool_name(enum pool pool)
{
	return pools[pool].name;
}

bool pool_keeps(enum pool pool)
{
	return pool == POOL_FAST || pool == POOL_CALL;
}

bool pool_named(struct str name, enum pool *pool)
{
	for (enum pool p = 0; p < POOL__N; p++)
		if (str_eq(name, str_of(pools[p].name))) {
			*pool = p;
			return true;
		}
	return false;
}

static int64_t *number_at(struct conf *conf, enum pool pool)
{
	return (int64_t *)(void *)((char *)conf + pools[pool].offset);
}

/* ---- wishes ---- */

bool pool_wish(struct pool_wishes *wishes, enum pool pool, const char *number, struct err *err)
{
	struct conf conf;
	bool is_auto = str_eq(str_of(number), STR("auto"));
	if (!conf_set(&conf, "api", pools[pool].option, is_auto ? "0" : number, err))
		return false;
	wishes->is_wished[pool] = true;
	wishes->number[pool] = *number_at(&conf, pool);
	return true;
}

struct reading {
	struct pool_wishes wishes;
	struct err *err;
	bool refused;
};

static bool take(struct reading *reading, const char *section, const char *name, const char *value)
{
	if (str_eq(str_of(section), STR("api")))
		for (enum pool p = 0; p < POOL__N; p++)
			if (str_eq(str_of(name), str_of(pools[p].option)))
				return pool_wish(&reading->wishes, p, value, reading->err);
	return fail(reading->err, ERR_INPUT,
		"%s of section [%s] does not belong here; `ccsctl workers set` writes this file",
		name, section);
}

/* inih's contract: nonzero = fine. */
static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	if (!reading->refused)
		reading->refused = !take(reading, section, name, value);
	return !reading->refused;
}

bool pool_wishes_read(struct pool_wishes *wishes, const struct conf *conf, struct err *err)
{
	const char *path = conf->api_workers_file;
	struct reading reading = {.err = err};
	FILE *file = fopen(path, "re");

	if (!file && errno != ENOENT)
		return fail(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
	int line = file ? ini_parse_file(file, handle, &reading) : 0;
	if (file)
		(void)fclose(file);
	if (line != 0 && !reading.refused)
		fail(err, ERR_INPUT, "expected [section] or name = value");
	if (line != 0)
		return fail_context(err, "%s:%d", path, line);
	*wishes = reading.wishes;
	return true;
}

static bool write_lines(FILE *file, const struct pool_wishes *wishes)
{
	bool ok = fputs("# Written by `ccsctl workers set`; `ccsctl workers reset` takes it "
			"away.\n[api]\n",
			  file) >= 0;
	for (enum pool p = 0; p < POOL__N; p++)
		if (wishes->is_wished[p])
			ok = fprintf(file, "%s = %" PRId64 "\n", pools[p].option,
				     wishes->number[p]) > 0 &&
			     ok;
	return fflush(file) == 0 && fchmod(fileno(file), FILE_MODE) == 0 &&
	       fsync(fileno(file)) == 0 && ok;
}

static bool has_any(const struct pool_wishes *wishes)
{
	bool any = false;
	for (enum pool p = 0; p < POOL__N; p++)
		any |= wishes->is_wished[p];
	return any;
}

bool pool_wishes_write(const struct pool_wishes *wishes, const struct conf *conf, struct err *err)
{
	const char *path = conf->api_workers_file;
	char next[PATH_BYTES];

	if (*path == '\0')
		return fail(err, ERR_INPUT, "api.workers_file names no file to keep numbers in");
	if (!has_any(wishes))
		return unlink(path) == 0 || errno == ENOENT ||
		       fail(err, ERR_INPUT, "cannot remove %s: %s", path, strerror(errno));
	(void)snprintf(next, sizeof(next), "%s.new", path);
	FILE *file = fopen(next, "we");
	if (!file)
		return fail(err, ERR_INPUT, "cannot write %s: %s", next, strerror(errno));
	bool ok = write_lines(file, wishes);
	ok = fclose(file) == 0 && ok;
	if (ok && rename(next, path) == 0)
		return true;
	fail(err, ERR_INTERNAL, "cannot write %s: %s", path, strerror(errno));
	(void)unlink(next);
	return false;
}

void pool_wishes_apply(const struct pool_wishes *wishes, struct conf *conf)
{
	for (enum pool p = 0; p < POOL__N; p++)
		if (wishes->is_wished[p])
			*number_at(conf, p) = wishes->number[p];
}

/* ---- how many ---- */

int pool_cores(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? MAX(CPU_COUNT(&set), 1) : 1;
}

int64_t pool_slots(const int numbers[POOL__N])
{
	int64_t workers = 0;
	for (enum pool p = 0; p < POOL__N; p++)
		workers += numbers[p];
	return workers * SLOTS_PER_WORKER;
}

int pool_connected(const int numbers[POOL__N])
{
	int all = 0;
	for (enum pool p = 0; p < POOL__N; p++)
		all += p == POOL_FAST ? 0 : numbers[p];
	return all;
}

const char *pool_words(const int numbers[POOL__N], char out[POOL_WORDS_BYTES])
{
	size_t n = 0;
	for (enum pool p = 0; p < POOL__N; p++)
		n += (size_t)snprintf(out + n, POOL_WORDS_BYTES - n, "%s%s %d", p ? ", " : "",
			pool_name(p), numbers[p]);
	return out;
}

bool pool_numbers(int numbers[POOL__N], const struct conf *conf, struct err *err)
{
	int cores = pool_cores(), slots = (int)conf->segment_worker_slots;
	int n[POOL__N] = {[POOL_FAST] = (int)conf->api_fast_workers,
		[POOL_SQL] = (int)conf->api_sql_workers,
		[POOL_CALL] = (int)conf->api_call_workers,
		[POOL_LOGIN] = (int)conf->api_login_workers,
		[POOL_ADMIN] = (int)conf->api_admin_workers};
	char words[POOL_WORDS_BYTES];

	if (n[POOL_FAST] == 0)
		n[POOL_FAST] = MAX(MIN(cores, slots / FAST_SHARE), 1);
	if (n[POOL_SQL] == 0)
		n[POOL_SQL] = MAX(MIN(MIN(cores * SQL_PER_CORE, SQL_MOST), slots / SQL_SHARE), 1);
	if (n[POOL_LOGIN] == 0)
		n[POOL_LOGIN] = MAX(MIN(cores / 2, LOGIN_MOST), 1);
	if (pool_slots(n) > conf->segment_worker_slots)
		return fail(err, ERR_INPUT,
			"workers (%s) need %" PRId64 " worker slots, two each, so that they can "
			"roll; segment.worker_slots is %" PRId64,
			pool_words(n, words), pool_slots(n), conf->segment_worker_slots);
	for (enum pool p = 0; p < POOL__N; p++)
		numbers[p] = n[p];
	return true;
}

bool pool_numbers_wished(int numbers[POOL__N], const struct conf *conf, struct err *err)
{
	struct pool_wishes wishes;
	struct conf wished = *conf;

	if (!pool_wishes_read(&wishes, conf, err))
		return false;
	pool_wishes_apply(&wishes, &wished);
	return pool_numbers(numbers, &wished, err);
}

/* ---- where ---- */

bool pool_socket(char *out, size_t size, const char *run_dir, enum pool pool, struct err *err)
{
	int n = snprintf(out, size, "%s/api-%s.sock", run_dir, pool_name(pool));
	return (n > 0 && (size_t)n < size) ||
	       fail(err, ERR_INPUT, "run_dir %s is too long for a socket's path", run_dir);
}

void pool_lock(char out[POOL_LOCK_BYTES], const char *socket)
{
	(void)snprintf(out, POOL_LOCK_BYTES, "%s.lock", socket);
}

bool pool_master(pid_t *master, const char *run_dir, enum pool pool, struct err *err)
{
	char socket[POOL_LOCK_BYTES - 8], path[POOL_LOCK_BYTES];
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (!pool_socket(socket, sizeof(socket), run_dir, pool, err))
		return false;
	pool_lock(path, socket);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		*master = 0;
		return true;
	}
	bool ok = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0;
	if (!ok)
		fail(err, ERR_INPUT, "cannot look at %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (ok)
		*master = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
	return ok;
}
