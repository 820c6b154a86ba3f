/* The pools of API workers: their names, where each listens, how many workers each shall have.
 *
 * Five kinds of worker run the same program. fast: answers from the segment, never waits. sql: one request at a time, waits
 * for PostgreSQL. call: quick calls and small batches, all that are there in one transaction. login: as sql, for what takes a core
 * and 64 MiB each time: passwords. admin: as sql, for administrators.
 *
 * How many is an option of each pool ([api] fast_workers and so on; 0 = as many as suit the machine). What `ccsctl workers
 * set` wishes is kept in a file of its own, [api] workers_file, and wins. Every worker has a slot in the segment, and while
 * pools roll the old and the new live side by side: hence twice as many slots as workers.
 */
#ifndef CCS_COMMON_POOL_H
#define CCS_COMMON_POOL_H

#include <sys/types.h>
#include <sys/un.h>

#include "common/conf.h"
#include "common/str.h"

enum pool { POOL_FAST, POOL_SQL, POOL_CALL, POOL_LOGIN, POOL_ADMIN, POOL__N };

const char *pool_name(enum pool pool);

/* Its workers keep nginx's connections: none of them has to wait for another. */
bool pool_keeps(enum pool pool);

/* False when no pool is called so. */
MUST_USE bool pool_named(struct str name, enum pool *pool);

/* ---- how many ---- */

/* What was wished, beside the configuration. */
struct pool_wishes {
	bool is_wished[POOL__N];
	int64_t number[POOL__N]; /* 0: as many as suit the machine */
};

/* Takes a number for a pool: "8", or "auto" for 0. INPUT when it is none, or out of the option's range. */
MUST_USE bool pool_wish(
	struct pool_wishes *wishes, enum pool pool, const char *number, struct err *err);

/* Reads the file; no file is no wish. */
MUST_USE bool pool_wishes_read(
	struct pool_wishes *wishes, const struct conf *conf, struct err *err);

/* Replaces the file in one step; without a wish it goes. */
MUST_USE bool pool_wishes_write(
	const struct pool_wishes *wishes, const struct conf *conf, struct err *err);

/* Puts them in the place of the configuration's numbers. */
void pool_wishes_apply(const struct pool_wishes *wishes, struct conf *conf);

/* "fast 2, sql 8, call 2, login 2, admin 2" */
enum { POOL_WORDS_BYTES = 96 };
const char *pool_words(const int numbers[POOL__N], char out[POOL_WORDS_BYTES]);

/* How many workers each pool shall have. INPUT when they need more slots than the segment is to have. */
MUST_USE bool pool_numbers(int numbers[POOL__N], const struct conf *conf, struct err *err);

/* The same with what the file wishes. */
MUST_USE bool pool_numbers_wished(int numbers[POOL__N], const struct conf *conf, struct err *err);

/* Slots that these workers need. */
int64_t pool_slots(const int numbers[POOL__N]);

/* How many of them have a connection to PostgreSQL. */
int pool_connected(const int numbers[POOL__N]);

/* Processors that this process may use. */
int pool_cores(void);

/* ---- where ---- */

/* <run_dir>/api-<pool>.sock. INPUT when that is longer than out. */
MUST_USE bool pool_socket(
	char *out, size_t size, const char *run_dir, enum pool pool, struct err *err);

/* The pool belongs to the process that holds a POSIX lock on this file: <socket>.lock. */
enum { POOL_LOCK_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) + 8 };
void pool_lock(char out[POOL_LOCK_BYTES], const char *socket);

/* That process, the master of the pool's workers; 0 when there is none. */
MUST_USE bool pool_master(pid_t *master, const char *run_dir, enum pool pool, struct err *err);

#endif
