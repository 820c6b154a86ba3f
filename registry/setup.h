/* setup-channels: how much of each server a client may use, out of what account and servers have.
 *
 * A share is an administrator's (its figures are kept as he has set them) or *automatic*. What administrators' shares leave of the
 * account's channels is divided among the automatic ones by what each server has free, capacity less the shares of others, by
 * largest remainders (registry/apportion.h); when nothing is free any more, by capacity, because shares of different accounts
 * may together be more than a server: the dispatcher has them take turns. Calls an hour follow the channels. A server that takes
 * no calls, or that is away, gets nothing while there is another; if all are away, that is no reason.
 *
 * A smaller share ends no call. What is above it goes on and counts: for the share, so that nothing begins there, and for the
 * account, so that a share that grew elsewhere does not lift the account over its channels. */
#ifndef CCS_REGISTRY_SETUP_H
#define CCS_REGISTRY_SETUP_H

#include "common/err.h"
#include "registry/apportion.h"
#include "shm/segment.h"
#include "sql/db.h"

enum { SETUP_CODE_BYTES = 48 };

enum setup_why {
#define WHY(name, sentence) SETUP_##name,
#include "registry/setup.def"
#undef WHY
	SETUP__N
};

struct setup_share {
	uint64_t server_id;
	char server_code[SETUP_CODE_BYTES];
	bool takes_calls, automatic;
	bool is_down; /* as far as is known */
	uint64_t server_channels, server_rate;
	uint64_t of_others; /* channels of the server that are in other clients' shares */
	uint64_t had_channels, had_rate; /* before */
	uint64_t channels, rate;	 /* the answer */
	uint64_t live;			 /* calls in progress */
	enum setup_why why;
};

struct setup {
	char accountcode[SETUP_CODE_BYTES];
	uint64_t client_id;
	uint64_t allocated_channels, rate_limit;
	struct setup_share *shares; /* by server code */
	struct part *parts;	    /* as many, to plan with */
	size_t n;
	size_t changed;	     /* shares with other figures than before */
	uint64_t control_id; /* acknowledged when the dispatcher knows; 0: a dry run */
};

const char *setup_why_name(enum setup_why why);
const char *setup_why_sentence(enum setup_why why);

/* Fills in channels, rate, why of every share and changed: a pure function of the rest. */
void setup_plan(struct setup *setup);

/* Reads, plans, stores, records in the audit what is new, and tells the dispatcher: one transaction. From segment (NULL: nothing is
 * known) come health and calls in progress. A dry run stores nothing. The caller ends it with setup_end, also on false. */
MUST_USE bool setup_channels(struct db *db, const struct segment *segment, const char *actor,
	uint64_t client_id, bool dry_run, struct setup *setup, struct err *err);

/* The same without a beginning and an end: inside the transaction that has changed what the shares of the client follow from, and
 * records and announces that. Nothing happens where none is automatic. */
MUST_USE bool setup_follow(struct db *db, uint64_t client_id, struct err *err);

void setup_end(struct setup *setup);

#endif
