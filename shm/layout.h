/* The segment, byte by byte. The only definition of what lies in shared memory; shm/README.md is
 * its specification.
 *
 * Three POSIX objects, so that the kernel enforces who may write:
 *
 *   /ccs-<node>.in     0660  API workers: each its own ring; shared words by CAS
 *   /ccs-<node>.state  0640  the dispatcher: facts that workers and ccsctl read
 *   /ccs-<node>.ev     0640  the dispatcher: the event ring
 *
 *   .in     [header][shared words][tenant words x T][throttles][familiars]
 *           [worker slot + submit ring x W]
 *   .state  [header][status][submit heads x W][clients][users][keys][servers][allocations]
 *           [call heads][calls][results][window][counters][latency]
 *   .ev     [header][ring head][bytes .....................................................]
 *
 * Fixed-width types, explicit padding, offsets instead of pointers. Text is terminated. PostgreSQL
 * is the truth; all of this can be thrown away and is rebuilt. Times are wall microseconds unless
 * they say mono.
 */
#ifndef CCS_SHM_LAYOUT_H
#define CCS_SHM_LAYOUT_H

#include <stdalign.h>
#include <stdatomic.h>

#include "common/base.h"
#include "common/token.h"
#include "shm/calling_time.h"
#include "shm/policy.h"

enum { SHM_CACHE_LINE = 64, SHM_RING_RECORDS = 256, SHM_TABLES_MAX = 16, SHM_EVENT_MARKS = 16 };

enum shm_object { SHM_IN, SHM_STATE, SHM_EV, SHM_OBJECT__N };

/* INIT while its creator fills it, READY for use, RETIRED when a newer object has taken its name:
 * re-attach. */
enum shm_object_state { SHM_INIT, SHM_READY, SHM_RETIRED };

struct shm_header {
	char marker[8];	      /* "CCSIN01", "CCSST01", "CCSEV01" */
	uint64_t layout_hash; /* of every name, size and offset below */
	uint64_t bytes;	      /* of the whole object */
	uint8_t boot_id[16];  /* the kernel's: an object of an earlier boot is never adopted */
	uint64_t created_us;
	_Atomic uint64_t epoch; /* .state, .ev: grows with every start of the dispatcher's child */
	_Atomic uint32_t state; /* enum shm_object_state */
	uint32_t pad;
	uint64_t counts[SHM_TABLES_MAX]; /* rows of each table, in the order of tables.def */
};

/* ---- .in ---- */

struct shm_shared {
	/* 1: the dispatcher sleeps, ring the bell */
	alignas(SHM_CACHE_LINE) _Atomic uint32_t armed;
	uint8_t pad[60];
	/* requests of all clients: shm/minute.h */
	_Atomic uint64_t requests;
	uint8_t requests_pad[56];
};

/* What a client's requests are counted as, each in a word of its own. */
enum shm_minute { MINUTE_REQUESTS, MINUTE_INSERTS, MINUTE_EXPORTS, SHM_MINUTES };

/* One client's words that workers and ccsctl change without asking. A row is taken for ever by
 * storing client_id. */
struct shm_tenant {
	_Atomic uint64_t client_id; /* 0: free */
	/* grows after every committed change of the client, its keys or allocations */
	_Atomic uint64_t generation;
	_Atomic uint64_t minutes[SHM_MINUTES]; /* shm/minute.h */
	uint64_t pad[3];
};

/* How often passwords may be tried: see shm/throttle.h. A user, a network and all together have a
 * word each, found by hash; who shares a word is slowed down by the other. */
enum { SHM_THROTTLES = 4096 };

struct shm_throttle {
	_Atomic int64_t tat_mono_us; /* GCRA: theoretical arrival time */
};

/* A network from which a user has signed in: it has a word of its own for that user. */
struct shm_familiar {
	_Atomic uint64_t pair; /* hash of both; 0: free */
	_Atomic int64_t tat_mono_us;
};

enum shm_submit_kind { SUBMIT_NONE, SUBMIT_CHUNK, SUBMIT_CONTROL, SUBMIT_KEY_USED, SUBMIT_KIND__N };

/* Work that is committed: a hint. The dispatcher copies it out, checks it, then believes it. */
struct shm_submit {
	uint32_t kind;	       /* enum shm_submit_kind */
	uint32_t entries;      /* CHUNK: how many; 1 = the entry stands below */
	uint64_t id;	       /* chunk, control row or key */
	uint64_t client_id;    /* 0: all clients */
	char number[20];       /* as entry.number */
	char e164[16];	       /* "" = none */
	char phone_number[40]; /* as given */
	char did[24];	       /* that is to be shown; "" = nothing is asked for */
	struct shm_plan plan;
	uint64_t committed_us;	   /* KEY_USED: when */
	uint64_t queue_master_id;  /* 0: a quick call */
	uint64_t batch_id;	   /* the client's name of it */
	uint64_t settings_version; /* of its queue master; 0: it has none */
};

struct shm_worker {
	/* 0: free. Else start time of the process (clock ticks since boot, low 32 bits) << 32 |
	 * pid: tells it from a later one with its pid, and one CAS takes the slot. */
	alignas(SHM_CACHE_LINE) _Atomic uint64_t owner;
	_Atomic uint64_t requests;
	_Atomic uint32_t pool;	  /* enum pool */
	_Atomic uint32_t leaving; /* 1: takes no new connections */
	uint8_t pad[40];
	/* records ever pushed; its head is in .state */
	alignas(SHM_CACHE_LINE) _Atomic uint64_t tail;
	uint8_t tail_pad[56];
	alignas(SHM_CACHE_LINE) struct shm_submit ring[SHM_RING_RECORDS];
};

/* ---- .state ---- */

/* A row under its own sequence: odd while the dispatcher writes. See shm/row.h. */
struct shm_row {
	_Atomic uint32_t seq;
	_Atomic uint32_t used; /* enum shm_row_use */
};

/* GONE keeps a probe sequence whole: a search passes it, an insert takes it. */
enum shm_row_use { ROW_FREE, ROW_USED, ROW_GONE };

struct shm_status {
	/* every turn, at least each 500 ms */
	alignas(SHM_CACHE_LINE) _Atomic int64_t heartbeat_mono_us;
	_Atomic int64_t database_ok_mono_us; /* the last answer of PostgreSQL */
	_Atomic int64_t started_us;
	_Atomic uint32_t holder_pid, child_pid;
	_Atomic uint32_t ready; /* 1: the directory is complete */
	/* 1: all that is open has its call slot: a life has come to the end of its recovery here */
	_Atomic uint32_t recovered;
	_Atomic uint64_t respawns;
	uint8_t line_pad[16];
};

enum shm_client_status { CLIENT_ACTIVE, CLIENT_PAUSED, CLIENT_SUSPENDED, CLIENT_STATUS__N };
enum shm_server_status { SERVER_ACTIVE, SERVER_DRAINING, SERVER_DISABLED, SERVER_STATUS__N };

struct shm_client {
	uint64_t id;
	uint64_t generation; /* of the tenant's word when this row was read from SQL */
	char name[208];
	char accountcode[48];
	char did[24];
	char phone_number[24];
	char callbackurl[512];
	char timezone[64];
	char region[8];
	uint32_t allocated_channels;
	uint32_t rate_limit;	      /* Originates an hour */
	uint32_t calls_per_second;    /* 0: no limit of its own */
	uint32_t requests_per_minute; /* 0: the configuration's */
	uint32_t weight;	      /* at least 1 */
	uint32_t status;	      /* enum shm_client_status */
	uint32_t is_active;
	uint32_t auto_dispatch;
	uint32_t halted;  /* an operator has stopped its dialling, or everybody's */
	uint32_t is_test; /* a test account: only the sandbox dials for it */
	int64_t window_open_us, window_close_us; /* what hours_look() said last */
	int64_t created_us, updated_us;
	struct shm_policy policy;
	struct calling_rule calling;
};

/* One more in sql/queries/dispatcher.sql, directory_users. */
enum { SHM_ENDED_SESSIONS = 16 };

/* Somebody who signs in with a password, and what his tokens are held against. */
struct shm_user {
	uint64_t id;
	uint64_t client_id;
	uint64_t version; /* tokens of an earlier one are void */
	/* those that ended while tokens of them may still be good, the latest first; 0: none */
	uint64_t ended[SHM_ENDED_SESSIONS];
	/* there are more, all of them ended by then; 0: there are not. Of sessions up to this id, and tokens
	 * issued before, only PostgreSQL can tell */
	int64_t unsure_until_us;
	uint64_t unsure_up_to_id;
};

enum { SHM_KEY_NETWORKS = 8 };

/* shm/network.h */
struct shm_network {
	uint8_t address[16];
	uint32_t bits; /* of 128 */
	uint32_t pad;
};

struct shm_key {
	struct digest digest;
	uint64_t id;
	uint64_t client_id;
	int64_t expires_us;  /* 0: never */
	uint32_t scopes;     /* enum shm_scope */
	uint32_t networks_n; /* 0: it may be used from anywhere */
	struct shm_network networks[SHM_KEY_NETWORKS];
};

struct shm_server {
	uint64_t id;
	char server_code[48];
	char host[256];
	uint32_t port;
	uint32_t status; /* enum shm_server_status */
	uint32_t allowed_active_calls;
	uint32_t rate_limit;
	uint32_t calls_per_second;
	uint32_t counts_foreign; /* channels of others take their part of allowed_active_calls */
};

struct shm_allocation {
	uint64_t client_id;
	uint64_t server_id;
	uint32_t allowed_active_calls;
	uint32_t rate_limit;
	uint32_t calls_per_second;
	uint32_t status;
};

enum shm_ami_state { AMI_DOWN, AMI_CONNECTING, AMI_LOGIN, AMI_RESYNC, AMI_UP, AMI_STATE__N };

/* What runs: single words that the dispatcher stores and anybody reads. One beside every client,
 * server, allocation. */
struct shm_usage {
	_Atomic uint32_t channels; /* grants taken */
	_Atomic uint32_t waiting;  /* clients: entries in the window */
	_Atomic int64_t rate_us;   /* GCRA: theoretical arrival time of the calls-per-hour limit */
	_Atomic int64_t pace_us;   /* GCRA of calls per second */
	_Atomic uint32_t gate;	   /* clients: enum gate that blocks now */
	_Atomic uint32_t started;  /* calls of the last hour, to the minute */
	_Atomic int64_t gate_us; /* clients: since when; 0 = not since a dispatcher began to look */
};

enum { SHM_NO_CAP = UINT32_MAX };

/* The client's local day as its daily cap of all calls sees it: words, as in shm_usage. */
struct shm_day {
	_Atomic uint32_t cap; /* SHM_NO_CAP: none */
	_Atomic uint32_t used;
	_Atomic int64_t ends_us; /* when used starts again; 0: not known yet */
};

struct shm_client_row {
	struct shm_row row;
	struct shm_usage usage;
	struct shm_day day;
	struct shm_client data;
};

struct shm_user_row {
	struct shm_row row;
	struct shm_user data;
};

struct shm_key_row {
	struct shm_row row;
	struct shm_key data;
};

/* The connection to a server, as GET /monitoring/serverstatus shows it. */
struct shm_ami {
	_Atomic uint32_t state; /* enum shm_ami_state */
	_Atomic uint32_t unanswered;
	_Atomic int64_t since_us;
	_Atomic int64_t lag_us; /* the last Ping's round trip */
	_Atomic uint64_t reconnects;
	_Atomic uint32_t armed;	 /* granted and not written yet */
	_Atomic uint32_t window; /* how many may be armed and unanswered together */
};

/* What a server does with its calls, and how many it gets for that: facts of the dispatcher's breaker and pace, from which a
 * successor goes on. */
enum shm_breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRIAL, BREAKER_STATE__N };

enum shm_fault {
#define FAULT(constant, name, proof, words) FAULT_##constant,
#include "shm/fault.def"
#undef FAULT
	FAULT__N
};

struct shm_health {
	_Atomic uint32_t breaker;	   /* enum shm_breaker_state */
	_Atomic uint32_t fault;		   /* enum shm_fault: what opened it */
	_Atomic uint32_t openings;	   /* in a row */
	_Atomic uint32_t is_rising;	   /* the pace */
	_Atomic uint32_t faults[FAULT__N]; /* of each kind, in a row */
	_Atomic int64_t since_us;	   /* of the breaker's state */
	_Atomic int64_t until_us;	   /* OPEN, TRIAL: no call before */
	_Atomic uint64_t pace;	  /* calls at once, in 1/PACE_UNIT; 0 = as many as are allowed */
	_Atomic int64_t cut_us;	  /* the pace was lowered last */
	_Atomic uint32_t calls;	  /* that got through since */
	_Atomic uint32_t foreign; /* channels of others, where they are counted */
};

struct shm_server_error {
	char text[128];
	int64_t at_us;
};

struct shm_server_row {
	struct shm_row row;
	struct shm_usage usage;
	struct shm_ami ami;
	struct shm_health health;
	struct shm_server data;
	struct shm_row error_row; /* last_error has a sequence of its own */
	struct shm_server_error error;
};

struct shm_allocation_row {
	struct shm_row row;
	struct shm_usage usage;
	struct shm_allocation data;
};

/* A call slot. The state word is its commit: every other field is written before it, so that a
 * successor finds each slot as the last finished step left it. Written by the dispatcher's child
 * only. */
enum shm_call_state {
	CALL_FREE,
	CALL_PLANNED, /* granted; its journal row is on its way to PostgreSQL */
	CALL_ARMED,   /* journalled; no byte of it has been written */
	CALL_SENT,    /* written, or about to be: never to be dialled again */
	CALL_DIALING, /* Asterisk queued it */
	CALL_RINGING,
	CALL_UP,
	CALL_ENDED, /* outcome known; its detail is on its way to PostgreSQL */
	CALL_STATE__N
};

enum shm_call_seen {
	SEEN_RESPONSE = 1,  /* to the Originate */
	SEEN_ORIGINATE = 2, /* OriginateResponse */
	SEEN_CHANNEL = 4,   /* any channel event: there is or was a channel */
	SEEN_HANGUP = 8,
	SEEN_ESTIMATED = 16,   /* the end was inferred, not seen */
	SEEN_CALLED_OFF = 32,  /* its client wanted it hung up */
	SEEN_NOT_FINAL = 64,   /* ENDED: another attempt follows */
	SEEN_REBUILT = 128,    /* made from the journal: what was told of it is not known */
	SEEN_AHEAD = 256,      /* nothing yet: armed ahead, it holds no channel */
	SEEN_ASKED = 512,      /* its entry or batch asked for its did */
	SEEN_OPTED_OUT = 1024, /* who was called wants no more calls */
	SEEN_WAITED = 2048,    /* its entry stood in table retry */
	SEEN_RECORD = 4096,    /* it is to be recorded */
	SEEN_AMD = 8192,       /* who answers is to be found out */
};

struct shm_call_head {		/* compact: what counting walks over */
	_Atomic uint32_t state; /* enum shm_call_state */
	uint32_t n;		/* attempt */
	uint64_t entry_id;
	uint64_t client_id;
	uint64_t server_id;
};

struct shm_call {
	struct shm_row row;
	uint64_t queue_master_id; /* 0: a quick call */
	uint64_t batch_id;
	uint64_t tried_server_id; /* where an earlier attempt failed; 0 = nowhere */
	uint32_t seen;		  /* enum shm_call_seen */
	uint32_t originate_reason;
	uint32_t hangup_cause;
	uint32_t dial_status; /* enum ami_dial_status */
	uint32_t disposition; /* enum disposition, once ENDED */
	struct shm_plan plan;
	int64_t armed_us, sent_us, ringing_us, answered_us, ended_us;
	char number[20];
	char e164[16];
	char phone_number[40];
	char did[24];
	/* of its server: fixed when it is planned */
	char prefix[12];
	char context[80];
	char extension[48];
	char endpoint[84];
	char reason[48];
	uint32_t attempts_left; /* ENDED, and not final: at most so many follow */
	int64_t redial_us;	/* likewise: when the next one is due; 0 = at once, elsewhere */
};

/* What the dialplan has told about a call: "name:value\n" one after the other, of several with one name the
 * last holds. Beside each call slot; shm/result.h. */
enum { RESULT_TEXT_BYTES = 2040 };

struct shm_result {
	_Atomic uint32_t n; /* bytes of text: its store is the commit of what was added */
	uint32_t pad;
	char text[RESULT_TEXT_BYTES];
};

struct shm_call_view { /* what a reader copies out under the row's sequence */
	uint32_t state;
	uint32_t n;
	uint64_t entry_id, client_id, server_id;
	struct shm_call call;
};

/* A waiting entry. */
struct shm_window {
	struct shm_row row;
	uint64_t entry_id;
	uint64_t client_id;
	uint64_t queue_master_id;
	uint64_t batch_id;
	int64_t due_us;		  /* not before */
	uint64_t tried_server_id; /* where an earlier attempt failed; 0 = nowhere */
	struct shm_plan plan;
	uint32_t gate; /* enum gate: what blocked it last */
	char number[20];
	char e164[16];
	char phone_number[40];
	uint32_t n; /* the attempt to come */
};

enum shm_counter {
#define COUNTER(name, unit, help) COUNTER_##name,
#include "shm/counters.def"
#undef COUNTER
	COUNTER__N
};

struct shm_counters {
	_Atomic uint64_t value[COUNTER__N];
};

/* Log-linear histogram of microseconds: 8 steps per power of two (12 % wide), 1 us to 2^32 us. */
enum { LATENCY_BUCKETS = 33 * 8 };
enum shm_latency_kind {
	LATENCY_SUBMIT_TO_SENT, /* committed -> Originate bytes written, when nothing blocked */
	LATENCY_FREED_TO_SENT,	/* hang-up read -> next Originate of that server written */
	LATENCY_COMMIT,		/* one turn's transaction */
	LATENCY_TURN,		/* one turn of the loop */
	LATENCY__N
};

struct shm_latency {
	_Atomic uint64_t count[LATENCY_BUCKETS];
};

/* ---- .ev ---- */

/* Positions count bytes since the ring began; the first is the ring's size, so that 0 can mean
 * none. */
struct shm_ring_head {
	/* Bytes claimed, never lowered: what lies below writing - size may be overwritten at any
	 * moment. */
	alignas(SHM_CACHE_LINE) _Atomic uint64_t writing;
	uint8_t writing_pad[56];
	/* Position of the last record published, 0 = none: its store is the commit. */
	alignas(SHM_CACHE_LINE) _Atomic uint64_t newest;
	/* Position of the last record that began in each sixteenth of the ring: where a lapped
	 * reader goes on. */
	_Atomic uint64_t marks[SHM_EVENT_MARKS];
	uint8_t pad[56];
};

/* What waits in a worker's ring: records ever taken out of it. Here, because a worker may not write
 * what the dispatcher trusts. */
struct shm_submit_head {
	alignas(SHM_CACHE_LINE) _Atomic uint64_t head;
	uint8_t pad[56];
};

/* A record, 8-byte aligned, never split at the ring's end: padding, a record without a client,
 * fills what is left there. */
struct shm_event {
	/* Bytes before it since the ring began: proves it is the record that was looked for. */
	uint64_t position;
	uint64_t index;	    /* records before it */
	uint64_t previous;  /* position of the same client's event before; 0 = none known */
	uint64_t client_id; /* 0: padding */
	uint64_t seq;	    /* dense per client */
	int64_t occurred_us;
	uint32_t bytes;	  /* of the whole record, a multiple of 8 */
	uint16_t type;	  /* enum event_type */
	uint16_t payload; /* bytes of JSON that follow */
};

_Static_assert(sizeof(struct shm_header) == 192, "header");
_Static_assert(sizeof(struct shm_submit) == 160, "submit record");
_Static_assert(sizeof(struct shm_tenant) == SHM_CACHE_LINE, "tenant words");
_Static_assert(sizeof(struct shm_call_head) == 32, "call head");
_Static_assert(sizeof(struct shm_event) == 56, "event record");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must work between processes");

#endif
