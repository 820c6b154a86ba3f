/* The least that a WebSocket broadcaster can do: what ccs-relay is measured against.
 *
 *   ws_bare SOCKET PUBLISH     every line that comes over PUBLISH goes to all subscribers of SOCKET
 *
 * Lines that one read has brought are framed once and go to each subscriber in one send. No credentials, no subscriptions,
 * no pings; a subscriber whose socket is full waits, and what it has not taken is kept in one piece for all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "common/log.h"
#include "common/strbuf.h"

#include "common/base.h"

enum { READ_BYTES = 1 << 16, SUBSCRIBERS_MAX = 65536 };

struct peer {
	int fd;
	bool open;     /* its handshake is answered */
	bool waits;    /* for its socket to take more */
	uint64_t sent; /* bytes of all that was ever framed */
};

static struct peer *peers[SUBSCRIBERS_MAX];
static int peers_n, epoll_fd, listen_fd, publish_fd, publisher_fd = -1;
static struct strbuf lines, frames; /* frames: those that somebody still lacks */
static uint64_t frames_begin;

static int listen_on(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 4096) < 0)
		die("bench.listen", "path=%s why=%s", path, log_q(strerror(errno)));
	return fd;
}

static void watch(int fd, uint32_t events, void *what, int how)
{
	struct epoll_event event = {.events = events, .data.ptr = what};
	if (epoll_ctl(epoll_fd, how, fd, &event) < 0)
		die("bench.watch", "why=%s", log_q(strerror(errno)));
}

static void answer(struct peer *peer, const char *request)
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[128], reply[256];
	uint8_t hash[EVP_MAX_MD_SIZE], base64[64];
	unsigned n = 0;
	const char *key = strcasestr(request, "Sec-WebSocket-Key: ");
	if (!key)
		die("bench.handshake", "request=%s", log_q(request));
	(void)snprintf(text, sizeof(text), "%.24s%s", key + 19, magic);
	(void)EVP_Digest(text, strlen(text), hash, &n, EVP_sha1(), NULL);
	(void)EVP_EncodeBlock(base64, hash, (int)n);
	int length = snprintf(reply, sizeof(reply),
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\n\r\n",
		(char *)base64);
	if (send(peer->fd, reply, (size_t)length, MSG_NOSIGNAL) != length)
		die("bench.handshake", "why=%s", log_q(strerror(errno)));
	peer->open = true;
	peer->sent = frames_begin + frames.n;
}

static void hear(struct peer *peer)
{
	char bytes[4096];
	ssize_t n = recv(peer->fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		(void)close(peer->fd);
		peer->open = false;
	} else if (n > 0 && !peer->open) {
		bytes[n] = '\0';
		answer(peer, bytes);
	}
}

static void tell(struct peer *peer)
{
	uint64_t end = frames_begin + frames.n;
	if (!peer->open || peer->sent == end)
		return;
	ssize_t n = send(peer->fd, frames.p + (peer->sent - frames_begin), end - peer->sent,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		peer->sent += (uint64_t)n;
	if (peer->waits == (peer->sent < end))
		return;
	peer->waits = !peer->waits;
	watch(peer->fd, EPOLLIN | (peer->waits ? EPOLLOUT : 0), peer, EPOLL_CTL_MOD);
}

static void tell_all(void)
{
	uint64_t least = frames_begin + frames.n;
	for (int i = 0; i < peers_n; i++) {
		tell(peers[i]);
		if (peers[i]->open)
			least = MIN(least, peers[i]->sent);
	}
	strbuf_consume(&frames, least - frames_begin);
	frames_begin = least;
}

static void frame(const char *line, size_t n)
{
	char head[4] = {(char)0x81, (char)n};
	size_t head_n = 2;
	if (n >= 126) {
		head[1] = 126;
		head[2] = (char)(n >> 8);
		head[3] = (char)n;
		head_n = 4;
	}
	strbuf_add(&frames, head, head_n);
	strbuf_add(&frames, line, n);
}

static void publish(void)
{
	ssize_t n = read(publisher_fd, strbuf_room(&lines, READ_BYTES), READ_BYTES);
	const char *at, *end;
	if (n <= 0)
		exit(EXIT_SUCCESS);
	lines.n += (size_t)n;
	for (at = lines.p; (end = memchr(at, '\n', lines.n - (size_t)(at - lines.p))); at = end + 1)
		frame(at, (size_t)(end - at));
	strbuf_consume(&lines, (size_t)(at - lines.p));
	tell_all();
}

static void take(int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	if (!peer || peers_n == SUBSCRIBERS_MAX)
		die("bench.full", "peers=%d", peers_n);
	peer->fd = fd;
	peers[peers_n++] = peer;
	watch(fd, EPOLLIN, peer, EPOLL_CTL_ADD);
}

static void on_event(const struct epoll_event *event)
{
	int fd;
	if (event->data.ptr == &listen_fd) {
		while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
			take(fd);
	} else if (event->data.ptr == &publish_fd) {
		publisher_fd = accept(publish_fd, NULL, NULL);
		watch(publisher_fd, EPOLLIN, &publisher_fd, EPOLL_CTL_ADD);
	} else if (event->data.ptr == &publisher_fd) {
		publish();
	} else if (event->events & EPOLLOUT) {
		tell(event->data.ptr);
	} else {
		hear(event->data.ptr);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct rlimit files;
	log_open("ws_bare", LOG_INFO);
	if (argc != 3)
		die("usage", "do=%s", log_q("see the head of tests/bench/ws_bare.c"));
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listen_fd = listen_on(argv[1]);
	publish_fd = listen_on(argv[2]);
	watch(listen_fd, EPOLLIN, &listen_fd, EPOLL_CTL_ADD);
	watch(publish_fd, EPOLLIN, &publish_fd, EPOLL_CTL_ADD);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, ARRAY_LEN(events), -1);
		for (int i = 0; i < n; i++)
			on_event(&events[i]);
	}
}
