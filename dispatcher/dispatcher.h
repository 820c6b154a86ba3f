/* The dispatcher's child: one loop, one thread. Each part has its own file; this is what they share. */
#ifndef CCS_DISPATCHER_DISPATCHER_H
#define CCS_DISPATCHER_DISPATCHER_H

#include "common/conf.h"
#include "common/poll.h"
#include "common/secret.h"
#include "dispatcher/model.h"
#include "shm/bell.h"
#include "shm/calls.h"
#include "shm/events.h"
#include "shm/window.h"
#include "sql/stream.h"

struct journal;
struct holder_link;
struct given;
struct known_key;
struct region_holidays;
struct seen_user;

enum { CHORES = 8 };

struct dispatcher {
	const struct conf *conf;
	struct secret_key secret_key;
	struct segment *seg;
	struct bell bell;
	struct bell relay_bell;	  /* rung after events are published */
	struct bell courier_bell; /* the same */
	struct poll *poll;
	struct holder_link *holder; /* keeps our AMI sockets */
	struct stream *commits;	    /* the one commit stream */
	struct stream *lookups;	    /* refill, directory, LISTEN */
	struct journal *journal;
	bool fenced; /* no other session of this node commits any more: see fence.h */
	int64_t fence_asked_mono_us; /* when its answer is awaited, else 0 */
	bool commits_up;	     /* PostgreSQL takes commits: calls may be planned */

	int64_t now_us; /* wall clock, read once a turn */
	int64_t now_mono_us;
	int64_t began_us;	       /* this life */
	uint64_t epoch;		       /* of this life; 0 = not known yet */
	bool adopted;		       /* the segment's slots are from an earlier life */
	bool recovered;		       /* they are sorted out: dialling may begin */
	bool recovering;	       /* on the way there */
	int64_t recover_after_mono_us; /* a failed attempt is not followed by the next at once */
	bool segment_lost;	       /* its names are gone: the holder makes a new one */
	bool is_halted;		       /* no dialling for anybody: an operator wants it so */
	bool halt_seen;		       /* in the load of the directory under way */
	bool stopping;		       /* no new plans; leave when nothing is in doubt */

	struct client *clients;
	struct server *servers;
	struct chunk *chunks;
	struct queue *queues;	 /* batches */
	struct call_table calls; /* the segment's */
	struct slot *slots;	 /* array, by the same index */
	struct slot *by_entry;	 /* hash of all that are not free */
	uint32_t live_n;
	struct window_table window; /* the segment's */
	struct waiting *waiting;    /* array, by the same index */
	struct live_number *numbers;
	struct caller_id *caller_ids;
	int64_t caller_id_turns;
	struct known_key *known_keys;		 /* directory.c */
	struct region_holidays *region_holidays; /* hours.c */
	struct strbuf region_holidays_text;	 /* as PostgreSQL had them */
	struct seen_user *seen_users;		 /* users.c */
	struct used_key *used_keys;		 /* used.c */
	int64_t next_used_us;			 /* the same */
	struct server *sandbox;			 /* player.c; NULL: there is none */
	int64_t next_play_us;			 /* the same */
	struct given *given;			 /* recover.c */
	struct redial_line *redials;		 /* redials.c */
	struct heap redials_due; /* of these, by the time (wall us) of the next look */
	int64_t redial_heads_us; /* when all of them are looked for again */
	bool redial_heads_running;

	struct heap ready;	      /* clients that may dial, least vtime first */
	struct heap timers;	      /* parked clients, by the time (wall us) at which they wake */
	struct heap put_offs;	      /* chunks that were put off until a known time (wall us) */
	struct heap server_timers;    /* servers that loosen at a known time */
	struct heap queue_timers;     /* and batches */
	struct queue *asking;	      /* batches whose terms are to be read */
	struct server *freed;	      /* servers that may have room for who waits */
	struct server *to_flush;      /* servers with something to be written */
	struct heap server_deadlines; /* of their connections, mono us */
	int64_t vtime;		      /* of the last pick */

	bool sweep_wanted, directory_wanted, control_wanted, rates_wanted;
	bool dnc_wanted, dnc_running; /* dnc.h */
	bool database_asked;	      /* whether it is there, and it has not answered yet */
	bool sweep_running, directory_running, control_running, rates_running, terms_running;
	int64_t lookups_after_mono_us; /* lookups.h */
	int64_t next_full_sweep_us, next_expire_us, next_second_us;
	int64_t next_chore_us[CHORES]; /* chores.c */
	int64_t stop_by_mono_us;
	int64_t audited_mono_us;	   /* the auditor's last step */
	uint32_t audit_at;		   /* the row it goes on with */
	struct caller_id *audit_caller_id; /* likewise; NULL = the first */
	struct queue *audit_queue;	   /* likewise */
	uint32_t submit_at;		   /* the worker slot whose ring is next */
};

/* Numbers the lists' owners agree on. */
enum {
	REFILL_LOW = 256,    /* a queue with fewer waiting entries gets its next chunk */
	LOADS_AT_ONCE = 2,   /* of a queue */
	ARMS_PER_TURN = 256, /* so that events are read between picks */
	OUTCOME_GRACE_US =
		1500000, /* asterisk sends OriginateResponse and Hangup in either order */
	RESPONSE_GRACE_US = 5000000,
	PLAN_GOOD_US =
		2000000, /* a plan older than this meets its gates once more before it is written */
	CLOCKS_AGREE_US = 2000000, /* between us and a server: NTP does better by far */
	NEVER_SENT_LIMIT_S =
		60, /* an armed call whose server is away ends as failed after so long */
	LOST_CALL_LIMIT_S = 120, /* nothing is open longer than the longest call and this */
};

#endif
