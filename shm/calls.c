/* Call slots: see calls.h. */
#include "shm/calls.h"

#include <stdlib.h>

#include "common/log.h"
#include "shm/result.h"
#include "shm/row.h"

static const char *const state_names[CALL_STATE__N] = {
	[CALL_FREE] = "free",
	[CALL_PLANNED] = "planned",
	[CALL_ARMED] = "armed",
	[CALL_SENT] = "sent",
	[CALL_DIALING] = "dialing",
	[CALL_RINGING] = "ringing",
	[CALL_UP] = "up",
	[CALL_ENDED] = "ended",
};

/* What of a call lies under its row's sequence. */
enum { DETAIL_BYTES = sizeof(struct shm_call) - sizeof(struct shm_row) };

const char *call_state_name(enum shm_call_state state)
{
	return state < CALL_STATE__N ? state_names[state] : "?";
}

/* Low slots first: the heads that are walked stay close together. */
void call_table_open(struct call_table *table, struct segment *seg)
{
	*table = (struct call_table){.seg = seg};
	(void)seg_call_heads(seg, &table->n);
	table->free = calloc(table->n, sizeof(*table->free));
	if (!table->free)
		die("memory.exhausted", "what=call_table");
	for (uint32_t slot = table->n; slot-- > 0;)
		if (call_state(seg, slot) == CALL_FREE)
			table->free[table->free_n++] = slot;
}

void call_table_close(struct call_table *table)
{
	free(table->free);
	*table = (struct call_table){0};
}

static void store_details(struct shm_call *call, const struct shm_call *details)
{
	row_store(&call->queue_master_id, &details->queue_master_id, DETAIL_BYTES);
}

/* Until the state is stored, a successor finds the slot free. */
uint32_t call_take(
	struct call_table *table, const struct call_identity *id, const struct shm_call *details)
{
	if (table->free_n == 0)
		return CALL_NO_SLOT;
	uint32_t slot = table->free[--table->free_n];
	struct shm_call_head *head = &seg_call_heads(table->seg, NULL)[slot];
	struct shm_call *call = &seg_calls(table->seg, NULL)[slot];
	row_write_begin(&call->row);
	__atomic_store_n(&head->n, id->n, __ATOMIC_RELEASE);
	row_store(&head->entry_id, &id->entry_id, sizeof(id->entry_id));
	row_store(&head->client_id, &id->client_id, sizeof(id->client_id));
	row_store(&head->server_id, &id->server_id, sizeof(id->server_id));
	store_details(call, details);
	row_write_end(&call->row);
	result_clear(table->seg, slot);
	call_state_set(table->seg, slot, CALL_PLANNED);
	return slot;
}

void call_release(struct call_table *table, uint32_t slot)
{
	call_state_set(table->seg, slot, CALL_FREE);
	table->free[table->free_n++] = slot;
}

void call_update(struct segment *seg, uint32_t slot, const struct shm_call *details)
{
	struct shm_call *call = &seg_calls(seg, NULL)[slot];
	row_write_begin(&call->row);
	store_details(call, details);
	row_write_end(&call->row);
}

void call_state_set(struct segment *seg, uint32_t slot, enum shm_call_state state)
{
	atomic_store_explicit(&seg_call_heads(seg, NULL)[slot].state, state, memory_order_release);
}

/* One look: false when the row was being written. */
static bool look(
	const struct shm_call_head *head, const struct shm_call *call, struct shm_call_view *out)
{
	uint32_t seq;
	if (!row_read_begin(&call->row, &seq))
		return false;
	out->state = atomic_load_explicit(&head->state, memory_order_acquire);
	out->n = __atomic_load_n(&head->n, __ATOMIC_ACQUIRE);
	row_load(&out->entry_id, &head->entry_id, sizeof(out->entry_id));
	row_load(&out->client_id, &head->client_id, sizeof(out->client_id));
	row_load(&out->server_id, &head->server_id, sizeof(out->server_id));
	out->call.row = (struct shm_row){0};
	row_load(&out->call.queue_master_id, &call->queue_master_id, DETAIL_BYTES);
	return row_read_end(&call->row, seq);
}

bool call_read(const struct segment *seg, uint32_t slot, struct shm_call_view *out)
{
	uint32_t n;
	const struct shm_call_head *heads = seg_call_heads(seg, &n);
	const struct shm_call *calls = seg_calls(seg, NULL);
	if (slot >= n)
		return false;
	for (uint32_t i = 0; i < ROW_RETRIES; i++) {
		if (call_state(seg, slot) == CALL_FREE)
			return false;
		if (look(&heads[slot], &calls[slot], out))
			return out->state != CALL_FREE;
		row_wait(i);
	}
	return false;
}

uint32_t call_count(const struct segment *seg, uint64_t client_id, uint64_t server_id)
{
	uint32_t n, count = 0;
	(void)seg_call_heads(seg, &n);
	for (uint32_t slot = 0; slot < n; slot++) {
		struct shm_call_view view;
		if (call_read(seg, slot, &view) &&
			call_holds_grant((enum shm_call_state)view.state, view.call.seen) &&
			(client_id == 0 || client_id == view.client_id) &&
			(server_id == 0 || server_id == view.server_id))
			count++;
	}
	return count;
}
