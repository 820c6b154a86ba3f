/* Publishes events and counts how they arrive at many WebSocket subscribers.
 *
 *   ws_load relay CONF SUBSCRIBERS SECONDS WINDOW RATE    events go into the segment's ring, as the dispatcher's do;
 *                                                         subscribers connect to <run_dir>/relay.sock
 *   ws_load peer  SOCKET PUBLISH SUBSCRIBERS SECONDS WINDOW RATE    the same text goes as lines into the Unix socket
 *                                                         PUBLISH; subscribers connect to SOCKET
 *   ws_load storm CONF SUBSCRIBERS EVENTS                 all come back at once with resume_from, EVENTS behind
 *
 * Says "ready" when the segment is there, and waits for a line on stdin before it connects; when all are connected it says
 * "joined" and waits for another. Of relay and peer, every subscriber whose number ends in 9 never reads, if DEAF=1 is in
 * the environment. First RATE events a second: how late do they arrive? Then as many as go, with WINDOW events under way: event
 * i is published once event i - WINDOW has reached everybody who reads. Prints one line of JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "shm/bell.h"
#include "shm/directory.h"
#include "shm/envelope.h"
#include "shm/scope.h"
#include "shm/tenant.h"

#include "common/base.h"

enum {
	CLIENT_ID = 7,
	EVENTS_MAX = 1 << 20,
	READ_BYTES = 65536,
	LATENCIES = 1 << 22,
	BEAT_MS = 200
};

static const char PAYLOAD[] =
	"{\"call_id\":\"ccs-02e8000000040001\",\"batch_id\":12345,\"attempt\":1,\"is_final\":false,"
	"\"phone_number\":\"9876543210\",\"accountcode\":\"BENCH\",\"server_code\":\"ast1\","
	"\"did\":"
	"\"911140000001\",\"started_at\":\"2026-11-22T09:00:00.123Z\",\"answered_at\":null}";

struct subscriber {
	int fd;
	size_t have;
	uint8_t *bytes; /* of a frame that is not complete */
};

struct load {
	bool relay, deaf, storm;
	struct conf conf;
	struct segment seg;
	struct bell bell;
	uint64_t last_event;
	int publish_fd;
	char socket[108], key[TOKEN_KEY_CHARS + 1];
	int subscribers_n, readers_n, window;
	uint64_t behind; /* storm: events that all have missed */
	double seconds, rate;
	struct subscriber *subscribers;
	int epoll_fd;
	uint64_t published, completed, deliveries;
	uint32_t *reached;     /* by event: subscribers that have it */
	int64_t *published_us; /* by event */
	uint32_t *latencies;
	size_t latencies_n;
	bool measuring;
};

static struct load load;

/* ---- publishing ---- */

static void make_segment(void)
{
	struct err err;
	bool adopted;
	if (!segment_init(&load.seg, load.conf.common_node, &err) ||
		!segment_create_or_adopt(&load.seg, &load.conf, &adopted, &err) ||
		!bell_open_named(&load.bell, load.conf.common_run_dir, BELL_RELAY, &err))
		die("bench.segment", "why=%s", log_q(err.text));
	(void)segment_begin_epoch(&load.seg);
	token_new_key(load.key);
	struct shm_client client = {.id = CLIENT_ID, .is_active = 1, .accountcode = "BENCH"};
	struct shm_key key = {.digest = digest_of(str_of(load.key)),
		.id = 1,
		.client_id = CLIENT_ID,
		.scopes = SCOPE_READ};
	if (!tenant_generation(&load.seg, CLIENT_ID, &client.generation) ||
		!dir_put_key(&load.seg, &key) || !dir_put_client(&load.seg, &client))
		die("bench.segment", "why=%s", log_q("the directory is full"));
	segment_set_ready(&load.seg, true);
}

static void publish_in_ring(uint64_t seq, int64_t now_us)
{
	struct event event = {.type = EVENT_call_started,
		.client_id = CLIENT_ID,
		.seq = seq,
		.occurred_us = now_us,
		.payload = PAYLOAD,
		.payload_bytes = sizeof(PAYLOAD) - 1};
	if (!event_publish(&load.seg, &event, &load.last_event))
		die("bench.publish", "seq=%" PRIu64, seq);
}

static void publish_as_line(uint64_t seq, int64_t now_us)
{
	static struct strbuf line;
	static struct event_copy event;
	event.head = (struct shm_event){.client_id = CLIENT_ID,
		.seq = seq,
		.occurred_us = now_us,
		.type = EVENT_call_started,
		.payload = sizeof(PAYLOAD) - 1};
	memcpy(event.payload, PAYLOAD, sizeof(PAYLOAD));
	strbuf_reset(&line);
	event_envelope(&line, &event, seq - 1);
	strbuf_putc(&line, '\n');
	if (write(load.publish_fd, line.p, line.n) != (ssize_t)line.n)
		die("bench.publish", "why=%s", log_q(strerror(errno)));
}

static void publish(uint64_t n)
{
	int64_t now_us = clock_wall_us();
	for (uint64_t i = 0; i < n && load.published + 1 < EVENTS_MAX; i++) {
		uint64_t seq = ++load.published;
		load.published_us[seq] = clock_mono_us();
		if (load.relay)
			publish_in_ring(seq, now_us);
		else
			publish_as_line(seq, now_us);
	}
	if (load.relay && n)
		bell_ring(&load.bell, NULL);
}

/* ---- receiving ---- */

static void count(const uint8_t *text, size_t n)
{
	const uint8_t *at = memmem(text, MIN(n, (size_t)64), "\"seq\":", 6);
	if (!at || n < 6 || memcmp(text, "{\"id\":", 6) != 0)
		return;
	uint64_t seq = strtoull((const char *)at + 6, NULL, 10);
	if (seq == 0 || seq >= EVENTS_MAX)
		die("bench.event", "seq=%" PRIu64, seq);
	load.deliveries++;
	load.completed += ++load.reached[seq] == (uint32_t)load.readers_n;
	if (load.measuring && load.latencies_n < LATENCIES)
		load.latencies[load.latencies_n++] =
			(uint32_t)(clock_mono_us() - load.published_us[seq]);
}

static void take_frames(struct subscriber *s)
{
	size_t at = 0;
	while (s->have - at >= 4) {
		const uint8_t *head = s->bytes + at;
		size_t n = head[1], skip = 2;
		if (n == 126) {
			n = (size_t)head[2] << 8 | head[3];
			skip = 4;
		}
		if (s->have - at < skip + n)
			break;
		count(head + skip, n);
		at += skip + n;
	}
	memmove(s->bytes, s->bytes + at, s->have - at);
	s->have -= at;
}

static void receive(struct subscriber *s)
{
	ssize_t n = recv(s->fd, s->bytes + s->have, READ_BYTES - s->have, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("bench.receive", "why=%s", log_q(n ? strerror(errno) : "hung up"));
	if (n > 0) {
		s->have += (size_t)n;
		take_frames(s);
	}
}

/* What the relay believes is as fresh as the dispatcher that keeps it. */
static void beat(void)
{
	if (load.relay)
		segment_beat(&load.seg, clock_mono_us());
}

static void turn(int timeout_ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(load.epoll_fd, events, ARRAY_LEN(events), timeout_ms);
	for (int i = 0; i < n; i++)
		receive(events[i].data.ptr);
	beat();
}

/* ---- connecting ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("bench.connect", "path=%s why=%s", path, log_q(strerror(errno)));
	return fd;
}

/* A text frame under a mask of zeros. */
static void say(int fd, const char *text)
{
	uint8_t frame[6 + 125] = {0x81, (uint8_t)(0x80 | strlen(text))};
	size_t n = 6 + strlen(text);
	memcpy(frame + 6, text, n - 6);
	if (write(fd, frame, n) != (ssize_t)n)
		die("bench.subscribe", "why=%s", log_q(strerror(errno)));
}

/* What follows belongs to the next reading, if it is to be kept. */
static void wait_for(struct subscriber *s, const char *words, bool keep)
{
	uint8_t *found;
	while (!(found = memmem(s->bytes, s->have, words, strlen(words)))) {
		struct pollfd answer = {.fd = s->fd, .events = POLLIN};
		beat();
		if (poll(&answer, 1, BEAT_MS) == 0)
			continue;
		ssize_t n = read(s->fd, s->bytes + s->have, READ_BYTES - s->have);
		if (n <= 0)
			die("bench.handshake", "have=%s", log_q((char *)s->bytes));
		s->have += (size_t)n;
	}
	size_t used = keep ? (size_t)(found - s->bytes) + strlen(words) : s->have;
	s->have -= used;
	memmove(s->bytes, s->bytes + used, s->have);
}

static void ask(struct subscriber *s)
{
	char request[512];
	if (!s->bytes)
		s->bytes = calloc(1, READ_BYTES);
	s->fd = connect_to(load.socket);
	int n = snprintf(request, sizeof(request),
		"GET / HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: %s\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		"Sec-WebSocket-Version: 13\r\n\r\n",
		load.key);
	if (!s->bytes || write(s->fd, request, (size_t)n) != n)
		die("bench.join", "why=%s", log_q(strerror(errno)));
}

static void listen_to(struct subscriber *s)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
	if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, s->fd, &event) < 0)
		die("bench.join", "why=%s", log_q(strerror(errno)));
}

/* Until whoever runs us has looked at the server. */
static void stop_and_look(const char *word)
{
	int c;
	puts(word);
	(void)fflush(stdout);
	while ((c = getchar()) != '\n' && c != EOF)
		;
	beat();
}

static void shake_hands(struct subscriber *s, const char *subscription)
{
	beat();
	wait_for(s, "HTTP/1.1 101", true);
	wait_for(s, "\r\n\r\n", true);
	if (load.relay)
		say(s->fd, subscription);
}

/* One after the other. */
static void join_all(void)
{
	for (int i = 0; i < load.subscribers_n; i++) {
		struct subscriber *s = &load.subscribers[i];
		bool reads = !load.deaf || i % 10 != 9;
		ask(s);
		shake_hands(s, "{\"type\":\"subscribe\",\"events\":[\"call_started\"]}");
		if (load.relay)
			wait_for(s, "subscribed", false);
		load.readers_n += reads;
		if (reads)
			listen_to(s);
	}
}

/* All at once: each asks before the first is answered. */
static void come_back(void)
{
	for (int i = 0; i < load.subscribers_n; i++) {
		beat();
		ask(&load.subscribers[i]);
	}
	for (int i = 0; i < load.subscribers_n; i++) {
		shake_hands(&load.subscribers[i],
			"{\"type\":\"subscribe\",\"events\":[\"call_started\"],\"resume_from\":0}");
		listen_to(&load.subscribers[i]);
	}
}

/* ---- the two phases ---- */

static void drain(void)
{
	int64_t until = clock_mono_us() + 5 * US_PER_S;
	while (load.completed < load.published && clock_mono_us() < until)
		turn(100);
	if (load.completed < load.published)
		die("bench.lost", "published=%" PRIu64 " completed=%" PRIu64, load.published,
			load.completed);
}

static void at_a_rate(void)
{
	int64_t began = clock_mono_us(), now;
	load.measuring = true;
	while ((now = clock_mono_us()) - began < (int64_t)(load.seconds * 1e6)) {
		uint64_t due = (uint64_t)((double)(now - began) * load.rate / 1e6);
		if (due > load.published)
			publish(due - load.published);
		turn(1);
	}
	drain();
	load.measuring = false;
}

static double at_full_speed(void)
{
	int64_t began = clock_mono_us(), now;
	uint64_t before = load.deliveries;
	while ((now = clock_mono_us()) - began < (int64_t)(load.seconds * 1e6)) {
		publish(load.completed + (uint64_t)load.window - load.published);
		turn(100);
	}
	double rate = (double)(load.deliveries - before) * 1e6 / (double)(now - began);
	drain();
	return rate;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static uint32_t percentile(double q)
{
	return load.latencies_n ? load.latencies[(size_t)((double)(load.latencies_n - 1) * q)] : 0;
}

/* Hang up, miss something, come back. */
static void storm(void)
{
	for (int i = 0; i < load.subscribers_n; i++)
		(void)close(load.subscribers[i].fd);
	publish(load.behind);
	int64_t began = clock_mono_us();
	come_back();
	int64_t joined = clock_mono_us();
	while (load.deliveries < load.behind * (uint64_t)load.subscribers_n)
		turn(100);
	printf("{\"deliveries\": %" PRIu64 ", \"joined_ms\": %" PRId64
	       ", \"caught_up_ms\": %" PRId64 "}\n",
		load.deliveries, (joined - began) / US_PER_MS,
		(clock_mono_us() - began) / US_PER_MS);
	(void)fflush(stdout);
	(void)getchar();
}

static void run(void)
{
	load.subscribers = calloc((size_t)load.subscribers_n, sizeof(*load.subscribers));
	load.reached = calloc(EVENTS_MAX, sizeof(*load.reached));
	load.published_us = calloc(EVENTS_MAX, sizeof(*load.published_us));
	load.latencies = calloc(LATENCIES, sizeof(*load.latencies));
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!load.subscribers || !load.reached || !load.published_us || !load.latencies)
		die("memory.exhausted", "subscribers=%d", load.subscribers_n);
	join_all();
	stop_and_look("joined");
	if (load.storm) {
		storm();
		return;
	}
	at_a_rate();
	qsort(load.latencies, load.latencies_n, sizeof(*load.latencies), by_value);
	double rate = at_full_speed();
	printf("{\"deliveries_s\": %.0f, \"deliveries\": %" PRIu64
	       ", \"p50_us\": %u, \"p99_us\": %u}\n",
		rate, load.deliveries, percentile(0.5), percentile(0.99));
	(void)fflush(stdout);
	(void)getchar(); /* until the reader has looked at the server */
}

static void read_numbers(char **words)
{
	load.subscribers_n = (int)strtol(words[0], NULL, 10);
	load.seconds = strtod(words[1], NULL);
	load.window = (int)strtol(words[2], NULL, 10);
	load.rate = strtod(words[3], NULL);
}

int main(int argc, char **argv)
{
	struct err err;
	struct rlimit files;
	log_open("ws_load", LOG_INFO);
	load.storm = argc == 5 && strcmp(argv[1], "storm") == 0;
	if (!load.storm && argc != 7 && argc != 8)
		die("usage", "do=%s", log_q("see the head of tests/bench/ws_load.c"));
	load.relay = argc != 8;
	load.deaf = getenv("DEAF") != NULL;
	if (load.storm) {
		load.subscribers_n = (int)strtol(argv[3], NULL, 10);
		load.behind = strtoull(argv[4], NULL, 10);
	} else {
		read_numbers(&argv[argc - 4]);
	}
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (load.relay) {
		if (!conf_load(&load.conf, argv[2], &err))
			die("bench.conf", "why=%s", log_q(err.text));
		make_segment();
		(void)snprintf(load.socket, sizeof(load.socket), "%.90s/relay.sock",
			load.conf.common_run_dir);
	} else {
		(void)snprintf(load.socket, sizeof(load.socket), "%s", argv[2]);
	}
	stop_and_look("ready");
	if (!load.relay)
		load.publish_fd = connect_to(argv[3]);
	run();
	if (load.relay)
		segment_remove(&load.seg);
	return EXIT_SUCCESS;
}
