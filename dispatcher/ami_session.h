/* What is said on an AMI connection once it stands: greeting, login, resync, Pings; and the struct
 * that ami_conn.c (the life of the connection) and ami_session.c share. Nobody else includes this. */
#ifndef CCS_DISPATCHER_AMI_SESSION_H
#define CCS_DISPATCHER_AMI_SESSION_H

#include "dispatcher/ami_conn.h"
#include "dispatcher/ami_resolve.h"
#include "dispatcher/ami_sock.h"

enum { AMI_ERROR_BYTES = 128 }; /* as shm_server_error.text */

enum phase {
	PHASE_IDLE, /* until the back-off is over */
	PHASE_RESOLVING,
	PHASE_CONNECTING,
	PHASE_SECURING, /* the TLS wire connects and shakes hands for us */
	PHASE_BANNER,
	PHASE_CHALLENGE,
	PHASE_LOGIN,
	PHASE_BOOT,
	PHASE_RESYNC,
	PHASE_UP,
	PHASE__N
};

struct ami_conn {
	struct poll *poll;
	int watched; /* descriptor in poll, -1: none */
	const struct ami_conn_ops *ops;
	void *arg;
	struct ami_conn_conf conf;
	char *host, *user, *secret; /* what conf's texts point to */

	enum phase phase;
	int64_t now_us;
	int64_t deadline_us; /* of the phase; when UP: of the next Ping, or of its Pong */
	unsigned failures;   /* since it was UP last */
	char error[AMI_ERROR_BYTES];

	struct ami_lookup lookup;
	struct ami_addresses addresses;
	size_t address_next;
	struct ami_sock sock;
	size_t searched;  /* see ami_parse_next */
	bool blocked;	  /* the kernel had no room: again at retry_us */
	int64_t retry_us; /* see blocked */
	bool broken;	  /* a write failed: the next tick gives the connection up */
	bool stopping;	  /* Asterisk has said Shutdown */

	/* Our own action that awaits its Response; never more than one. */
	char action_id[48];
	bool awaiting;
	bool probing; /* it is ami_conn_adopt's */
	int64_t asked_us;
	int64_t lag_us;
	char life[2 * 8 + 1]; /* tells our ActionIDs from those of another process's life */
	unsigned serial;

	struct ami_live *live; /* while RESYNC collects */
	size_t live_n, live_cap;
};

/* ---- ami_conn.c ---- */

/* From anywhere to DOWN, with a pause before the next attempt. */
void ami_conn_lose(struct ami_conn *conn, const char *why);

/* On to a phase, which may last timeout_us. */
void ami_conn_enter(struct ami_conn *conn, enum phase phase);

/* ---- ami_session.c ---- */

/* Handles all whole messages that in holds and returns the bytes they took; *bad when what follows
 * them is none and never will be. Afterwards the connection may be lost. */
size_t ami_session_take(struct ami_conn *conn, struct str in, bool *bad);

/* Asks which channels there are: RESYNC. */
void ami_session_list(struct ami_conn *conn);

/* UP: sends the next Ping. */
void ami_session_ping(struct ami_conn *conn);

void ami_session_logoff(struct ami_conn *conn);

/* Forgets what RESYNC has collected. */
void ami_session_forget(struct ami_conn *conn);

/* Can the login be sent at all? */
MUST_USE bool ami_session_check(struct ami_conn *conn, struct err *err);

#endif
