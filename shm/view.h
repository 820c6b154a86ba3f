/* What one client may see of the segment. Whoever answers a tenant reads clients, allocations,
 * servers, calls and waiting entries through a view and in no other way, so no tenant sees a row of
 * another. Views hold no pointer into the segment and survive segment_check.
 *
 *	struct view view = view_of(seg, client_id);
 *	struct shm_call_view call;
 *	for (uint32_t at = 0; view_next_call(&view, &at, &call);)
 *		...
 *
 * An iteration shows each row that was there all the time once, and those that came or went
 * meanwhile perhaps.
 */
#ifndef CCS_SHM_VIEW_H
#define CCS_SHM_VIEW_H

#include "shm/directory.h"

struct view {
	const struct segment *seg;
	uint64_t client_id; /* never 0 */
};

struct view view_of(const struct segment *seg, uint64_t client_id);

/* The client itself. False: not certain, ask PostgreSQL. */
MUST_USE bool view_client(const struct view *view, struct client_facts *out);

/* One of the client's allocations with its server. */
struct view_allocation {
	struct shm_allocation allocation;
	struct usage usage; /* of this client on this server */
	struct server_facts server;
};

MUST_USE bool view_next_allocation(
	const struct view *view, uint32_t *at, struct view_allocation *out);

/* Live calls of the client, ENDED ones (whose detail is being written) included. */
MUST_USE bool view_next_call(const struct view *view, uint32_t *at, struct shm_call_view *out);

/* Somebody's call to the same number is in progress, other than that of this entry, by e164 where it is known: the
 * dispatcher calls no number twice at once. Whose it is cannot be told. */
bool view_number_is_live(
	const struct view *view, uint64_t entry_id, struct str number, struct str e164);

/* Waiting entries of the client that are in memory; the rest waits in PostgreSQL. */
MUST_USE bool view_next_waiting(const struct view *view, uint32_t *at, struct shm_window *out);

/* One attempt that has been sent to a server and is not over, as that server may see it: whosever it is. */
bool view_call_on_server(const struct segment *seg, uint64_t server_id, uint64_t entry_id,
	uint32_t n, struct shm_call_view *out);

#endif
