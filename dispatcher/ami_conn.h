/* The connection to one Asterisk: connects, logs in, learns what runs there, keeps alive, comes
 * back.
 *
 *   DOWN --tick--> CONNECTING --> LOGIN --> RESYNC --> UP          DOWN again from anywhere,
 *   (back-off)     resolve,       banner,   CoreShow-  Ping every  after down(why)
 *                  connect,       login,    Channels   ping_us
 *                  TLS            booted
 *
 * One thread, one poll; nothing here blocks, also not the resolver. Bytes are looked at with
 * MSG_PEEK and discarded after the callbacks for them have returned: if this process is killed,
 * whoever holds a copy of the descriptor can go on with ami_conn_adopt and sees each message at
 * least once. Bytes are written in one send() of whole actions or not at all, so a successor never
 * begins in the middle of one.
 *
 * Callbacks may send and flush; they must not free the connection.
 */
#ifndef CCS_DISPATCHER_AMI_CONN_H
#define CCS_DISPATCHER_AMI_CONN_H

#include "common/err.h"
#include "common/poll.h"
#include "dispatcher/ami_action.h"
#include "dispatcher/ami_parse.h"
#include "dispatcher/tls_trust.h"
#include "shm/layout.h"

struct ami_conn;

struct ami_conn_conf {
	const char *host; /* name or address */
	uint16_t port;
	const char *user, *secret; /* copied, and wiped at the end */
	bool md5;		   /* log in by challenge; false sends the secret itself */
	const char *tls_run_dir; /* where the TLS wire is asked; NULL: the connection is in clear */
	struct tls_trust tls;	 /* name "": host */
	int64_t ping_us;	 /* pause between Pings */
	int64_t timeout_us;	 /* no answer for so long: lost */
	int64_t backoff_max_us;	 /* longest pause between two attempts to connect */
};

/* A channel that Asterisk has and whose Uniqueid is a call's. */
struct ami_live {
	char call_id[AMI_CALL_ID_CHARS + 1];
	uint32_t channel_state; /* 6 = up; less: not answered yet */
};

struct ami_conn_ops {
	/* Logged in, booted, and these n calls are there: what is not among them has ended. From
	 * now on ami_conn_send works; ami_conn_fd may be given to the holder. */
	void (*up)(void *arg, const struct ami_live *live, size_t n);

	/* The connection is gone, or an attempt to get one failed. The descriptor is already
	 * closed. */
	void (*down)(void *arg, const char *why);

	/* A Response or Event that is not the connection's own business. From the login on, so also
	 * before up: what happens during the resync is told in Asterisk's order. */
	void (*message)(void *arg, const struct ami_message *msg);

	/* After ami_conn_adopt: whatever was written before has been answered by now. */
	void (*probed)(void *arg);

	/* ami_conn_deadline may say something else than before; may be NULL. */
	void (*timed)(void *arg);

	/* What the kernel had no room for has left: ami_conn_can_send may be true again. May be NULL. */
	void (*drained)(void *arg);
};

/* Starts DOWN; the first tick connects. poll, ops and arg are borrowed. Fails with INPUT when user
 * or secret could not be sent. */
struct ami_conn *ami_conn_new(struct poll *poll, const struct ami_conn_conf *conf,
	const struct ami_conn_ops *ops, void *arg, struct err *err);

/* Logs off when it is up, ends the connection and forgets it; down is not called. */
void ami_conn_free(struct ami_conn *conn);

/* Takes fd, a connection that a killed predecessor had brought UP, instead of connecting: UP at
 * once, without up being called. What was not read then is read now; a Ping finds out when all
 * earlier actions have been answered, and probed is called. Only before the first tick. */
void ami_conn_adopt(struct ami_conn *conn, int fd, int64_t now_us);

/* Monotonic time at which ami_conn_tick wants to be called next. */
int64_t ami_conn_deadline(const struct ami_conn *conn);
void ami_conn_tick(struct ami_conn *conn, int64_t now_us);

/* UP, not shutting down, and all that was sent before has left: room for a batch of actions. */
bool ami_conn_can_send(const struct ami_conn *conn);

/* Queues whole actions for ami_conn_flush. False, and nothing queued, when not UP or when more than
 * AMI_QUEUE_MAX bytes would wait. */
enum { AMI_QUEUE_MAX = 64 * 1024 };
MUST_USE bool ami_conn_send(struct ami_conn *conn, struct str actions);

/* Writes what is queued, all of it or, where the kernel has no room, nothing for now. */
void ami_conn_flush(struct ami_conn *conn);

enum shm_ami_state ami_conn_state(const struct ami_conn *conn);
int ami_conn_fd(const struct ami_conn *conn);		 /* -1: none */
int64_t ami_conn_lag_us(const struct ami_conn *conn);	 /* the last Ping's round trip */
const char *ami_conn_error(const struct ami_conn *conn); /* why it went down last; "" = never */

/* The pause before the next attempt after so many failed ones (1 = the first): from 250 ms, doubled
 * each time, at most max_us, of which a random part up to the half is taken off. */
int64_t ami_backoff_us(unsigned failures, int64_t max_us, uint32_t random);

#endif
