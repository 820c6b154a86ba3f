/* What a worker process has at hand for every request it answers.
 *
 * Five kinds of worker run the same program. fast: answers from the segment, never waits, has no
 * database. sql: one request at a time, waits for PostgreSQL, announces committed work. call: quick
 * calls and small batches, all that are there in one transaction (gather.h). login: as sql, for what takes a core and 64 MiB each time: passwords. Few of them, so that a flood of
 * guesses holds up nobody else; and only they may read the hashes. admin: as sql, for administrators, who may change what
 * tenants may only read.
 */
#ifndef CCS_FCGI_APP_H
#define CCS_FCGI_APP_H

#include "common/arena.h"
#include "common/conf.h"
#include "common/jwt.h"
#include "common/pool.h"
#include "shm/bell.h"
#include "shm/segment.h"

struct db;
struct gather;
struct later;

struct app {
	enum pool pool;
	const struct conf *conf;
	struct segment *segment;   /* attached or not: see live */
	struct bell *bell;	   /* wakes the dispatcher; NULL in fast */
	struct db *db;		   /* NULL in fast */
	struct arena *arena;	   /* of the request that is being answered */
	struct shm_client client;  /* of the request that is being answered */
	struct jwt_claims token;   /* the same, if it came with one */
	struct digest certificate; /* the same */
	struct jwt_ring ring;	   /* signs and verifies tokens */
	struct gather *gather;	   /* call: requests of this turn that are put aside; else NULL */
	struct later *later;	   /* what is to be told after the commit; NULL: tell at once */
	int64_t slot_next_us;	   /* without a slot in the segment: when to try again */
	bool live; /* as of this request, segment_fresh: what the segment says may be answered */
	struct segment own_segment;
	struct bell own_bell;
};

/* ---- the frame ---- */

/* After the fork: attaches what is there; the rest is attached when it appears. */
MUST_USE bool app_open(struct app *app, const struct conf *conf, enum pool pool, struct err *err);
void app_close(struct app *app);

/* Before each request: moves to a newer segment, forgets the memory of the last request, or of all that were gathered.
 * Pointers into the segment end here. */
void app_turn(struct app *app);

/* ---- handlers ---- */

/* Tells the dispatcher of committed work: submit ring and bell. A hint: without a segment, or with
 * the ring full, nothing happens and the dispatcher's sweep finds the work. Call after the commit.
 */
void app_announce(struct app *app, const struct shm_submit *work);

/* A committed change of a client, its keys or allocations: from now on no worker answers from a
 * directory row that is older. Call after the commit; announce the control row as well. */
void app_client_changed(struct app *app, uint64_t client_id);

/* From here to app_release both of the above wait; then they are told, or forgotten. */
void app_hold(struct app *app);
void app_release(struct app *app, bool tell);

#endif
