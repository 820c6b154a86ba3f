/* Requests to the TLS wire: see tls_link.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dispatcher/tls_link.h"

#include "common/base.h"

enum {
	BACKLOG = 4096,	     /* a server each: all of them may ask at once */
	SNDBUF = 256 * 1024, /* as an AMI socket's over TCP: ami_sock.c */
};

static bool make_address(const char *run_dir, struct sockaddr_un *address, struct err *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(address->sun_path, sizeof(address->sun_path), "%s/tls.sock", run_dir);
	return (n > 0 && (size_t)n < sizeof(address->sun_path)) ||
	       fail(err, ERR_INPUT, "common.run_dir is too long");
}

static bool bind_privately(int fd, const struct sockaddr_un *address)
{
	(void)unlink(address->sun_path);
	mode_t before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	int bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	(void)umask(before);
	return bound == 0;
}

bool tls_listen(const char *run_dir, int *fd, struct err *err)
{
	struct sockaddr_un address;

	if (!make_address(run_dir, &address, err))
		return false;
	int made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (made < 0 || !bind_privately(made, &address) || listen(made, BACKLOG) < 0) {
		(void)fail(err, ERR_INTERNAL, "%s: %s", address.sun_path, strerror(errno));
		if (made >= 0)
			close(made);
		return false;
	}
	*fd = made;
	return true;
}

void tls_unlisten(const char *run_dir)
{
	struct sockaddr_un address;

	if (make_address(run_dir, &address, NULL))
		(void)unlink(address.sun_path);
}

bool tls_ask(const char *run_dir, const struct tls_request *request, int *fd, struct err *err)
{
	struct sockaddr_un address;
	int sndbuf = SNDBUF;

	if (!make_address(run_dir, &address, err))
		return false;
	int made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (made < 0)
		return fail(err, ERR_BUSY, "no socket: %s", strerror(errno));
	(void)setsockopt(made, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (connect(made, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		send(made, request, sizeof(*request), MSG_NOSIGNAL) != sizeof(*request)) {
		(void)fail(err, ERR_BUSY, "TLS: no way to the process that speaks it: %s",
			strerror(errno));
		close(made);
		return false;
	}
	*fd = made;
	return true;
}

/* The verdict is written in one piece, so it is there as a whole or not at all. */
enum tls_heard tls_hear(int fd, struct err *err)
{
	struct tls_verdict verdict;
	ssize_t n = recv(fd, &verdict, sizeof(verdict), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return TLS_NOTHING_YET;
	if (n != (ssize_t)sizeof(verdict)) {
		(void)fail(err, ERR_BUSY, "TLS: the process that speaks it has ended");
		return TLS_REFUSED;
	}
	verdict.why[sizeof(verdict.why) - 1] = '\0';
	if (!*verdict.why)
		return TLS_SECURED;
	(void)fail(err, ERR_BUSY, "%s", verdict.why);
	return TLS_REFUSED;
}
