/* One transaction of the commit stream: what is in it, and its statements. The journal decides when it is sent. */
#ifndef CCS_DISPATCHER_BATCH_H
#define CCS_DISPATCHER_BATCH_H

#include "dispatcher/dispatcher.h"

/* A slot by index and identity: a slot may be closed and used again while its piece waits for another try. */
struct batch_call {
	struct slot *slot;
	uint64_t entry_id;
	uint32_t n;
	bool done;	      /* PostgreSQL answered with it */
	enum dnc_list listed; /* an arm that it would not journal */
	int64_t due_us;	      /* of an arm: it says that it has to wait until then; 0 = not */
};

/* The slot, unless another attempt has it now: NULL. */
static inline struct slot *batch_slot(const struct batch_call *call)
{
	struct slot *slot = call->slot;
	return slot->entry_id == call->entry_id && slot->head->n == call->n ? slot : NULL;
}

struct batch_event {
	uint64_t client_id;
	uint64_t entry_id;
	uint32_t n;
	enum event_type type;
	int64_t occurred_us;
	size_t payload_at, payload_n; /* in payloads */
	uint64_t seq;		      /* 0: not numbered yet */
	bool known;		      /* stored by an earlier run */
};

struct batch_cancel {
	uint64_t client_id;
	uint64_t first, last; /* entries */
	bool is_expired;      /* nobody has called them off: their time was over */
};

/* A number for its client's do-not-call list; the slot may be gone before it is stored. */
struct batch_opt_out {
	uint64_t client_id, entry_id;
	uint32_t n;
	char number[20];
};

struct batch_id {
	uint64_t id;
	bool done;
};

/* A growable array of one of the above. */
#define BATCH_LIST(type)                                                                           \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n;                                                                          \
		size_t cap;                                                                        \
	}

struct batch {
	BATCH_LIST(struct batch_call) arms;
	BATCH_LIST(struct batch_call) withdraws;
	BATCH_LIST(struct batch_cancel) cancels;
	BATCH_LIST(struct batch_opt_out) opt_outs;
	BATCH_LIST(struct batch_call) finishes;
	BATCH_LIST(struct batch_event) events;
	BATCH_LIST(struct batch_id) closes;
	BATCH_LIST(struct batch_id) controls;
	struct strbuf payloads;
	bool again; /* some of it may be stored already: look the events up first */
};

/* The number that its call goes to: E.164 where the plan knows it. */
static inline const char *batch_number(const struct shm_call *call)
{
	return call->e164[0] ? call->e164 : call->number;
}

void batch_reset(struct batch *batch);
void batch_free(struct batch *batch);
bool batch_is_empty(const struct batch *batch);

/* Pieces: opt-outs, arms, withdrawals, cancels, finishes with their events, closings, controls. */
size_t batch_pieces(const struct batch *batch);

void batch_add_arm(struct batch *batch, struct slot *slot);
void batch_add_withdraw(struct batch *batch, struct slot *slot);
void batch_add_cancel(struct batch *batch, struct batch_cancel cancel);
void batch_add_opt_out(struct batch *batch, const struct slot *slot);
void batch_add_finish(struct batch *batch, struct slot *slot);
void batch_add_event(struct batch *batch, const struct batch_event *event, struct str payload);
void batch_add_close(struct batch *batch, uint64_t chunk_id);
void batch_add_control(struct batch *batch, uint64_t control_id);

/* Adds all of from, which is empty afterwards. */
void batch_move(struct batch *to, struct batch *from);

/* Takes one piece out of from (nothing is left in it after batch_pieces calls). */
void batch_take_piece(struct batch *to, struct batch *from);

/* Marks what PostgreSQL answers and, for events, their seq. end is called with the transaction's outcome. */
void batch_send(struct dispatcher *d, struct batch *batch, stream_end_fn *end, void *arg);

/* Asks which of the events are stored already and marks them known. */
void batch_look_up_events(struct dispatcher *d, struct batch *batch, stream_end_fn *end, void *arg);

#endif
