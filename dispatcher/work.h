/* Work: chunks and the window of waiting entries.
 *
 * A chunk becomes known by an announcement in a submit ring or by the sweep; its entries are loaded when its client's
 * window runs low; it is closed when none of its entries waits or is live and PostgreSQL agrees that each has its final
 * detail.
 */
#ifndef CCS_DISPATCHER_WORK_H
#define CCS_DISPATCHER_WORK_H

#include "dispatcher/dispatcher.h"

/* Once: binds the private array to the segment's window and empties it. */
void work_bind(struct dispatcher *d);

/* Takes announcements out of the submit rings, a bounded number. */
void submit_drain(struct dispatcher *d);

/* Asks PostgreSQL for work that nobody announced, for directory changes and control rows that are due. */
void work_sweep(struct dispatcher *d);

/* Loads the client's next chunk when its window runs low. */
void client_refill(struct dispatcher *d, struct client *client);

struct chunk *chunk_find(struct dispatcher *d, uint64_t id);

/* The chunk of an adopted call, made when it is not known yet: held until the sweep says that it may go on. */
struct chunk *chunk_of_entry(struct dispatcher *d, struct client *client, uint64_t entry_id,
	uint64_t queue_master_id, uint64_t batch_id);

/* Asks for the close when nothing of it waits or lives. */
void chunk_maybe_close(struct dispatcher *d, struct chunk *chunk);

/* PostgreSQL's answer to that: closed, or at rest until one of its entries is called again; or not every entry has its detail
 * (the sweep then finds it again). */
void chunk_closed(struct dispatcher *d, struct chunk *chunk, bool closed);

/* The client is gone: its waiting entries and chunks are forgotten; they stay in PostgreSQL. */
void work_forget_client(struct dispatcher *d, struct client *client);

/* ---- waiting entries ---- */

/* An entry whose attempt has ended, and not for good: in front of its queue, unless its chunk is to be loaded anyway. shows: the
 * number that it wants to show, or (is_wish) that it showed before; p NULL: none. */
void waiting_again(struct dispatcher *d, struct chunk *chunk, const struct shm_window *facts,
	struct str shows, bool is_wish);

/* An entry that is called again: row i of retry_due, read as facts. NULL: its chunk has no place for it now. */
struct waiting *waiting_redial(struct dispatcher *d, struct client *client,
	struct redial_line *line, const struct shm_window *facts, const struct rows *rows, int i);

/* A row of chunk_entries, or another with those columns. False: a text is too long. */
MUST_USE bool window_row_read(
	const struct rows *rows, int i, uint64_t batch_id, struct shm_window *w);

/* Behind the others of its queue. */
void waiting_stand_back(struct waiting *w);

/* Out of the window: it has become a call. */
void waiting_drop(struct dispatcher *d, struct waiting *w);

/* Back into its chunk, which is put off until work_take_up or that moment (wall us; INT64_MAX: none): gate is in its way. One
 * that is called again waits in PostgreSQL until then. */
void waiting_put_off(struct dispatcher *d, struct waiting *w, enum gate gate, int64_t until_us);

/* The chunk is put off no more, or all of it waits for something else. It is on no list then. */
void put_off_ends(struct dispatcher *d, struct chunk *chunk);

/* Chunks that were put off until now wait for their turn again. */
void work_wake(struct dispatcher *d);

/* Chunks that were put off wait for their turn again. */
void work_take_up(struct dispatcher *d, struct client *client);

/* Out of line until the call to its number is over; and back, at the front. */
void waiting_hold(struct dispatcher *d, struct waiting *w, struct live_number *number);
void waiting_return(struct dispatcher *d, struct waiting *w);

#endif
