/* AMI sockets in memory: what is peeked stays until it is discarded, what is written arrives as a whole or not at all, and
 * both outlive a killed dispatcher where its holder keeps the descriptor. Instead of ami_sock.c, holder_link.c and bell.c. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "dispatcher/ami_action.h"
#include "dispatcher/ami_sock.h"
#include "dispatcher/call_id.h"
#include "dispatcher/holder_link.h"
#include "shm/bell.h"
#include "tests/sim/sim.h"

#include "common/base.h"

enum { WINDOW_FIRST = 16 * 1024, PORT_FIRST = 5000 };

struct wire {
	uint32_t server;
	bool in_child, in_holder; /* who has its descriptor */
	bool connecting, refused; /* until it stands, or does not */
	bool stands;		  /* the server has it, too */
	bool ended, reset;	  /* by the server */
	uint32_t watched;
	poll_fn *fn;
	void *arg;
	size_t lowat;
	struct strbuf in; /* not discarded yet */
	size_t in_at;
};

static struct wire wires[WIRES_MAX];
static uint32_t wires_n, wires_first; /* those before are over */

static struct wire *wire_of(int fd)
{
	if (fd < WIRE_FIRST_FD || (uint32_t)(fd - WIRE_FIRST_FD) >= wires_n)
		violated("descriptor %d is no socket of this world", fd);
	return &wires[fd - WIRE_FIRST_FD];
}

static uint32_t index_of(const struct wire *w)
{
	return (uint32_t)(w - wires);
}

static size_t unread(const struct wire *w)
{
	return w->in.n - w->in_at;
}

/* ---- readiness ---- */

void wires_watch(int fd, uint32_t events, poll_fn *fn, void *arg)
{
	struct wire *w = wire_of(fd);
	w->watched = events;
	if (fn) {
		w->fn = fn;
		w->arg = arg;
	}
}

static uint32_t ready(const struct wire *w)
{
	uint32_t events = 0;
	if (w->connecting || !w->in_child)
		return 0;
	if (w->watched & EPOLLOUT)
		events |= EPOLLOUT;
	if ((w->watched & EPOLLIN) && (unread(w) >= MAX(w->lowat, (size_t)1) || w->ended))
		events |= EPOLLIN | (w->ended ? EPOLLRDHUP : 0);
	return events;
}

bool wires_ready(void)
{
	while (wires_first < wires_n && !wires[wires_first].in_child &&
		!wires[wires_first].in_holder && !wires[wires_first].stands)
		wires_first++;
	for (uint32_t i = wires_first; i < wires_n; i++)
		if (ready(&wires[i]))
			return true;
	return false;
}

void wires_deliver(void)
{
	uint32_t n = wires_n;
	for (uint32_t i = wires_first; i < n; i++) {
		uint32_t events = ready(&wires[i]);
		if (events)
			wires[i].fn(wires[i].arg, events);
	}
}

/* ---- the server's side ---- */

void wire_to_ccs(uint32_t wire, const char *text, size_t n)
{
	struct wire *w = &wires[wire];
	if (w->stands)
		strbuf_add(&w->in, text, n);
}

void wire_close(uint32_t wire, bool reset)
{
	struct wire *w = &wires[wire];
	if (!w->stands)
		return;
	w->stands = false;
	w->ended = true;
	w->reset = reset;
	if (reset)
		w->in_at = w->in.n;
}

static void established(uint64_t wire, uint64_t unused)
{
	struct wire *w = &wires[wire];
	(void)unused;
	w->connecting = false;
	if (!w->in_child)
		return;
	w->stands = asterisk_listens(w->server);
	w->refused = !w->stands;
	if (w->stands)
		asterisk_connected(w->server, (uint32_t)wire);
}

/* ---- ami_sock.h ---- */

bool ami_sock_connect(
	struct ami_sock *sock, const struct sockaddr *address, socklen_t bytes, struct err *err)
{
	const struct sockaddr_in *in = (const void *)address;
	(void)bytes;
	if (wires_n == WIRES_MAX)
		return fail(err, ERR_BUSY, "no socket");
	struct wire *w = &wires[wires_n++];
	*w = (struct wire){.server = (uint32_t)ntohs(in->sin_port) - PORT_FIRST,
		.in_child = true,
		.connecting = true};
	sock->fd = WIRE_FIRST_FD + (int)index_of(w);
	sock->window = WINDOW_FIRST;
	timer_at(sim.now_us + dice_between(50, 3000), established, index_of(w), 0);
	return true;
}

bool ami_sock_connected(struct ami_sock *sock, struct err *err)
{
	return !wire_of(sock->fd)->refused || fail(err, ERR_BUSY, "no connection: refused");
}

void ami_sock_adopt(struct ami_sock *sock, int fd)
{
	sock->fd = fd;
	sock->window = WINDOW_FIRST;
	wire_of(fd)->lowat = 1;
}

uint32_t ami_sock_events(const struct ami_sock *sock)
{
	(void)sock;
	return EPOLLIN | EPOLLRDHUP;
}

static void hang_up(struct wire *w)
{
	if (w->stands)
		asterisk_gone(w->server, index_of(w));
	w->stands = false;
	w->ended = true;
	strbuf_free(&w->in);
	w->in_at = 0;
}

void ami_sock_close(struct ami_sock *sock)
{
	if (sock->fd >= 0) {
		struct wire *w = wire_of(sock->fd);
		w->in_child = false;
		w->watched = 0;
		hang_up(w);
	}
	strbuf_free(&sock->in);
	strbuf_free(&sock->out);
	*sock = AMI_SOCK_NONE;
}

enum ami_peek ami_sock_peek(struct ami_sock *sock, struct str *seen, struct err *err)
{
	struct wire *w = wire_of(sock->fd);
	if (unread(w) == 0 && w->reset) {
		(void)fail(err, ERR_BUSY, "connection lost: reset");
		return AMI_PEEK_FAILED;
	}
	if (unread(w) == 0)
		return w->ended ? AMI_PEEK_END : AMI_PEEK_NONE;
	size_t n = MIN(unread(w), sock->window);
	strbuf_reset(&sock->in);
	strbuf_add(&sock->in, w->in.p + w->in_at, n);
	*seen = strbuf_view(&sock->in);
	return n == sock->window ? AMI_PEEK_FULL : AMI_PEEK_SOME;
}

bool ami_sock_widen(struct ami_sock *sock)
{
	sock->window *= 2;
	return true;
}

bool ami_sock_discard(struct ami_sock *sock, size_t n, struct err *err)
{
	struct wire *w = wire_of(sock->fd);
	(void)err;
	crash_point();
	w->in_at += n;
	if (w->in_at == w->in.n) {
		strbuf_reset(&w->in);
		w->in_at = 0;
	}
	crash_point();
	return true;
}

void ami_sock_expect_more(struct ami_sock *sock, size_t n)
{
	wire_of(sock->fd)->lowat = n + 1;
}

/* ---- writing ---- */

struct flying { /* bytes on their way to a server */
	char *text;
	size_t n;
};

static void arrived(uint64_t wire, uint64_t bytes)
{
	struct wire *w = &wires[wire];
	struct flying *f = (struct flying *)(uintptr_t)bytes;
	asterisk_take(w->server, (uint32_t)wire, w->stands, (struct str){f->text, f->n});
	free(f->text);
	free(f);
}

/* Tells the rules of each Originate among what is written. */
static void tell_written(uint32_t server, struct str text)
{
	static const char head[] = "Action: Originate\r\nActionID: ";
	const char *at = text.p, *end = text.p + text.n;
	while ((at = memmem(at, (size_t)(end - at), head, sizeof(head) - 1))) {
		uint64_t entry;
		uint32_t n;
		at += sizeof(head) - 1;
		if (!call_id_parse((struct str){at, AMI_CALL_ID_CHARS}, &entry, &n))
			violated("an Originate without a call's id");
		rules_written(entry, n, server);
	}
}

enum ami_sent ami_sock_send(struct ami_sock *sock, struct err *err)
{
	struct wire *w = wire_of(sock->fd);
	crash_point();
	if (w->ended) {
		(void)fail(err, ERR_BUSY, "connection lost: broken pipe");
		return AMI_SENT_BROKEN;
	}
	if (!sim.calm && dice_chance(5))
		return AMI_SENT_NOTHING;
	struct flying *f = malloc(sizeof(*f));
	if (!f || !(f->text = malloc(sock->out.n)))
		die("memory.exhausted", "bytes=%zu", sock->out.n);
	memcpy(f->text, sock->out.p, sock->out.n);
	f->n = sock->out.n;
	tell_written(w->server, strbuf_view(&sock->out));
	timer_at(sim.now_us + 100, arrived, index_of(w), (uint64_t)(uintptr_t)f);
	strbuf_reset(&sock->out);
	crash_point();
	return AMI_SENT_ALL;
}

/* ---- holder_link.h: the holder is always there ---- */

void holder_keep(struct holder_link *link, uint64_t server_id, int fd)
{
	(void)link;
	(void)server_id;
	wire_of(fd)->in_holder = true;
}

void holder_drop(struct holder_link *link, uint64_t server_id)
{
	(void)link;
	for (uint32_t i = 0; i < wires_n; i++)
		if (sim.servers[wires[i].server].id == server_id)
			wires[i].in_holder = false;
}

void wires_end_life(bool holder, void (*give)(uint64_t server_id, int fd))
{
	for (uint32_t i = wires_first; i < wires_n; i++) {
		struct wire *w = &wires[i];
		w->in_child = false;
		w->watched = 0;
		if (holder)
			w->in_holder = false;
		if (!w->in_holder)
			hang_up(w);
	}
	for (uint32_t i = wires_first; i < wires_n; i++) {
		if (!wires[i].in_holder)
			continue;
		wires[i].in_child = true;
		give(sim.servers[wires[i].server].id, WIRE_FIRST_FD + (int)i);
	}
}

/* ---- bell.h: nobody sleeps here ---- */

void bell_ring(const struct bell *bell, struct shm_shared *shared)
{
	(void)bell;
	(void)shared;
}

void bell_arm(struct shm_shared *shared)
{
	(void)shared;
}

void bell_disarm(struct shm_shared *shared)
{
	(void)shared;
}
