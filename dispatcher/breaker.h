/* The breaker of a server: so many faults of one kind in a row, and it gets no calls for a second, then one; for two
 * seconds, then one; up to 32, until a call proves that the fault is gone. Pure.
 *
 *   CLOSED --faults--> OPEN --time, one call is written--> TRIAL --proof--> CLOSED
 *                       ^                                    |
 *                       +------- twice as long -- any fault -+
 */
#ifndef CCS_DISPATCHER_BREAKER_H
#define CCS_DISPATCHER_BREAKER_H

#include "common/conf.h"
#include "shm/layout.h"

/* How far a call has come; each includes those before it. */
enum breaker_proof {
	PROOF_HEARD,   /* its Originate was accepted */
	PROOF_CHANNEL, /* it has a channel */
	PROOF_THROUGH, /* the trunk took it: it rings, was answered, or the called party declined */
};

/* All zero: closed. */
struct breaker {
	enum shm_breaker_state state;
	enum shm_fault fault;	   /* that opened it */
	uint32_t openings;	   /* in a row */
	uint32_t faults[FAULT__N]; /* of each kind, in a row */
	int64_t since_us;	   /* of this state */
	int64_t until_us;	   /* OPEN, TRIAL: no call before */
};

/* After so many in a row the configuration has the breaker open. */
uint32_t breaker_threshold(const struct conf *conf, enum shm_fault fault);

/* One more fault. True when it opens the breaker, or opens it again; those that a server still makes out of what it had got
 * before change nothing. */
bool breaker_fault(
	struct breaker *breaker, const struct conf *conf, enum shm_fault fault, int64_t now_us);

/* True when that closes the breaker. */
bool breaker_prove(struct breaker *breaker, enum breaker_proof proof, int64_t now_us);

/* May a call be written now? */
bool breaker_lets(const struct breaker *breaker, int64_t now_us);

/* One was. */
void breaker_sent(struct breaker *breaker, int64_t now_us);

#endif
