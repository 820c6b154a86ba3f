/* The one commit stream. Each turn's plans, details, events and closings go to PostgreSQL as one transaction; what the
 * world can see of them happens when it has committed. While one turn is on its way, the next gathers.
 *
 * A transaction whose outcome is not known (connection lost) is run again. That changes nothing that took effect:
 * attempts and details answer by primary key, rollups follow only details that are new, events are looked up first.
 * A transaction that PostgreSQL refuses is run again piece by piece, so that one bad piece stops only itself.
 */
#ifndef CCS_DISPATCHER_JOURNAL_H
#define CCS_DISPATCHER_JOURNAL_H

#include "dispatcher/dispatcher.h"

struct journal *journal_new(struct dispatcher *d);
void journal_free(struct journal *journal);

/* A PLANNED slot: EV_JOURNALLED or EV_NOT_JOURNALLED follows. Claims its chunk when that is not done yet. */
void journal_arm(struct journal *journal, struct slot *slot);

/* A PLANNED slot whose row is in the journal, and nowhere else: the row is deleted, and EV_FORGOTTEN follows. */
void journal_withdraw(struct journal *journal, struct slot *slot);

/* An ENDED slot: EV_STORED follows. */
void journal_finish(struct journal *journal, struct slot *slot);

/* An event of the slot's call, published after the commit. again: it may be stored already (an adopted call). */
void journal_event(struct journal *journal, const struct slot *slot, enum event_type type,
	int64_t occurred_us, struct str payload, bool again);

/* chunk_closed follows. */
void journal_close(struct journal *journal, struct chunk *chunk);

/* Those of the client's entries from first to last that were never tried are canceled. None of them may be planned later. */
void journal_cancel(struct journal *journal, uint64_t client_id, uint64_t first, uint64_t last);

/* The same, because their time is over. */
void journal_expire(struct journal *journal, uint64_t client_id, uint64_t first, uint64_t last);

/* Who was called wants no more calls: the client's list has his number from this commit on. Nothing when it had it before. */
void journal_opt_out(struct journal *journal, const struct slot *slot);

/* A control row has been carried out. */
void journal_control(struct journal *journal, uint64_t control_id);
bool journal_controls_idle(const struct journal *journal);

/* Sends what has gathered, unless a transaction is on its way. Once a turn. */
void journal_commit(struct journal *journal);

/* Nothing gathered, nothing on its way. */
bool journal_is_idle(const struct journal *journal);

#endif
