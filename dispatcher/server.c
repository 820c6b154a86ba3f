/* Asterisk servers: see server.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ami_action.h"
#include "dispatcher/ami_channel.h"
#include "dispatcher/call.h"
#include "dispatcher/call_id.h"
#include "dispatcher/failover.h"
#include "dispatcher/foreign.h"
#include "dispatcher/health.h"
#include "dispatcher/holder_link.h"
#include "dispatcher/hours.h"
#include "dispatcher/recording.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "shm/counters.h"
#include "shm/directory.h"
#include "shm/latency.h"

#include "common/base.h"

struct server *server_find(struct dispatcher *d, uint64_t id)
{
	struct server *server;
	HASH_FIND(hh, d->servers, &id, sizeof(id), server);
	return server;
}

bool server_is_up(const struct server *server)
{
	return server->access.is_sandbox ||
	       (server->conn && ami_conn_can_send(server->conn) && !server->probing);
}

bool server_takes_calls(const struct server *server)
{
	return server_is_up(server) && server->facts.status == SERVER_ACTIVE;
}

static enum shm_ami_state state_of(const struct server *server)
{
	enum shm_ami_state state = server->conn		       ? ami_conn_state(server->conn)
				   : server->access.is_sandbox ? AMI_UP
							       : AMI_DOWN;
	return state == AMI_UP && server->probing ? AMI_RESYNC : state;
}

struct ami_facts server_facts_now(const struct server *server)
{
	return (struct ami_facts){
		.state = server_is_up(server) ? AMI_UP : AMI_DOWN,
		.unanswered = server->unanswered,
		.armed = server->armed_n,
		.window = server_window(server),
	};
}

static void show_state(struct server *server)
{
	enum shm_ami_state state = state_of(server);
	if (atomic_load_explicit(&server->ami->state, memory_order_relaxed) != (uint32_t)state)
		atomic_store_explicit(
			&server->ami->since_us, server->d->now_us, memory_order_relaxed);
	atomic_store_explicit(&server->ami->state, state, memory_order_relaxed);
	atomic_store_explicit(&server->ami->unanswered, server->unanswered, memory_order_relaxed);
	atomic_store_explicit(&server->ami->armed, server->armed_n, memory_order_relaxed);
	atomic_store_explicit(&server->ami->window, server_window(server), memory_order_relaxed);
	if (server->conn)
		atomic_store_explicit(
			&server->ami->lag_us, ami_conn_lag_us(server->conn), memory_order_relaxed);
}

/* ---- calls of this server, after the connection has changed ---- */

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct ami_live *)a)->call_id, ((const struct ami_live *)b)->call_id);
}

static const struct ami_live *find_live(
	const struct ami_live *live, size_t n, const struct slot *slot)
{
	struct ami_live key = {0};
	call_id_of(slot->entry_id, slot->head->n, key.call_id);
	return n ? bsearch(&key, live, n, sizeof(*live), by_id) : NULL;
}

static bool is_on_server(const struct server *server, const struct slot *slot)
{
	return slot->server == server && slot_state(slot) >= CALL_SENT &&
	       slot_state(slot) != CALL_ENDED;
}

/* What its client wanted hung up, it still wants: the Hangup of another life, or of another connection, may be lost. */
static void remind(struct server *server, const struct slot *slot)
{
	if (slot->call->seen & SEEN_CALLED_OFF)
		server_hangup(server, slot, CAUSE_NORMAL);
}

/* The server's list decides: what is on it lives, what is not has ended while nobody looked. */
static void compare_calls(struct server *server, const struct ami_live *live, size_t n)
{
	enum { STATE_UP = 6 };
	struct dispatcher *d = server->d;
	struct call_cause cause = {.at_us = d->now_us};
	struct slot *slot, *next;
	size_t adopted = 0, gone = 0;

	HASH_ITER (hh, d->by_entry, slot, next) {
		if (!is_on_server(server, slot))
			continue;
		const struct ami_live *l = find_live(live, n, slot);
		if (l) {
			adopted++;
			slot->pressed = false; /* what it was told may be lost */
			(void)call_step(d, slot, EV_QUEUED, &cause);
			if (l->channel_state == STATE_UP)
				(void)call_step(d, slot, EV_ANSWERED, &cause);
			remind(server, slot);
		} else {
			gone++;
			call_gone(d, slot);
		}
	}
	counter_add(d->seg, COUNTER_adopted, adopted);
	log_info("ami.resync", "server=%s on_server=%zu adopted=%zu gone=%zu",
		server->facts.server_code, n, adopted, gone);
}

/* ---- what the connection tells ---- */

static void on_up(void *arg, const struct ami_live *live, size_t n)
{
	struct server *server = arg;
	struct ami_live *sorted = NULL;
	if (n) {
		sorted = calloc(n, sizeof(*sorted));
		if (!sorted)
			die("memory.exhausted", "channels=%zu", n);
		memcpy(sorted, live, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), by_id);
	}
	server->unanswered = 0;
	server->lost_us = 0;
	server->probing = false;
	health_reset(server);
	compare_calls(server, sorted, n);
	free(sorted);
	holder_keep(server->d->holder, server->id, ami_conn_fd(server->conn));
	log_info("ami.up", "server=%s host=%s port=%u tls=%d", server->facts.server_code,
		server->facts.host, server->facts.port, server->access.tls);
	show_state(server);
	sched_server_freed(server->d, server);
}

static void on_down(void *arg, const char *why)
{
	struct server *server = arg;
	struct dispatcher *d = server->d;
	if (!server->lost_us) {
		server->lost_us = d->now_us;
		holder_drop(d->holder, server->id);
	}
	server->probing = false;
	atomic_fetch_add_explicit(&server->ami->reconnects, 1, memory_order_relaxed);
	dir_server_error(server->row, why, d->now_us);
	show_state(server);
	int64_t next_ms = (ami_conn_deadline(server->conn) - d->now_mono_us) / US_PER_MS;
	log_warn("ami.lost",
		"server=%s live=%u next_try_ms=%lld why=%s do=\"live calls are compared on "
		"reconnect\"",
		server->facts.server_code,
		atomic_load_explicit(&server->usage->channels, memory_order_relaxed),
		(long long)MAX(next_ms, INT64_C(0)), log_q(why));
}

static void on_message(void *arg, const struct ami_message *msg)
{
	if (!foreign_take(arg, msg))
		call_message(arg, msg);
}

/* After a respawn on the same connection: every Originate written before has been answered by now, so one without a
 * Response, and without any other sign, was never written. A Hangup may not have been, either. */
static void on_probed(void *arg)
{
	struct server *server = arg;
	struct dispatcher *d = server->d;
	struct slot *slot, *next;
	HASH_ITER (hh, d->by_entry, slot, next) {
		if (!is_on_server(server, slot))
			continue;
		if (slot_state(slot) == CALL_SENT && !(slot->call->seen & SEEN_RESPONSE))
			(void)call_step(d, slot, EV_NEVER_WRITTEN,
				&(struct call_cause){.at_us = d->now_us});
		else
			remind(server, slot);
	}
	server->probing = false;
	log_info("ami.probed", "server=%s", server->facts.server_code);
	sched_server_freed(d, server);
}

static void on_timed(void *arg)
{
	server_set_deadline(arg);
}

void server_drained(void *arg)
{
	struct server *server = arg;
	sched_server_freed(server->d, server);
}

static const struct ami_conn_ops conn_ops = {.up = on_up,
	.down = on_down,
	.message = on_message,
	.probed = on_probed,
	.timed = on_timed,
	.drained = server_drained};

void server_start(struct dispatcher *d, struct server *server, int fd)
{
	const struct access *access = &server->access;
	struct ami_conn_conf conf = {
		.host = access->host,
		.port = (uint16_t)access->port,
		.user = access->user,
		.secret = access->secret,
		.md5 = access->md5,
		.tls_run_dir = access->tls ? d->conf->common_run_dir : NULL,
		.tls = access->trust,
		.ping_us = d->conf->dispatcher_ami_ping_ms * US_PER_MS,
		.timeout_us = d->conf->dispatcher_ami_timeout_ms * US_PER_MS,
		.backoff_max_us = d->conf->dispatcher_reconnect_max_ms * US_PER_MS,
	};
	struct err err;
	if (access->is_sandbox) { /* it has no connection, ever */
		d->sandbox = server;
		show_state(server);
		sched_server_freed(d, server);
		return;
	}
	server->lost_us = d->now_us;
	if (access->tls && !access->trust.verify)
		log_warn("ami.unverified",
			"server=%s do=\"anybody may answer in its place: set tls_ca and "
			"tls_verify\"",
			server->facts.server_code);
	server->conn = ami_conn_new(d->poll, &conf, &conn_ops, server, &err);
	if (!server->conn) {
		log_error("ami.impossible", "server=%s why=%s", server->facts.server_code,
			log_q(err.text));
		dir_server_error(server->row, err.text, d->now_us);
		show_state(server);
		return;
	}
	if (fd >= 0) {
		server->lost_us = 0;
		server->probing = true;
		ami_conn_adopt(server->conn, fd, d->now_mono_us);
	}
	server_set_deadline(server);
	show_state(server);
}

void server_stop(struct server *server)
{
	if (server->d->sandbox == server)
		server->d->sandbox = NULL;
	if (!server->conn)
		return;
	holder_drop(server->d->holder, server->id);
	ami_conn_free(server->conn);
	server->conn = NULL;
	server_set_deadline(server);
	show_state(server);
}

/* ---- writing ---- */

/* The template and its parts are checked when the server is stored, so a failure here means the number itself. */
static bool encode(
	struct server *server, const struct slot *slot, struct strbuf *out, struct err *err)
{
	const struct conf *conf = server->d->conf;
	const struct shm_call *call = slot->call;
	char id[AMI_CALL_ID_CHARS + 1], channel[AMI_CHANNEL_BYTES];
	char record[RECORDING_FILE_BYTES];
	struct ami_target target = {
		.number = str_of(call->number),
		.e164 = str_of(call->e164),
		.country_digits = call->plan.country_digits,
		.prefix = str_of(call->prefix),
		.endpoint = str_of(call->endpoint),
	};
	if (!ami_channel_expand(str_of(server->channel_template), &target, channel, err))
		return false;
	call_id_of(slot->entry_id, slot->head->n, id);
	struct ami_originate originate = {
		.call_id = str_of(id),
		.channel = str_of(channel),
		.context = str_of(call->context),
		.exten = str_of(call->extension),
		.caller_number = str_of(call->did),
		.account = str_of(slot->client ? slot->client->facts.accountcode : ""),
		.record = str_of(recording_file(server, slot, record)),
		.amd = call->seen & SEEN_AMD,
		.ring_ms = (uint32_t)conf->dispatcher_ring_seconds * 1000,
		/* Asterisk counts from the dial, ringing included. */
		.max_call_s = (uint32_t)(conf->dispatcher_ring_seconds +
					 conf->dispatcher_max_call_seconds),
	};
	return ami_originate(out, &originate, err);
}

static void measure(struct server *server, struct slot *slot)
{
	struct dispatcher *d = server->d;
	if (slot->committed_us)
		latency_add(d->seg, LATENCY_SUBMIT_TO_SENT, clock_wall_us() - slot->committed_us);
	if (slot->freed_mono_us)
		latency_add(d->seg, LATENCY_FREED_TO_SENT, clock_mono_us() - slot->freed_mono_us);
	slot->committed_us = slot->freed_mono_us = 0;
}

/* The state goes to SENT before the first byte leaves: whoever comes after us will not dial it again. */
static void write_one(struct server *server, struct slot *slot, struct strbuf *out)
{
	struct dispatcher *d = server->d;
	struct call_cause cause = {.at_us = clock_wall_us()};
	struct err err;

	DL_DELETE(server->armed, slot);
	server->armed_n--;
	strbuf_reset(out);
	slot->level = atomic_load_explicit(&server->usage->channels, memory_order_relaxed);
	bool encoded = server->access.is_sandbox || encode(server, slot, out, &err);
	(void)call_step(d, slot, EV_WRITE, &cause);
	if (!server->unanswered++)
		server->heard_mono_us = d->now_mono_us;
	if (server->access.is_sandbox) /* player_turn goes on */
		return;
	if (!encoded) {
		cause.refusal = str_of(err.text);
		(void)call_step(d, slot, EV_REFUSED, &cause);
		return;
	}
	if (!ami_conn_send(server->conn, strbuf_view(out))) { /* nothing of it is written */
		(void)call_step(d, slot, EV_NEVER_WRITTEN, &cause);
		return;
	}
	counter_add(d->seg, COUNTER_originates, 1);
	log_debug("call.written",
		"entry=%llu n=%u server=%s did=%s prefix=%s endpoint=%s context=%s extension=%s",
		(unsigned long long)slot->entry_id, slot->head->n, server->facts.server_code,
		log_number(slot->call->did), slot->call->prefix, slot->call->endpoint,
		slot->call->context, slot->call->extension);
	health_sent(server);
}

/* Gates that may have shut between the plan and now: the commit in between takes a fraction of a millisecond, a reconnect
 * of the server takes longer. */
static bool client_wants(struct dispatcher *d, const struct slot *slot)
{
	const struct client *c = slot->client;
	if (!c)
		return true;
	if (c->facts.halted)
		return false;
	if (slot->chunk && !terms_hold_at(slot->chunk->queue, d->now_us))
		return false;
	return d->now_us - slot->call->armed_us < PLAN_GOOD_US ||
	       (c->facts.is_active && c->facts.status == CLIENT_ACTIVE &&
		       c->facts.window_open_us <= d->now_us &&
		       d->now_us < c->facts.window_close_us && hours_of_slot(d, slot).is_open);
}

static bool is_away(const struct server *server)
{
	return server->lost_us && server->d->now_us - server->lost_us > PLAN_GOOD_US;
}

/* Takes an attempt back that its client does not want any more, or that its server will not get now: while it is paused, each
 * call on trial is planned anew, and while it is away another one may take it. */
static bool withdraw(struct server *server, struct slot *slot)
{
	struct dispatcher *d = server->d;
	bool stays = breaker_lets(&server->breaker, d->now_us) &&
		     !(is_away(server) && failover_has_other(d, slot));
	if (stays && client_wants(d, slot))
		return false;
	(void)call_step(d, slot, EV_TAKEN_BACK, &(struct call_cause){.at_us = d->now_us});
	return true;
}

static bool can_write(const struct server *server)
{
	return server_is_up(server) && server->unanswered < server_window(server) &&
	       breaker_lets(&server->breaker, server->d->now_us);
}

void server_write_armed(struct server *server)
{
	struct strbuf out = STRBUF_INIT;
	struct slot *slot, *next;
	if (!server->armed)
		return;
	DL_FOREACH_SAFE (server->armed, slot, next) {
		if (withdraw(server, slot) || !can_write(server))
			continue;
		write_one(server, slot, &out);
		if (slot_state(slot) == CALL_ARMED) /* no room to queue it */
			break;
		if (slot_state(slot) == CALL_SENT)
			measure(server, slot);
	}
	strbuf_free(&out);
	if (server->conn)
		ami_conn_flush(server->conn);
	server_set_deadline(server);
	show_state(server);
}

void server_answered(struct server *server)
{
	if (server->unanswered > 0)
		server->unanswered--;
	server->heard_mono_us = server->d->now_mono_us;
	sched_server_freed(server->d, server);
	atomic_store_explicit(&server->ami->unanswered, server->unanswered, memory_order_relaxed);
}

uint32_t server_window(const struct server *server)
{
	return server->breaker.state == BREAKER_CLOSED
		       ? (uint32_t)server->d->conf->dispatcher_ami_window
		       : 1;
}

void server_hangup(struct server *server, const struct slot *slot, uint32_t cause)
{
	struct strbuf out = STRBUF_INIT;
	struct err err;
	char id[AMI_CALL_ID_CHARS + 1];
	if (server->access.is_sandbox) /* player_turn sees it, too */
		return;
	call_id_of(slot->entry_id, slot->head->n, id);
	if (!ami_hangup(&out, str_of(id), cause, &err) ||
		!ami_conn_send(server->conn, strbuf_view(&out)))
		log_warn(
			"call.hangup_not_sent", "call=%s server=%s", id, server->facts.server_code);
	strbuf_free(&out);
	server_wants_flush(server);
}

/* ---- every turn ---- */

void server_tick(struct server *server)
{
	int64_t now_us = server->d->now_mono_us;
	health_tick(server);
	if (!server->conn || ami_conn_deadline(server->conn) > now_us)
		return;
	ami_conn_tick(server->conn, now_us);
	show_state(server);
}

void servers_show(struct dispatcher *d)
{
	for (struct server *s = d->servers; s; s = s->hh.next) {
		foreign_tick(s);
		show_state(s);
	}
}
