/* How many calls a second does an Asterisk make? A bare generator keeps so many Originates under way on one connection, each
 * until its OriginateResponse and its Hangup have come, and looks at nothing else. Prints a line of JSON.
 *
 * bench_ami PORT USER CHANNEL CONTEXT EXTEN CALLS WINDOW     the secret in CCS_BENCH_SECRET; %u in CHANNEL: the number
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "tests/bench/bench_number.h"

#include "common/base.h"

enum { FIRST_NUMBER = 90200000, ID_DIGITS = 8 };

struct call {
	bool responded, hung_up;
};

struct generator {
	int fd;
	const char *channel, *context, *exten;
	uint32_t calls, window;
	uint32_t begun, over;
	struct call *of;
	struct strbuf in, out;
};

static void send_out(struct generator *g)
{
	for (size_t sent = 0; sent < g->out.n;) {
		ssize_t n = write(g->fd, g->out.p + sent, g->out.n - sent);
		if (n <= 0)
			die("bench.lost", "what=write");
		sent += (size_t)n;
	}
	strbuf_reset(&g->out);
}

static void begin(struct generator *g)
{
	uint32_t i = g->begun++;
	const char *at = strstr(g->channel, "%u");
	strbuf_printf(&g->out,
		"Action: Originate\r\nActionID: bench-%0*u\r\nChannelId: bench-%0*u\r\n"
		"Channel: %.*s%u%02u%s\r\nContext: %s\r\nExten: %s\r\nPriority: 1\r\nTimeout: "
		"8000\r\n"
		"Async: true\r\n\r\n",
		ID_DIGITS, i, ID_DIGITS, i, (int)(at - g->channel), g->channel,
		FIRST_NUMBER + i / 100, i % 100, at + 2, g->context, g->exten);
}

/* The call that a header of the message names; NULL: none of ours. */
static struct call *call_of(struct generator *g, const char *message, const char *header)
{
	const char *at = strstr(message, header);
	if (!at || strncmp(at + strlen(header), "bench-", 6) != 0)
		return NULL;
	unsigned long i = strtoul(at + strlen(header) + 6, NULL, 10);
	return i < g->begun ? &g->of[i] : NULL;
}

static void take(struct generator *g, const char *message)
{
	struct call *call = NULL;
	bool was_over;
	if (strncmp(message, "Event: OriginateResponse\r\n", 26) == 0) {
		call = call_of(g, message, "\r\nActionID: ");
		was_over = call && call->responded && call->hung_up;
		if (call)
			call->responded = true;
	} else if (strncmp(message, "Event: Hangup\r\n", 15) == 0) {
		call = call_of(g, message, "\r\nUniqueid: ");
		was_over = call && call->responded && call->hung_up;
		if (call)
			call->hung_up = true;
	}
	if (call && call->responded && call->hung_up && !was_over)
		g->over++;
}

/* Whole messages of what has arrived. */
static void receive(struct generator *g)
{
	enum { PIECE = 65536 };
	ssize_t n = read(g->fd, strbuf_room(&g->in, PIECE), PIECE - 1);
	if (n <= 0)
		die("bench.lost", "what=read");
	g->in.n += (size_t)n;
	g->in.p[g->in.n] = '\0';
	char *message = g->in.p, *end;
	while ((end = strstr(message, "\r\n\r\n"))) {
		end[2] = '\0';
		take(g, message);
		message = end + 4;
	}
	size_t left = g->in.n - (size_t)(message - g->in.p);
	memmove(g->in.p, message, left);
	g->in.n = left;
}

static void log_in(struct generator *g, uint16_t port, const char *user)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *secret = getenv("CCS_BENCH_SECRET");
	char answer[4096] = "";
	size_t n = 0;
	g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(g->fd, (struct sockaddr *)&address, sizeof(address)) != 0 || !secret)
		die("bench.refused", "port=%u", port);
	strbuf_printf(&g->out,
		"Action: Login\r\nActionID: login\r\nUsername: %s\r\nSecret: %s\r\nEvents: "
		"call\r\n\r\n",
		user, secret);
	send_out(g);
	while (!strstr(answer, "ActionID: login") && n < sizeof(answer) - 1) {
		ssize_t got = read(g->fd, answer + n, sizeof(answer) - 1 - n);
		if (got <= 0)
			die("bench.lost", "what=login");
		n += (size_t)got;
	}
	if (!strstr(answer, "Response: Success"))
		die("bench.refused", "what=login");
}

int main(int argc, char **argv)
{
	if (argc != 8 || !strstr(argv[3], "%u"))
		die("bench.usage", "why=\"seven arguments: see bench_ami.c\"");
	struct generator g = {.channel = argv[3],
		.context = argv[4],
		.exten = argv[5],
		.calls = bench_number(argv[6], 10000000),
		.window = bench_number(argv[7], 100000)};
	g.of = calloc(g.calls, sizeof(*g.of));
	if (!g.of)
		die("memory.exhausted", "calls=%u", g.calls);
	log_in(&g, (uint16_t)bench_number(argv[1], UINT16_MAX), argv[2]);
	int64_t began_us = clock_mono_us();
	while (g.over < g.calls) {
		while (g.begun < g.calls && g.begun - g.over < g.window)
			begin(&g);
		if (g.out.n)
			send_out(&g);
		receive(&g);
	}
	(void)printf("{\"calls\":%u,\"seconds\":%.3f}\n", g.calls,
		(double)(clock_mono_us() - began_us) / US_PER_S);
	free(g.of);
	strbuf_free(&g.in);
	strbuf_free(&g.out);
	return 0;
}
