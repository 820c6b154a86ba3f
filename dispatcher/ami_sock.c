/* Peeked and whole-written sockets: see ami_sock.h. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dispatcher/ami_parse.h"
#include "dispatcher/ami_sock.h"

#include "common/base.h"

enum {
	WINDOW_FIRST = 16 * 1024,
	/* The kernel's accounting charges up to twice the bytes; half of what it grants by default
	 * (wmem_max, doubled) stays unused, so a write within ROOM is never cut. */
	SNDBUF = 256 * 1024,
	ROOM = 128 * 1024,
};

static bool failed(struct err *err, const char *what)
{
	return fail(err, ERR_BUSY, "%s: %s", what, strerror(errno));
}

bool ami_sock_connect(
	struct ami_sock *sock, const struct sockaddr *address, socklen_t bytes, struct err *err)
{
	int one = 1, sndbuf = SNDBUF;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed(err, "no socket");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (connect(fd, address, bytes) < 0 && errno != EINPROGRESS) {
		(void)failed(err, "no connection");
		close(fd);
		return false;
	}
	sock->fd = fd;
	sock->window = WINDOW_FIRST;
	return true;
}

/* The beginning of a message that stays in the receive buffer holds on to the whole segment it came
 * in, on loopback 64 KiB, and with the usual 128 KiB Linux then closes the window: for ever. A
 * low-water mark makes the kernel grow the buffer to twice that (tcp_rmem, not rmem_max, is the
 * limit), and it stays so when the mark is lowered again. */
static void prepare(struct ami_sock *sock)
{
	int mark = 2 * AMI_MESSAGE_MAX;

	if (sock->is_local)
		return;
	(void)setsockopt(sock->fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
	sock->lowat = mark;
	ami_sock_expect_more(sock, 0);
}

/* Where nobody listens on a port of the ephemeral range, the kernel may choose just that port as ours,
 * and TCP connects the socket to itself; it would then keep a returning Asterisk from its port. */
static bool is_own_echo(int fd)
{
	struct sockaddr_storage own = {0}, peer = {0};
	socklen_t own_bytes = sizeof(own), peer_bytes = sizeof(peer);

	return getsockname(fd, (struct sockaddr *)&own, &own_bytes) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) == 0 &&
	       own_bytes == peer_bytes && memcmp(&own, &peer, own_bytes) == 0;
}

bool ami_sock_connected(struct ami_sock *sock, struct err *err)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
		error = errno;
	if (!error && is_own_echo(sock->fd))
		error = ECONNREFUSED;
	errno = error;
	if (error)
		return failed(err, "no connection");
	prepare(sock);
	return true;
}

static bool is_unix_stream(int fd)
{
	int domain = 0;
	socklen_t bytes = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_UNIX;
}

void ami_sock_adopt(struct ami_sock *sock, int fd)
{
	sock->fd = fd;
	sock->window = WINDOW_FIRST;
	sock->is_local = is_unix_stream(fd);
	prepare(sock);
}

uint32_t ami_sock_events(const struct ami_sock *sock)
{
	return EPOLLIN | EPOLLRDHUP | (sock->is_local ? (uint32_t)EPOLLET : 0);
}

void ami_sock_close(struct ami_sock *sock)
{
	if (sock->fd >= 0) {
		(void)shutdown(sock->fd, SHUT_RDWR);
		close(sock->fd);
	}
	if (sock->out.p)
		explicit_bzero(sock->out.p, sock->out.cap); /* it may be a login */
	strbuf_free(&sock->in);
	strbuf_free(&sock->out);
	*sock = AMI_SOCK_NONE;
}

enum ami_peek ami_sock_peek(struct ami_sock *sock, struct str *seen, struct err *err)
{
	strbuf_reset(&sock->in);
	ssize_t n = recv(sock->fd, strbuf_room(&sock->in, sock->window), sock->window, MSG_PEEK);
	if (n == 0)
		return AMI_PEEK_END;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return AMI_PEEK_NONE;
	if (n < 0) {
		(void)failed(err, "connection lost");
		return AMI_PEEK_FAILED;
	}
	sock->in.n = (size_t)n;
	*seen = strbuf_view(&sock->in);
	return (size_t)n == sock->window ? AMI_PEEK_FULL : AMI_PEEK_SOME;
}

bool ami_sock_widen(struct ami_sock *sock)
{
	size_t most = sock->is_local ? AMI_LOCAL_MESSAGE_MAX : AMI_MESSAGE_MAX;
	bool may = sock->window < most;

	sock->window = MIN(2 * sock->window, most);
	return may;
}

/* MSG_TRUNC throws TCP's bytes away without copying them; a Unix stream's are copied to where they
 * were seen. */
bool ami_sock_discard(struct ami_sock *sock, size_t n, struct err *err)
{
	while (n > 0) {
		ssize_t taken = recv(sock->fd, sock->in.p, n, MSG_TRUNC);
		if (taken < 0 && errno == EINTR)
			continue;
		if (taken < 0)
			return failed(err, "connection lost");
		if (taken == 0)
			return fail(err, ERR_BUSY, "somebody else reads from this connection");
		n -= (size_t)taken;
	}
	return true;
}

void ami_sock_expect_more(struct ami_sock *sock, size_t n)
{
	int lowat = (int)n + 1;
	if (sock->is_local || lowat == sock->lowat)
		return;
	if (setsockopt(sock->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat)) == 0)
		sock->lowat = lowat;
}

static bool has_room(const struct ami_sock *sock)
{
	int unsent = 0; /* and unacknowledged; with what the kernel adds, in a Unix stream */
	return ioctl(sock->fd, SIOCOUTQ, &unsent) == 0 && (size_t)unsent + sock->out.n <= ROOM;
}

enum ami_sent ami_sock_send(struct ami_sock *sock, struct err *err)
{
	if (!has_room(sock))
		return AMI_SENT_NOTHING;
	ssize_t n = send(sock->fd, sock->out.p, sock->out.n, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return AMI_SENT_NOTHING;
	if (n < 0) {
		(void)failed(err, "connection lost");
		return AMI_SENT_BROKEN;
	}
	if ((size_t)n < sock->out.n) {
		(void)fail(
			err, ERR_BUSY, "connection given up: only a part of an action was written");
		return AMI_SENT_BROKEN;
	}
	explicit_bzero(sock->out.p, sock->out.n);
	strbuf_reset(&sock->out);
	return AMI_SENT_ALL;
}
