/* What one client may see: see view.h. */
#include "shm/view.h"

#include "shm/calls.h"
#include "shm/row.h"
#include "shm/window.h"

struct view view_of(const struct segment *seg, uint64_t client_id)
{
	return (struct view){seg, client_id};
}

bool view_client(const struct view *view, struct client_facts *out)
{
	return dir_client_facts(view->seg, view->client_id, out);
}

/* An allocation whose server is not (yet) in the directory shows nothing that could be used. */
bool view_next_allocation(const struct view *view, uint32_t *at, struct view_allocation *out)
{
	struct allocation_facts facts;
	while (dir_next_allocation(view->seg, view->client_id, at, &facts)) {
		out->allocation = facts.allocation;
		out->usage = facts.usage;
		if (dir_server_facts(view->seg, facts.allocation.server_id, &out->server))
			return true;
	}
	return false;
}

/* The compact heads say where to look; the copy under the row's sequence says whose it is. */
bool view_next_call(const struct view *view, uint32_t *at, struct shm_call_view *out)
{
	uint32_t n;
	const struct shm_call_head *heads = seg_call_heads(view->seg, &n);
	while (*at < n) {
		uint32_t slot = (*at)++;
		uint64_t client_id;
		row_load(&client_id, &heads[slot].client_id, sizeof(client_id));
		if (client_id == view->client_id && call_read(view->seg, slot, out) &&
			out->client_id == view->client_id)
			return true;
	}
	return false;
}

/* As dispatcher/slot.c locks it: until the call's end is stored. */
bool view_number_is_live(
	const struct view *view, uint64_t entry_id, struct str number, struct str e164)
{
	struct str key = e164.n ? e164 : number;
	struct shm_call_view call;
	uint32_t n;
	(void)seg_call_heads(view->seg, &n);
	for (uint32_t slot = 0; slot < n; slot++)
		if (call_state(view->seg, slot) != CALL_FREE && call_read(view->seg, slot, &call) &&
			call.n > 0 && call.entry_id != entry_id && !(call.call.seen & SEEN_AHEAD) &&
			str_eq(key, str_of(*call.call.e164 ? call.call.e164 : call.call.number)))
			return true;
	return false;
}

bool view_next_waiting(const struct view *view, uint32_t *at, struct shm_window *out)
{
	uint32_t n;
	const struct shm_window *rows = seg_window(view->seg, &n);
	while (*at < n) {
		uint32_t i = (*at)++;
		uint64_t client_id;
		row_load(&client_id, &rows[i].client_id, sizeof(client_id));
		if (client_id == view->client_id && window_read(view->seg, i, out) &&
			out->client_id == view->client_id)
			return true;
	}
	return false;
}

bool view_call_on_server(const struct segment *seg, uint64_t server_id, uint64_t entry_id,
	uint32_t n, struct shm_call_view *out)
{
	uint32_t slots;
	const struct shm_call_head *heads = seg_call_heads(seg, &slots);
	for (uint32_t slot = 0; slot < slots; slot++) {
		uint64_t id;
		row_load(&id, &heads[slot].entry_id, sizeof(id));
		if (id == entry_id && call_read(seg, slot, out) && out->entry_id == entry_id &&
			out->n == n)
			return out->server_id == server_id && out->state >= CALL_SENT &&
			       out->state < CALL_ENDED;
	}
	return false;
}
