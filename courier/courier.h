/* ccs-courier: one process, one loop, one connection to PostgreSQL. Each part has its own file; this is what they share.
 *
 *   event (PostgreSQL) ──feed──► items of each hook ──host──► flights (libcurl) ──settle──► webhook, webhook_retry, log
 *
 * A hook is a client's callbackurl. Its position in the client's events (webhook.seq) moves past an event when it is
 * delivered or stands in webhook_retry, in the same transaction. What is in memory is only ever a copy: when the connection
 * is lost all of it is forgotten, and read again. So a delivery may come twice, and none is lost.
 *
 * Order: events of one call are sent one after the other. One that cannot be delivered is moved to webhook_retry, and with
 * it what comes later of the same call. All of it goes over one connection in order, so what is read after a move sees it.
 */
#ifndef CCS_COURIER_COURIER_H
#define CCS_COURIER_COURIER_H

#include <curl/curl.h>
#include <uthash.h>

#include "common/address_wall.h"
#include "common/conf.h"
#include "common/poll.h"
#include "common/secret.h"
#include "common/strbuf.h"
#include "courier/host.h"
#include "courier/sign.h"
#include "shm/bell.h"
#include "sql/stream.h"

struct post;
struct settle;
struct export;

enum { HOOK_SECRETS = 2, HOOK_URL_BYTES = 512, HOOK_ACCOUNTCODE_BYTES = 48 };

/* Events of one call of a hook that are in memory, the oldest first. */
struct chain {
	uint64_t entry_id;
	struct item *items;
	bool moved;	   /* its head is in webhook_retry, or will be: so goes the rest */
	unsigned moved_in; /* the settlement that says so: courier.settlements when it was */
	UT_hash_handle hh;
};

enum item_state { ITEM_WAITING, ITEM_READY, ITEM_FLYING, ITEM_DONE };

/* One event on its way to one hook. */
struct item {
	struct hook *hook;
	struct chain *chain; /* NULL: of no call, or sent again */
	int64_t seq;	     /* below 0: a test */
	uint64_t entry_id;   /* 0: of no call */
	int64_t first_us;    /* wall time from which it is given up after a day */
	unsigned attempts;   /* that have failed */
	bool is_retry;	     /* stands in webhook_retry */
	enum item_state state;
	struct strbuf body;
	struct item *prev, *next;	      /* of hook->items or hook->retries */
	struct item *ready_prev, *ready_next; /* of hook->ready */
	struct item *chain_prev, *chain_next; /* of chain->items */
};

struct hook {
	uint64_t client_id;
	char accountcode[HOOK_ACCOUNTCODE_BYTES];
	char url[HOOK_URL_BYTES];
	char secrets[HOOK_SECRETS][SIGN_SECRET_BYTES]; /* the newest first */
	int secrets_n;
	struct host *host;

	int64_t stored_seq; /* webhook.seq, as far as we have sent it */
	int64_t read_seq;   /* in memory up to here */
	bool has_more;	    /* there may be more than was read */
	unsigned asked;	    /* events that the fetch under way may still bring */
	struct item *items; /* events behind stored_seq, in order */
	unsigned items_n;
	struct chain *chains;
	struct item *retries; /* of webhook_retry, on their way */
	unsigned retries_n;
	int64_t retry_due_us; /* wall; INT64_MAX: none waits */
	struct item *ready;
	bool is_listed; /* in host->hooks */
	unsigned flying;
	bool is_seen;		  /* in the load under way */
	bool is_gone;		  /* freed when its last flight ends */
	bool moves;		  /* its position is to be stored */
	struct hook *prev, *next; /* of host->hooks */
	UT_hash_handle hh;
};

struct courier {
	const struct conf *conf;
	struct secret_key secret_key;
	struct address_wall wall;
	struct host_limits limits;
	struct poll *poll;
	struct bell bell; /* rung by the dispatcher after it has published events */
	struct stream *stream;
	struct post *post;
	struct settle *settle;
	struct export *export;

	bool is_chosen; /* we hold the lock: nobody else delivers */
	bool stopping;
	struct hook *hooks;  /* by client */
	struct hook *ghosts; /* gone, with flights */
	struct host *hosts;  /* by name */
	struct host *busy;   /* those with something to send */
	unsigned items_n;
	unsigned flying;
	unsigned settlements; /* sent so far */

	bool news;	  /* the bell has rung */
	bool load_wanted; /* hooks may have changed */
	bool loading, fetching, fetching_retries;
	bool fetch_void,
		fetch_void_retries;  /* what is under way is about hooks that were forgotten */
	int64_t now_us, now_mono_us; /* read once a turn */
	int64_t fetch_at_us;	     /* mono: the next fetch not before */
	int64_t retries_at_us;
	int64_t load_at_us;	    /* mono: hooks are read again, whatever happens */
	int64_t clean_at_us;	    /* mono: old rows of the log go */
	int64_t stop_at_us;	    /* mono, while stopping */
	uint64_t delivered, failed; /* since the start, for the log */
};

uint32_t noise(void);

#endif
