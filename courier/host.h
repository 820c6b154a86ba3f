/* The receivers' hosts: how many deliveries each may have under way, and when one that fails is left alone.
 *
 *   closed ──failures in a row──► open ──pause──► probing ──success──► closed
 *                                   ▲                └──failure, pause doubled──┘
 *
 * A host that answers slowly must not take all there is: while more than half of all deliveries are under way, a host that
 * has one has to wait with the next.
 */
#ifndef CCS_COURIER_HOST_H
#define CCS_COURIER_HOST_H

#include <uthash.h>

#include "common/base.h"

enum { HOST_NAME_BYTES = 280 };

struct hook;

struct host {
	char name[HOST_NAME_BYTES]; /* "host:port" */
	unsigned flying;
	unsigned failures;	  /* in a row */
	int64_t pause_us;	  /* 0: closed */
	int64_t open_until_us;	  /* mono; while pause_us is not 0 */
	struct hook *hooks;	  /* have something to send */
	struct host *prev, *next; /* of the hosts with such hooks */
	bool is_listed;
	unsigned users; /* hooks that lead here */
	UT_hash_handle hh;
};

struct host_limits {
	unsigned per_host;
	unsigned total;
};

/* May one more be sent there, with so many under way to all hosts? */
bool host_may_send(const struct host *host, const struct host_limits *limits, unsigned flying,
	int64_t mono_us);

/* When host_may_send may change its mind without anything ending: INT64_MAX = only then. */
int64_t host_next_us(const struct host *host, int64_t mono_us);

/* What became of a delivery: it reached somebody who is able to answer, or it did not. noise spreads the pauses of many
 * hosts. */
void host_answered(struct host *host);
void host_failed(struct host *host, int64_t mono_us, uint32_t noise);

bool host_is_open(const struct host *host);

#endif
