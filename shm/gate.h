/* Gates: may this call start now, and if not, why and when to ask again. One table for the
 * scheduler, for error texts, for explain and for metrics.
 *
 * Pure functions over plain data. The dispatcher fills a view from private memory, the API from the
 * segment (gate_*_of); a part that is NULL is not asked about, so the scheduler can ask about a
 * client once and about each of its servers after.
 */
#ifndef CCS_SHM_GATE_H
#define CCS_SHM_GATE_H

#include "shm/directory.h"
#include "shm/rate.h"

enum gate {
	GATE_NONE, /* nothing blocks */
#define GATE(name, asks, sentence, who) GATE_##name,
#include "shm/gate.def"
#undef GATE
	GATE__N
};

/* The parts of a view that gates ask about: the client, its batch or call, one number of it, the client's share of one
 * server, and that server. Some that ask about a client ask about its batch or the number as well. */
enum gate_part {
	GATE_OF_CLIENT,
	GATE_OF_BATCH,
	GATE_OF_NUMBER,
	GATE_OF_ALLOCATION,
	GATE_OF_SERVER,
};

struct gate_text {
	const char *name;     /* "client_channels"; "none" */
	const char *sentence; /* for people */
	const char *who;      /* can change it: client, operator, administrator, time, nobody */
	enum gate_part asks;
};

extern const struct gate_text gate_texts[GATE__N];

/* Limits and what is used of them: of a client, an allocation or a server. Channels below the limit
 * may start one more; lowering a limit under what is used starts nothing until it has drained. */
struct gate_quota {
	uint32_t channels_limit;
	uint32_t channels_used;
	struct rate hourly; /* calls an hour */
	struct rate pace;   /* calls a second */
	int64_t rate_us;    /* TAT of hourly */
	int64_t pace_us;    /* TAT of pace */
};

/* Calls of a local day. */
struct gate_day {
	bool is_capped;
	uint32_t cap;
	uint32_t used;
	int64_t ends_us; /* when used starts again */
};

struct gate_client {
	bool active;
	bool halted; /* by an operator */
	bool paused;
	bool has_server; /* any is allocated to it */
	int64_t window_open_us,
		window_close_us; /* open <= now < close: open. INT64_MAX = never opens */
	struct gate_day day;
	struct gate_quota quota;
};

/* Limits that a batch has of its own, and what is used of them. */
struct gate_batch {
	uint32_t channels_limit; /* 0 = none */
	uint32_t channels_used;
	struct rate pace; /* calls a second */
	int64_t pace_us;  /* TAT of pace */
};

struct gate_entry {
	bool dispatched;
	bool paused; /* its batch */
	bool canceled;
	bool dnc;
	bool number_denied;
	bool did_denied; /* it asks to show what its client may not */
	bool number_live;
	bool context_missing; /* that its batch asks for: no server has it, or its client may not use it */
	int64_t hours_begin_us; /* where the number is, if that counts; 0 = they hold; INT64_MAX = never */
	struct gate_day day; /* of the client, into the number's region */
	int64_t starts_us;   /* 0 = at once */
	int64_t expires_us;  /* 0 = never */
	int64_t due_us;	     /* of a retry; 0 = at once */
	struct gate_batch batch;
};

struct gate_allocation {
	bool off; /* switched off: for this client the server takes no calls */
	struct gate_quota quota;
};

struct gate_server {
	bool up;		  /* connected, logged in, resynchronised, taking calls */
	int64_t breaker_until_us; /* 0 = closed */
	uint32_t foreign;	  /* channels of others that count */
	uint32_t pace;		  /* calls at once that it bears now; 0 = no limit but its own */
	uint32_t unanswered;	  /* Originates without a Response */
	uint32_t window;	  /* how many of these there may be */
	struct gate_quota quota;
};

struct gate_view {
	int64_t now_us;
	const struct gate_client *client;
	const struct gate_entry *entry;
	const struct gate_allocation *allocation;
	const struct gate_server *server;
};

struct gate_verdict {
	enum gate gate;	 /* GATE_NONE: go */
	int64_t next_us; /* when to ask again; INT64_MAX = when something changes; 0 with GATE_NONE
			  */
};

/* The first gate of gate.def that blocks. True when one does. */
bool gate_first_block(const struct gate_view *view, struct gate_verdict *out);

/* One gate alone, for explain: every reason, not just the first. True when it blocks. */
bool gate_blocks(enum gate gate, const struct gate_view *view, struct gate_verdict *out);

/* From what the directory says and the words beside it: the dispatcher has the latter in private, everybody else in the
 * segment. */
struct gate_client gate_client_of(const struct shm_client *client, const struct usage *usage,
	const struct gate_day *day, bool has_server);
struct gate_allocation gate_allocation_of(
	const struct shm_allocation *allocation, const struct usage *usage);
struct gate_server gate_server_of(const struct shm_server *server, const struct usage *usage,
	const struct ami_facts *ami, const struct health_facts *health);

struct gate_day gate_day_of(const struct day_usage *day);

#endif
