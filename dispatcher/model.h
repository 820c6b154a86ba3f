/* The dispatcher's private picture of the world: rebuilt at every start, by the same code, from PostgreSQL and from the
 * facts in the segment. One thread; nothing here is shared.
 *
 *   client ──edge──► server      an edge is an allocation
 *   client ──► queues            its quick calls, and its batches
 *   queue ──► waiting entries    in window rows of the segment
 *   queue ──► chunks             known but not loaded, oldest first
 *   server ──► slots             armed and not yet written, oldest first
 *   slot                         one attempt, from its plan until its detail is stored
 */
#ifndef CCS_DISPATCHER_MODEL_H
#define CCS_DISPATCHER_MODEL_H

#include <uthash.h>

#include "common/strbuf.h"
#include "dispatcher/ami_conn.h"
#include "dispatcher/breaker.h"
#include "dispatcher/heap.h"
#include "dispatcher/pace.h"
#include "dispatcher/starts.h"
#include "shm/gate.h"
#include "shm/layout.h"
#include "shm/redial.h"

enum { TEXT_BYTES = 64, PATH_BYTES = 208, ROUTE_TEXT_BYTES = 84, CALLER_ID_BYTES = 24 };

/* Prefixes, contexts or endpoints of a server: used in turn (route.h). */
struct texts {
	char (*text)[ROUTE_TEXT_BYTES];
	uint32_t n;
};

/* A number that is shown to who is called: caller_id.h. */
struct caller_id {
	char digits[CALLER_ID_BYTES];
	uint32_t channels; /* grants of calls that show it */
	uint32_t tally;	   /* of the auditor */
	uint64_t calls;	   /* that have shown it in this life */
	int64_t used;	   /* when it had its last turn, counted in turns; 0 = never */
	uint32_t held;	   /* by lists and slots */
	UT_hash_handle hh;
};

/* Those of an allocation or a server, whoever was used longest ago first. */
struct caller_ids {
	struct caller_id_place {
		struct caller_id *id;
		struct heap_node node;
	} *v;
	uint32_t n;
	struct heap by_use;
};

enum chunk_state {
	CHUNK_HELD,    /* paused, or adopted and nobody has said yet that it may go on */
	CHUNK_KNOWN,   /* waits on its client's list */
	CHUNK_LOADING, /* its entries are on their way */
	CHUNK_LOADED,
	CHUNK_CLOSING, /* no entry waits or is live; PostgreSQL is asked to confirm */
	CHUNK_PUT_OFF, /* the rest of its entries wait in PostgreSQL for another day */
};

/* What its batch's owner wants, as PostgreSQL has it. */
enum chunk_order { CHUNK_PAUSE, CHUNK_GO, CHUNK_CANCEL, CHUNK_EXPIRE };

/* Do-not-call lists: dnc.h. */
enum dnc_list { DNC_NONE, DNC_EVERYBODY, DNC_CLIENT, DNC_BATCH };

/* A batch of a client, or its quick calls (id 0): see queue.h. */
enum queue_place { QUEUE_NOWHERE, QUEUE_OPEN, QUEUE_BEHIND, QUEUE_SHUT };

/* What a batch's owner has said of its calls: see terms.h. */
struct terms {
	uint64_t version; /* of the settings that these are; 0: there are none */
	bool is_known;
	uint32_t channels;	   /* at once; 0: as many as its client may */
	uint32_t calls_per_second; /* 0: likewise */
	uint32_t weight;	   /* beside its client's other batches */
	uint32_t answering;	   /* SEEN_RECORD, SEEN_AMD: what it wants, of what it has said, */
	uint32_t answering_said;   /* and not left to its client */
	struct caller_id *did;	   /* to be shown where an entry asks for none; NULL: none */
	int64_t starts_us;	   /* no call begins before; 0: at once */
	int64_t expires_us;	   /* no call begins from then on; 0: never */
	bool has_redial;	   /* what is called again is its own to say: */
	struct redial_policy redial;
	/* Where answered calls go on; "": where their server says. */
	char context[ROUTE_TEXT_BYTES];
	char extension[TEXT_BYTES];
};

struct queue {
	uint64_t id; /* of its queue master */
	struct client *client;
	struct waiting *waiting; /* in line, oldest first */
	uint32_t waiting_n;
	struct waiting *again;	     /* those that are called again, in their client's line */
	struct heap_node again_turn; /* among its client's again_batches, while it may have turns */
	struct chunk *known;	     /* oldest first */
	uint32_t loading;	     /* chunks */
	uint32_t chunks_n;	     /* that refer to it */
	enum queue_place place;
	bool brought;		   /* a chunk into the window, since it is open */
	struct queue *prev, *next; /* the client's open ones, by age, those behind or those shut */
	int64_t turns;		   /* virtual time among its client's younger ones: queue.h */
	struct terms terms;
	uint32_t channels; /* that its calls hold */
	uint32_t tally;	   /* of the auditor */
	int64_t pace_us;   /* TAT of its calls a second */
	enum gate gate;	   /* that shuts it */
	struct heap_node timer;
	bool is_full;	/* shut, with entries in the window */
	bool is_asking; /* for its terms */
	struct queue *asks_prev, *asks_next;
	struct queue *aside_next; /* for the rest of its client's turn: sched.c */
	UT_hash_handle hh;
};

struct chunk {
	uint64_t id;
	struct client *client;
	struct queue *queue;
	uint64_t queue_master_id;
	uint64_t batch_id;
	uint32_t entries;
	uint32_t waiting; /* rows in the window */
	uint32_t live;	  /* slots */
	enum chunk_state state;
	enum chunk_order order;
	bool claimed;
	uint32_t put_off_n; /* entries, in this round of the client's day */
	uint32_t round;
	int64_t put_off_until_us;  /* the first of them may go; INT64_MAX: not in this round */
	struct heap_node again;	   /* among those that were put off until then */
	struct chunk *prev, *next; /* its queue's list while KNOWN, the client's while PUT_OFF */
	UT_hash_handle hh;
};

/* An entry in the window: the segment's row and what only we need. */
struct waiting {
	struct shm_window *row;
	struct chunk *chunk;
	struct caller_id *asked; /* NULL: any */
	bool is_wish; /* its last call showed it; else it or its batch asks for it, and it is shown or the entry is not dialled */
	struct redial_line *line; /* that has brought it (redials.h); NULL: its chunk has */
	int64_t announced_us; /* when a worker committed it, for the latency histogram; 0 = found by the sweep */
	int64_t avoids_until_us;     /* the server where its last attempt failed */
	bool held;		     /* waits for a live number, not in the client's queue */
	enum dnc_list listed;	     /* when its chunk was read: it is not dialled */
	int64_t again_place;	     /* in the line of those that are called again */
	struct waiting *prev, *next; /* its queue's line, a number's held list, or the free list */
};

struct edge {
	struct client *client;
	struct server *server;
	struct shm_allocation facts;
	struct shm_usage *usage;
	struct starts starts;
	struct caller_ids dids;
	bool seen;	       /* in the load under way */
	bool counting;	       /* what it has begun in the last hour: rates.h */
	int64_t vtime;	       /* of its calls, beside the others' on that server: waiters.h */
	struct heap_node wait; /* among the server's waiters */
	struct edge *next_of_client;
};

/* Calls into one region on the client's local day; region 0: not known. */
struct region_day {
	uint16_t region;
	uint32_t used;
};

/* A client's daily caps, and what is used of them: see days.h. */
struct day {
	int64_t ends_us; /* 0: not known yet */
	uint32_t used;	 /* into all regions */
	struct region_day *regions;
	uint32_t regions_n, regions_cap;
	struct strbuf caps;    /* as SQL has them: "US:500 other:50 all:9000" */
	struct shm_day *shown; /* in the segment */
	bool is_counted;       /* PostgreSQL has said what is used */
	uint32_t round;	       /* counts up when what was put off may be tried again */
};

struct number_hours;

struct client {
	uint64_t id;
	struct shm_client facts;
	struct day day;
	struct shm_usage *usage;
	struct starts starts;
	struct edge *edges;
	struct queue quick;
	struct queue again; /* entries that are called again: in its batches' lists, counted here */
	struct heap again_batches;	 /* that may have turns, by the place of their first */
	int64_t again_front, again_back; /* places of the line that were given last */
	uint32_t again_turns;		 /* of these in a row */
	struct redial_policy redial;
	uint32_t number_limit; /* calls to one number on a day; 0 = no limit */
	struct queue *open;    /* batches with entries in the window, oldest first */
	uint32_t open_n;
	struct queue *behind;	/* and those that wait for a place there */
	struct queue *shut;	/* at a limit of their own, the longest first */
	uint32_t shut_full_n;	/* of those, that have entries in the window */
	uint32_t quick_turns;	/* of quick calls in a row */
	uint64_t oldest_id;	/* of the queue that had, or stood beside, the last batch's turn */
	int64_t oldest_ahead;	/* in virtual time, of the younger ones: their turn when above 0 */
	uint64_t last_younger;	/* the queue that had the last turn of these */
	int64_t turns;		/* its virtual time then */
	uint32_t waiting_n;	/* entries, in line or held */
	uint32_t ahead_n;	/* armed ahead of their channel */
	uint32_t known_n;	/* chunks to be loaded */
	struct chunk *put_off;	/* until the day ends, or its caps change */
	uint32_t put_off_n;	/* entries, also of chunks that are live */
	enum gate put_off_gate; /* what was in the way of the last of them */
	struct number_hours *number_hours; /* hours.c */
	uint32_t loading;		   /* chunks */
	int64_t vtime;		    /* stride scheduling: grows by 1 / weight with each call */
	uint64_t last_event;	    /* position of its last event in the ring */
	uint64_t last_seq;	    /* and that event's seq */
	struct heap_node ready;	    /* among those who may dial, by vtime */
	struct heap_node timer;	    /* among those who are parked for a known time */
	uint64_t generation_before; /* of its tenant's words when the load under way began */
	uint32_t answering;	    /* SEEN_RECORD, SEEN_AMD: of its answered calls */
	struct texts contexts;	    /* that its batches may ask for */
	bool is_halted;		    /* by an operator, it alone */
	bool halt_seen;		    /* in the load under way */
	bool seen;
	UT_hash_handle hh;
};

/* What it takes to connect to a server; compared as a whole, so every byte is set. */
struct access {
	char host[256];
	uint32_t port;
	char user[TEXT_BYTES];
	char secret[256];
	bool md5;
	bool is_sandbox; /* there is nothing to connect to: player.h */
	bool tls;
	struct tls_trust trust; /* when tls */
};

struct server {
	uint64_t id;
	struct dispatcher *d;
	struct shm_server facts;
	struct shm_usage *usage;
	struct starts starts;
	struct shm_ami *ami;
	struct shm_server_row *row;
	struct ami_conn *conn; /* NULL: cannot be opened, or being removed */
	bool probing;	       /* adopted: what was written and not answered is being found out */
	struct access access;
	char channel_template[128];
	char extension[TEXT_BYTES];
	char recording_directory[PATH_BYTES];
	struct texts prefixes, contexts, endpoints;
	struct texts offered; /* contexts for those batches only that ask for them */
	uint64_t routes;      /* combinations of them that were used */
	struct caller_ids dids;
	struct slot *armed; /* to be written, oldest first */
	uint32_t armed_n;   /* granted and not yet written */
	struct slot *ahead; /* planned or armed ahead of their channel, oldest first: ahead.h */
	uint32_t ahead_n;
	uint32_t ahead_more;   /* than AHEAD_LEAST may be, because those did not suffice */
	uint32_t ahead_rested; /* seconds since then */
	uint32_t unanswered;   /* Originates without Response */
	int64_t heard_mono_us; /* its last Response, or the first Originate that it owes one */
	struct breaker breaker;
	struct pace pace;
	int64_t foreign_next_us; /* mono: its channels are counted again */
	uint32_t foreign_n;	 /* of others, so far in the list that comes in */
	bool foreign_asked;
	struct heap waiters;	/* edges whose clients wait for it: waiters.h */
	int64_t vtime;		/* of the last call on it */
	struct heap_node timer; /* while it has waiters and is blocked for a known time */
	bool is_freed;		/* it may have room: on the list below until that is found out */
	struct server *freed_prev, *freed_next;
	bool wants_flush; /* it has something to be written: on the list below */
	struct server *flush_prev, *flush_next;
	struct heap_node deadline; /* of its connection */
	int64_t lost_us;	   /* when the connection went, 0 while it is up */
	int64_t freed_mono_us;	   /* when, for the refill histogram; 0 = already refilled */
	bool seen;
	UT_hash_handle hh;
};

/* A number that is being dialled, and who has to wait for it. */
struct live_number {
	char digits[20];
	uint32_t slots; /* more than one: adopted, of which only one may really be dialled */
	struct waiting *held;
	UT_hash_handle hh;
};

struct slot {
	uint32_t index; /* in the segment's tables */
	struct shm_call_head *head;
	struct shm_call *call;
	uint64_t entry_id; /* hash key; equals head->entry_id */
	struct client *client;
	struct server *server; /* NULL once it was removed from the directory */
	struct edge *edge;     /* holder of the allocation's grant; NULL likewise */
	struct chunk *chunk;
	struct live_number *number;
	struct caller_id *caller_id; /* that it shows; NULL: it is not dialled */
	bool granted;
	bool in_line;	      /* of its server's ahead */
	bool pressed;	      /* it was too long in its state, and the server was told to hang up */
	enum dnc_list listed; /* since it was planned: it is not written */
	bool lost; /* and that did not help, or the server is away for longer than any call */
	int64_t deadline_us;   /* wall; INT64_MAX = none */
	int64_t freed_mono_us; /* when the channel that it refills was freed; 0 = none was */
	int64_t committed_us; /* when a worker committed it, for the latency histogram; 0 = unknown or delayed */
	uint32_t level;		  /* its server's channels when it was written, its own included */
	int64_t day_ends_us;	  /* of the day that it is counted in; 0 = in none */
	struct slot *prev, *next; /* the server's armed or ahead list */
	UT_hash_handle hh;
};

#endif
