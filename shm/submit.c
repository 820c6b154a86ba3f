/* Submit rings and the slots they belong to: see submit.h. */
#include "shm/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/row.h"

/* Field 22 of /proc/<pid>/stat, behind the name in parentheses; 0 when it cannot be read. */
static uint32_t process_started(uint32_t pid)
{
	char path[64], text[1024];
	(void)snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? (uint32_t)strtoull(at, NULL, 10) : 0;
}

uint64_t worker_self(void)
{
	uint32_t pid = (uint32_t)getpid();
	return (uint64_t)process_started(pid) << 32 | pid;
}

/* When the start time cannot be read, a process with that pid counts as the owner: a slot held for
 * too long costs less than one that is shared. */
bool worker_alive(uint64_t owner)
{
	uint32_t pid = worker_pid(owner);
	if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
		return false;
	uint32_t started = process_started(pid);
	return started == 0 || started == (uint32_t)(owner >> 32);
}

/* Our slot in the .in that is attached now, or NULL. */
static struct shm_worker *own_slot(const struct segment *seg, const struct shm_submit_head **head)
{
	uint32_t n, heads_n;
	struct shm_worker *workers = seg_workers(seg, &n);
	const struct shm_submit_head *heads = seg_heads(seg, &heads_n);
	bool held = seg->worker != 0 && seg->worker_attached == seg->map[SHM_IN].attached;
	uint32_t i = seg->worker - 1;
	if (!held || i >= n)
		return NULL;
	*head = i < heads_n ? &heads[i] : NULL;
	return &workers[i];
}

bool worker_slot_take(struct segment *seg, enum pool pool, struct err *err)
{
	uint32_t n;
	struct shm_worker *workers = seg_workers(seg, &n);
	uint64_t self = worker_self();
	for (uint32_t i = 0; i < n && seg->map[SHM_IN].writable; i++) {
		uint64_t owner = atomic_load_explicit(&workers[i].owner, memory_order_acquire);
		if (owner != 0 && worker_alive(owner))
			continue;
		/* Acquire: what the last owner stored in the slot comes before what we store. */
		if (!atomic_compare_exchange_strong_explicit(&workers[i].owner, &owner, self,
			    memory_order_acq_rel, memory_order_relaxed))
			continue;
		atomic_store_explicit(&workers[i].requests, 0, memory_order_relaxed);
		atomic_store_explicit(&workers[i].pool, pool, memory_order_relaxed);
		atomic_store_explicit(&workers[i].leaving, 0, memory_order_relaxed);
		seg->worker = i + 1;
		seg->worker_pool = pool;
		seg->worker_attached = seg->map[SHM_IN].attached;
		return true;
	}
	return fail(err, ERR_BUSY,
		n == 0 ? "no .in object is attached"
		       : "all worker slots are taken; raise segment.worker_slots above twice the "
			 "number of workers");
}

bool worker_slot_held(const struct segment *seg)
{
	const struct shm_submit_head *head;
	return own_slot(seg, &head);
}

void worker_slot_leaving(struct segment *seg)
{
	const struct shm_submit_head *head;
	struct shm_worker *worker = own_slot(seg, &head);
	if (worker)
		atomic_store_explicit(&worker->leaving, 1, memory_order_relaxed);
}

void worker_slot_release(struct segment *seg)
{
	const struct shm_submit_head *head;
	struct shm_worker *worker = own_slot(seg, &head);
	if (worker)
		atomic_store_explicit(&worker->owner, 0, memory_order_release);
	seg->worker = 0;
}

bool submit_send(struct segment *seg, const struct bell *bell, const struct shm_submit *rec)
{
	const struct shm_submit_head *head = NULL;
	struct shm_worker *worker = own_slot(seg, &head);
	if (!worker && seg->worker != 0 && worker_slot_take(seg, seg->worker_pool, NULL))
		worker = own_slot(seg, &head);
	if (!worker || !head || !submit_push(worker, head, rec))
		return false;
	if (bell)
		bell_ring(bell, seg_shared(seg, NULL));
	return true;
}

void worker_count_request(struct segment *seg)
{
	const struct shm_submit_head *head;
	struct shm_worker *worker = own_slot(seg, &head);
	if (worker)
		atomic_fetch_add_explicit(&worker->requests, 1, memory_order_relaxed);
}

bool worker_at(const struct segment *seg, uint32_t i, struct worker_facts *facts)
{
	uint32_t n;
	const struct shm_worker *workers = seg_workers(seg, &n);
	if (i >= n)
		return false;
	uint64_t owner = atomic_load_explicit(&workers[i].owner, memory_order_acquire);
	uint32_t pool = atomic_load_explicit(&workers[i].pool, memory_order_relaxed);
	if (owner == 0 || pool >= POOL__N || !worker_alive(owner))
		return false;
	*facts = (struct worker_facts){.pid = worker_pid(owner),
		.started_ticks = (uint32_t)(owner >> 32),
		.pool = (enum pool)pool,
		.leaving = atomic_load_explicit(&workers[i].leaving, memory_order_relaxed),
		.requests = atomic_load_explicit(&workers[i].requests, memory_order_relaxed)};
	return true;
}

/* Full also covers a head that cannot be: the dispatcher has not seen this .in yet. */
bool submit_push(
	struct shm_worker *worker, const struct shm_submit_head *head, const struct shm_submit *rec)
{
	uint64_t tail = atomic_load_explicit(&worker->tail, memory_order_relaxed);
	if (tail - atomic_load_explicit(&head->head, memory_order_acquire) >= SHM_RING_RECORDS)
		return false;
	row_store(&worker->ring[tail % SHM_RING_RECORDS], rec, sizeof(*rec));
	atomic_store_explicit(&worker->tail, tail + 1, memory_order_release);
	return true;
}

bool submit_pop_from(
	const struct shm_worker *worker, struct shm_submit_head *head, struct shm_submit *rec)
{
	uint64_t tail = atomic_load_explicit(&worker->tail, memory_order_acquire);
	uint64_t at = atomic_load_explicit(&head->head, memory_order_relaxed);
	if (at == tail)
		return false;
	if (tail - at > SHM_RING_RECORDS) {
		atomic_store_explicit(&head->head, tail, memory_order_release);
		return false;
	}
	row_load(rec, &worker->ring[at % SHM_RING_RECORDS], sizeof(*rec));
	/* Release: the worker may overwrite the record only after we have copied it. */
	atomic_store_explicit(&head->head, at + 1, memory_order_release);
	return true;
}

bool submit_waiting(const struct segment *seg)
{
	uint32_t n, heads_n;
	const struct shm_worker *workers = seg_workers(seg, &n);
	const struct shm_submit_head *heads = seg_heads(seg, &heads_n);
	for (uint32_t i = 0; i < MIN(n, heads_n); i++)
		if (atomic_load_explicit(&workers[i].tail, memory_order_acquire) !=
			atomic_load_explicit(&heads[i].head, memory_order_relaxed))
			return true;
	return false;
}

bool submit_pop(struct segment *seg, uint32_t *at, struct shm_submit *rec)
{
	uint32_t n, heads_n;
	const struct shm_worker *workers = seg_workers(seg, &n);
	struct shm_submit_head *heads = seg_heads(seg, &heads_n);
	n = MIN(n, heads_n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = (*at + i) % n;
		if (submit_pop_from(&workers[slot], &heads[slot], rec)) {
			*at = (slot + 1) % n;
			return true;
		}
	}
	return false;
}

/* Terminated, and nothing but digits after an optional '+'. */
static bool is_number(const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	if (n == size)
		return false;
	size_t digits = strspn(text + (text[0] == '+'), "0123456789");
	return digits + (text[0] == '+') == n;
}

bool submit_valid(const struct shm_submit *rec)
{
	if (rec->kind == SUBMIT_CONTROL)
		return rec->id != 0;
	if (rec->kind == SUBMIT_KEY_USED)
		return rec->id != 0 && rec->id <= INT64_MAX && rec->committed_us <= INT64_MAX;
	if (rec->kind != SUBMIT_CHUNK || rec->id == 0 || rec->client_id == 0)
		return false;
	if (rec->entries == 0 || rec->entries > SUBMIT_ENTRIES_MAX)
		return false;
	if (rec->entries > 1)
		return true;
	return rec->number[0] != '\0' && is_number(rec->number, sizeof(rec->number)) &&
	       is_number(rec->e164, sizeof(rec->e164)) && is_number(rec->did, sizeof(rec->did)) &&
	       strnlen(rec->phone_number, sizeof(rec->phone_number)) < sizeof(rec->phone_number);
}
