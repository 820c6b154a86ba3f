/* A connection to one client's own database: resolved, checked, connected, one statement at a time. Whatever is at the other end
 * costs only its client: nothing waits, every step has an end, and so has what it may send us.
 *
 *   IDLE ──send──► RESOLVING ──► CONNECTING ──► RUNNING ──done──► IDLE, connected
 */
#ifndef CCS_COURIER_OUTLET_H
#define CCS_COURIER_OUTLET_H

#include "common/poll.h"
#include "courier/lookup.h"
#include "sql/client_url.h"

/* ok: the calls are there. Otherwise why says what PostgreSQL or we have against it; it lives until the callback returns. */
typedef void outlet_done_fn(void *arg, bool ok, const char *why);

struct outlet {
	struct poll *poll;
	const struct address_wall *wall;
	const char *ca_file;
	struct client_url url;
	outlet_done_fn *done;
	void *arg;

	enum outlet_state {
		OUTLET_IDLE,
		OUTLET_RESOLVING,
		OUTLET_CONNECTING,
		OUTLET_RUNNING
	} state;
	struct lookup *lookup;
	PGconn *conn;
	int fd;		       /* watched, or -1 */
	char *calls;	       /* a JSON array, to be stored; ours */
	uint64_t bytes_before; /* that had come over the connection before the statement */
	int64_t deadline_us;   /* mono: the step has an end */
	int64_t idle_since_us;
};

/* url and done are set by the caller before; the rest is zero. */
void outlet_open(struct outlet *outlet);
void outlet_close(struct outlet *outlet);

/* Stores these calls; takes the text, from malloc. Only when IDLE. done is called later, never from here. */
void outlet_send(struct outlet *outlet, char *calls, int64_t mono_us);

int64_t outlet_deadline(const struct outlet *outlet, int64_t mono_us);
void outlet_tick(struct outlet *outlet, int64_t mono_us);

#endif
