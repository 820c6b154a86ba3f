/* The segment as one process holds it: which of the three objects are attached, and where their
 * tables lie.
 *
 *   API worker   segment_open_in (creates .in when it comes first), segment_attach_state;
 *                segment_check before each use
 *   ccsctl       segment_attach_in, segment_attach_state, segment_attach_events: read-only
 *   dispatcher   segment_create_or_adopt in the holder; each child inherits the mapping and calls
 *                segment_begin_epoch
 *
 * Objects appear under their name complete (made nameless, filled, then linked), so nobody sees a
 * half-made one. The dispatcher holds a write lock on .state for its life, which the kernel gives
 * back however it ends: two dispatchers of one node exclude each other. A replaced object is marked
 * RETIRED; those who have it mapped keep their mapping, and move with segment_check.
 *
 * Pointers into the segment live no longer than the next segment_check: derive them from the
 * accessors below for each request.
 */
#ifndef CCS_SHM_SEGMENT_H
#define CCS_SHM_SEGMENT_H

#include <sys/types.h>

#include "common/conf.h"
#include "common/err.h"
#include "shm/layout.h"

enum { SEGMENT_NODE_BYTES = 64, SEGMENT_STALE_MS = 2000 };

/* One table per row of tables.def. */
enum shm_table {
#define TABLE(object, name, type, rows) SHM_TABLE_##name,
#include "shm/tables.def"
#undef TABLE
	SHM_TABLE__N
};

struct segment_table {
	void *rows; /* NULL: its object is not attached */
	uint32_t n;
};

struct segment_map {
	uint8_t *base; /* NULL: not attached */
	size_t bytes;
	int fd; /* kept by the dispatcher only: the lock lives on it; else -1 */
	dev_t dev;
	ino_t ino;
	bool wanted;			 /* segment_check re-attaches it */
	bool writable;			 /* mapped read-write */
	uint64_t created_us;		 /* identity of the object */
	uint64_t counts[SHM_TABLES_MAX]; /* rows of its tables, as judged when it was attached */
	uint64_t attached; /* how often this handle has attached it: differs = other pointers */
};

struct segment {
	char node[SEGMENT_NODE_BYTES];
	const struct conf *conf; /* for making .in again; the caller's; NULL for readers */
	struct segment_map map[SHM_OBJECT__N];
	struct segment_table table[SHM_TABLE__N];
	int64_t checked_mono_us;
	uint32_t worker;	  /* our slot + 1; 0 = none. See submit.h */
	uint64_t worker_attached; /* map[SHM_IN].attached when it was taken */
	uint32_t worker_pool;	  /* enum pool: whose worker we are */
};

/* seg_clients(seg, &n) and so on: the first row and the number of rows (n may be NULL); NULL and 0
 * when not attached. */
#define TABLE(object, name, type, count)                                                           \
	static inline type *seg_##name(const struct segment *seg, uint32_t *n)                     \
	{                                                                                          \
		if (n)                                                                             \
			*n = seg->table[SHM_TABLE_##name].n;                                       \
		return seg->table[SHM_TABLE_##name].rows;                                          \
	}
#include "shm/tables.def"
#undef TABLE

/* Empty, nothing attached. Fails when node cannot be part of a name: 1 to 32 letters, digits, '-',
 * '_' and '.', the first a letter or digit. */
MUST_USE bool segment_init(struct segment *seg, const char *node, struct err *err);

/* Detaches everything. The objects stay: they outlive every process. */
void segment_close(struct segment *seg);

/* ---- workers and readers ---- */

/* Attaches .in read-write and creates it when absent; any number of processes may do so at once. */
MUST_USE bool segment_open_in(struct segment *seg, const struct conf *conf, struct err *err);

/* Attaches .state read-only. BUSY when there is none (the dispatcher has not run yet) or it is of
 * an earlier boot; a layout of another version is refused with both hashes. A failed attach is
 * tried again by segment_check. */
MUST_USE bool segment_attach_state(struct segment *seg, struct err *err);

/* The same for .ev. */
MUST_USE bool segment_attach_events(struct segment *seg, struct err *err);

/* Attaches .in read-only, for ccsctl; never creates. */
MUST_USE bool segment_attach_in(struct segment *seg, struct err *err);

/* Moves to newer objects: at once when one of ours is RETIRED, else by comparing names with inodes,
 * at most once a second. One load per object otherwise. True when everything wanted is attached. */
bool segment_check(struct segment *seg);

/* .state is attached, the dispatcher has finished loading the directory and has given a sign of
 * life within SEGMENT_STALE_MS: what the segment says may be answered. Otherwise ask PostgreSQL. */
bool segment_fresh(const struct segment *seg, int64_t now_mono_us);

/* How many times the dispatcher's child has started; 0 without .state. */
uint64_t segment_epoch(const struct segment *seg);

/* ---- the dispatcher ---- */

/* Attaches .in, .state and .ev read-write: those of an earlier life (*adopted, call slots and all),
 * or new ones, after retiring what has another layout, another boot, or other sizes and no live
 * call. CONFLICT when another dispatcher holds this node. After the segment was lost, the holder
 * calls it again, once its child is gone: what still has its name is adopted, the rest is new. */
MUST_USE bool segment_create_or_adopt(
	struct segment *seg, const struct conf *conf, bool *adopted, struct err *err);

/* First act of every life of the child: epoch + 1, not ready; what a killed predecessor left
 * half-written is made whole or stays unreadable until it is written again (README.md). Returns the
 * epoch. */
uint64_t segment_begin_epoch(struct segment *seg);

/* False when a name no longer leads to our object: somebody removed it ("segment lost"); new
 * readers cannot find us. */
bool segment_still_named(const struct segment *seg);

/* Marks all objects RETIRED and removes their names: for good (ccsctl, the demo's end, tests). A
 * graceful stop leaves the segment where it is. */
void segment_remove(struct segment *seg);

/* Sign of life and what ready means: see struct shm_status. */
static inline void segment_beat(struct segment *seg, int64_t now_mono_us)
{
	atomic_store_explicit(
		&seg_status(seg, NULL)->heartbeat_mono_us, now_mono_us, memory_order_release);
}

static inline void segment_set_ready(struct segment *seg, bool ready)
{
	atomic_store_explicit(&seg_status(seg, NULL)->ready, ready, memory_order_release);
}

/* ---- naming ---- */

enum { SEGMENT_NAME_BYTES = 96 };

/* "/ccs-main.state" */
void segment_name(const char *node, enum shm_object object, char out[SEGMENT_NAME_BYTES]);

/* Of every table, struct, field and name that lies in shared memory: two programs with the same
 * hash mean the same bytes. */
uint64_t shm_layout_hash(void);

/* What the hash is made of, one struct after the other: a field without a dot is a whole struct. */
struct shm_field {
	const char *name; /* "shm_call" or "shm_call.seen" */
	size_t offset, size;
};

const struct shm_field *shm_fields(size_t *n);

#endif
