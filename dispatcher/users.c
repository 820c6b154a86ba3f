/* Users, from SQL to the segment: see users.h. */
#include <stdlib.h>

#include "common/log.h"
#include "dispatcher/users.h"
#include "shm/directory.h"

#include "common/base.h"

/* One that the load has brought. */
struct seen_user {
	uint64_t id;
	UT_hash_handle hh;
};

static struct seen_user *find(const struct dispatcher *d, uint64_t id)
{
	struct seen_user *seen;
	HASH_FIND(hh, d->seen_users, &id, sizeof(id), seen);
	return seen;
}

static void note(struct dispatcher *d, uint64_t id)
{
	if (find(d, id))
		return;
	struct seen_user *seen = calloc(1, sizeof(*seen));
	if (!seen)
		die("memory.exhausted", "bytes=%zu", sizeof(*seen));
	seen->id = id;
	HASH_ADD(hh, d->seen_users, id, sizeof(seen->id), seen);
}

/* The user that begins at *row, which moves behind its last. Sessions that ended come latest first: those that do not fit are
 * older than the last one that is read here, so tokens issued after that one's end are none of theirs. */
static struct shm_user read_user(const struct rows *rows, int *row)
{
	struct shm_user user = {
		.id = (uint64_t)row_i64(rows, *row, 0),
		.client_id = (uint64_t)row_i64(rows, *row, 1),
		.version = (uint64_t)row_i64(rows, *row, 2),
	};
	for (size_t n = 0; *row < rows->n && (uint64_t)row_i64(rows, *row, 0) == user.id; n++) {
		if (n < ARRAY_LEN(user.ended)) {
			user.ended[n] = (uint64_t)row_i64(rows, *row, 3);
		} else if (n == ARRAY_LEN(user.ended)) {
			user.unsure_until_us = row_time(rows, *row, 4);
			user.unsure_up_to_id = (uint64_t)row_i64(rows, *row, 5);
		}
		++*row;
	}
	return user;
}

void users_take(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int row = 0; row < rows->n;) {
		struct shm_user user = read_user(rows, &row);
		note(d, user.id);
		if (!dir_put_user(d->seg, &user))
			log_error("directory.full", "table=users do=\"raise segment.clients\"");
	}
}

void users_begin(struct dispatcher *d)
{
	struct seen_user *seen, *next;
	HASH_ITER (hh, d->seen_users, seen, next) {
		HASH_DEL(d->seen_users, seen);
		free(seen);
	}
}

void users_end(struct dispatcher *d)
{
	uint32_t n;
	const struct shm_user_row *rows = seg_users(d->seg, &n);
	for (uint32_t i = 0; i < n; i++) {
		bool used =
			atomic_load_explicit(&rows[i].row.used, memory_order_relaxed) == ROW_USED;
		if (used && !find(d, rows[i].data.id))
			(void)dir_remove_user(d->seg, rows[i].data.id);
	}
}
