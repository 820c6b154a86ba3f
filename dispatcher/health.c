/* Breaker and pace of a server: see health.h. */
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/health.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "shm/directory.h"
#include "shm/health.h"

#include "common/base.h"

#define SHOW(member, value) atomic_store_explicit(&row->member, value, memory_order_relaxed)
#define FOUND(member)	    atomic_load_explicit(&row->member, memory_order_relaxed)

static void show(const struct server *server)
{
	struct shm_health *row = &server->row->health;
	const struct breaker *b = &server->breaker;
	const struct pace *p = &server->pace;

	for (int fault = 0; fault < FAULT__N; fault++)
		SHOW(faults[fault], b->faults[fault]);
	SHOW(openings, b->openings);
	SHOW(fault, b->fault);
	SHOW(since_us, b->since_us);
	SHOW(until_us, b->until_us);
	SHOW(breaker, b->state);
	SHOW(cut_us, p->cut_us);
	SHOW(calls, p->calls);
	SHOW(is_rising, p->is_rising);
	SHOW(pace, p->limit);
}

void health_adopt(struct server *server)
{
	const struct shm_health *row = &server->row->health;
	struct breaker *b = &server->breaker;

	for (int fault = 0; fault < FAULT__N; fault++)
		b->faults[fault] = FOUND(faults[fault]);
	b->openings = FOUND(openings);
	b->fault = (enum shm_fault)FOUND(fault);
	b->since_us = FOUND(since_us);
	b->until_us = FOUND(until_us);
	b->state = (enum shm_breaker_state)FOUND(breaker);
	server->pace = (struct pace){.limit = FOUND(pace),
		.cut_us = FOUND(cut_us),
		.calls = FOUND(calls),
		.is_rising = FOUND(is_rising)};
}

static uint32_t live(const struct server *server)
{
	return atomic_load_explicit(&server->usage->channels, memory_order_relaxed);
}

void health_fault(struct server *server, enum shm_fault fault, struct str why)
{
	struct dispatcher *d = server->d;
	struct breaker *b = &server->breaker;
	char text[sizeof(server->row->error.text)];

	if (server->access.is_sandbox) /* its failures are what was asked for */
		return;
	if (breaker_fault(b, d->conf, fault, d->now_us)) {
		(void)snprintf(text, sizeof(text), "paused: %s (%.*s)", fault_words(fault),
			(int)MIN(why.n, (size_t)60), why.p);
		dir_server_error(server->row, text, d->now_us);
		log_warn("server.paused", "server=%s fault=%s ms=%lld why=%s",
			server->facts.server_code, fault_name(fault),
			(long long)((b->until_us - d->now_us) / US_PER_MS), log_q(text));
	}
	show(server);
}

void health_prove(struct server *server, enum breaker_proof proof)
{
	struct dispatcher *d = server->d;

	if (breaker_prove(&server->breaker, proof, d->now_us)) {
		pace_restart(&server->pace, live(server));
		sched_server_freed(d, server);
		log_info("server.resumed", "server=%s", server->facts.server_code);
	}
	show(server);
}

/* Of a call that an earlier life has written, the level is not known: now's is the best guess. */
static struct pace_call call_of(const struct server *server, const struct slot *slot)
{
	uint32_t now = live(server);
	return (struct pace_call){slot->call->sent_us, slot->level ? slot->level : now, now};
}

void health_through(struct server *server, const struct slot *slot)
{
	struct pace_call call = call_of(server, slot);
	if (pace_through(
		    &server->pace, &call, server->facts.allowed_active_calls, server->d->now_us))
		sched_server_freed(server->d, server);
	health_prove(server, PROOF_THROUGH);
}

void health_congested(struct server *server, const struct slot *slot, struct str why)
{
	struct pace_call call = call_of(server, slot);
	if (server->access.is_sandbox)
		return;
	if (pace_refused(
		    &server->pace, &call, server->facts.allowed_active_calls, server->d->now_us))
		log_info("server.slower", "server=%s live=%u calls_at_once=%u",
			server->facts.server_code, call.live, health_room(server));
	health_fault(server, FAULT_CONGESTED, why);
}

void health_sent(struct server *server)
{
	if (server->breaker.state == BREAKER_CLOSED)
		return;
	breaker_sent(&server->breaker, server->d->now_us);
	show(server);
}

void health_reset(struct server *server)
{
	health_prove(server, PROOF_CHANNEL);
	server->heard_mono_us = server->d->now_mono_us;
}

int64_t health_deadline(const struct server *server)
{
	int64_t patience_us = server->d->conf->dispatcher_response_timeout_ms * US_PER_MS;
	bool owes = server->unanswered && server_is_up(server);
	return owes ? server->heard_mono_us + patience_us : INT64_MAX;
}

void health_tick(struct server *server)
{
	struct dispatcher *d = server->d;
	if (d->now_mono_us < health_deadline(server))
		return;
	server->heard_mono_us = d->now_mono_us;
	health_fault(server, FAULT_SILENT, STR("no Response to an Originate in time"));
}

uint32_t health_room(const struct server *server)
{
	return pace_limit(&server->pace, server->facts.allowed_active_calls);
}
