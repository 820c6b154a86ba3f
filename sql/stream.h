/* A connection to PostgreSQL that never waits: for the dispatcher's loop.
 *
 * Work goes in groups; a group is one transaction, sent in pipeline mode. Results come through
 * callbacks from inside poll_wait. Order is kept. When the connection is lost, every group that has
 * not been answered is told so, and whether its commit took effect is unknown: groups are written
 * so that running them again is harmless. Reconnects by itself, with capped, jittered back-off.
 */
#ifndef CCS_SQL_STREAM_H
#define CCS_SQL_STREAM_H

#include "common/err.h"
#include "common/poll.h"
#include "sql/args.h"
#include "sql/embedded.h"
#include "sql/rows.h"

struct stream;

struct stream_ops {
	void (*up)(void *arg);			  /* connected: groups may be sent */
	void (*down)(void *arg, const char *why); /* after all groups have been told */
	void (*notified)(
		void *arg, const char *channel, const char *payload); /* LISTEN; may be NULL */
};

/* One statement's result; rows lives until the callback returns. Not called for a statement that
 * failed or was skipped. */
typedef void stream_rows_fn(void *arg, const struct rows *rows);

/* The group's end: ok after COMMIT, else err says why and nothing of the group took effect. ERR_BUSY:
 * the connection was lost and whether it did is unknown, or PostgreSQL cannot do it now (its disk is
 * full, say): run it again later. */
typedef void stream_end_fn(void *arg, bool ok, const struct err *err);

/* Starts to connect. application names us in pg_stat_activity; listen (or NULL) is a channel;
 * queries, ended by SQL_QUERY__N, are prepared before up is called. All pointers but dsn are kept.
 */
struct stream *stream_new(struct poll *poll, const char *dsn, const char *application,
	const char *listen, const enum sql_query *queries, const struct stream_ops *ops, void *arg);
void stream_free(struct stream *stream);

bool stream_is_up(const struct stream *stream);

/* Groups sent and not yet answered. */
unsigned stream_pending(const struct stream *stream);

/* A group: statements, then the end. Only while stream_is_up. args may be NULL; they are copied out
 * at once. */
void stream_query(struct stream *stream, enum sql_query query, const struct sql_args *args,
	stream_rows_fn *fn, void *arg);
void stream_end(struct stream *stream, stream_end_fn *fn, void *arg);

/* The moment (mono us) at which stream_tick wants to be called, INT64_MAX = none. */
int64_t stream_deadline(const struct stream *stream);
void stream_tick(struct stream *stream, int64_t mono_us);

#endif
