/* The state machine of an attempt (call.def), and what Asterisk's messages mean to it. */
#ifndef CCS_DISPATCHER_CALL_H
#define CCS_DISPATCHER_CALL_H

#include "dispatcher/dispatcher.h"

enum call_event {
	EV_JOURNALLED,	   /* its row is committed */
	EV_NOT_JOURNALLED, /* the chunk is not ours, or closed */
	EV_TAKEN_BACK,	   /* armed ahead, and never to be written */
	EV_FORGOTTEN,	   /* and its row is deleted */
	EV_DENIED,	   /* attempt 0: the number must not be dialled */
	EV_LISTED,	   /* likewise, since it was journalled */
	EV_WRITE,	   /* about to be written: from here on it is never dialled again */
	EV_NEVER_WRITTEN,  /* proven after a respawn */
	EV_QUEUED,	   /* Response Success, or any sign of life */
	EV_REFUSED,	   /* Response Error */
	EV_RINGING,
	EV_ANSWERED,
	EV_OVER,       /* both OriginateResponse and Hangup, or one of them and the grace */
	EV_CALLED_OFF, /* its client wants no more of it */
	EV_OVERDUE,    /* its deadline has passed */
	EV_GONE,       /* not among the server's channels after a reconnect */
	EV_STORED,     /* its detail is committed */
	CALL_EVENT__N
};

struct call_cause {	    /* what came with the event */
	int64_t at_us;	    /* when it happened */
	struct str refusal; /* EV_REFUSED: Asterisk's words; EV_DENIED, EV_LISTED: ours */
};

/* Normal clearing, ITU-T Q.850: what we hang up with. */
enum { CAUSE_NORMAL = 16 };

/* One step. False when the state has no use for the event. */
bool call_step(struct dispatcher *d, struct slot *slot, enum call_event event,
	const struct call_cause *cause);

/* Notes in the segment what has been seen of it: enum shm_call_seen. */
void call_see(struct dispatcher *d, struct slot *slot, uint32_t what);

/* The call that an id of Asterisk's names, if it is one of this server; NULL: it is not, or not any more. */
struct slot *slot_of_call(struct server *server, struct str id);

/* A message of a server: foreign calls cost a prefix comparison. call_heard.c. */
void call_message(struct server *server, const struct ami_message *msg);

/* An ARMED call of an earlier life waits to be written again. */
void call_resume_armed(struct dispatcher *d, struct slot *slot);

/* An answer that is stored, but that a kill has kept from taking effect, takes it, before the call ends in any way: who is told
 * of the end was told of the answer. True when there was one. Only when nobody can wait to read of it again: with the
 * connection, what was said of it may be lost. */
bool call_take_answer(struct dispatcher *d, struct slot *slot);

/* Its server does not know it (any more); an answer that is stored takes effect first. */
void call_gone(struct dispatcher *d, struct slot *slot);

/* When an adopted call has to have moved. */
int64_t call_deadline_us(const struct dispatcher *d, const struct slot *slot);

/* Calls whose deadline has passed. */
void calls_expire(struct dispatcher *d);

/* The action, state, next state and sentence of each transition: for ccsctl and for the test that every state can be
 * reached and left. */
struct call_transition {
	enum shm_call_state state;
	enum call_event event;
	enum shm_call_state next;
	const char *sentence;
};
extern const struct call_transition call_transitions[];
extern const size_t call_transitions_n;

#endif
