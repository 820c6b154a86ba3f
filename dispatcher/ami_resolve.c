/* Names of servers: see ami_resolve.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dispatcher/ami_resolve.h"

#include "common/base.h"

struct answer {
	int error; /* of getaddrinfo */
	struct ami_addresses addresses;
};
_Static_assert(sizeof(struct answer) <= PIPE_BUF, "written and read in one piece");

static void ask(const char *host, uint16_t port, int flags, struct answer *answer)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char service[8];

	(void)snprintf(service, sizeof(service), "%u", (unsigned)port);
	answer->error = getaddrinfo(host, service, &hints, &list);
	answer->addresses.n = 0;
	for (struct addrinfo *a = list; a && answer->addresses.n < AMI_ADDRESSES_MAX;
		a = a->ai_next) {
		size_t i = answer->addresses.n++;
		memcpy(&answer->addresses.at[i].sa, a->ai_addr, a->ai_addrlen);
		answer->addresses.at[i].bytes = a->ai_addrlen;
	}
	if (list)
		freeaddrinfo(list);
}

bool ami_numeric(const char *host, uint16_t port, struct ami_addresses *out)
{
	struct answer answer;
	ask(host, port, AI_NUMERICHOST, &answer);
	if (answer.error || answer.addresses.n == 0)
		return false;
	*out = answer.addresses;
	return true;
}

/* The child: holds on to nothing of its parent's, so that no socket outlives its owner because of a
 * slow name server. */
__attribute__((noreturn)) static void child(const char *host, uint16_t port, int out)
{
	struct answer answer = {.error = 0};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(1);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	ask(host, port, 0, &answer);
	_exit(write(STDOUT_FILENO, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

bool ami_lookup_start(struct ami_lookup *lookup, const char *host, uint16_t port, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(err, ERR_INTERNAL, "cannot look up %s: %s", host, strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		child(host, port, fds[1]);
	int saved = errno;
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return fail(err, ERR_INTERNAL, "cannot look up %s: %s", host, strerror(saved));
	}
	*lookup = (struct ami_lookup){.fd = fds[0], .pid = pid};
	return true;
}

/* The child is dead or about to end: this wait is over at once. */
static void end(struct ami_lookup *lookup)
{
	while (waitpid(lookup->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(lookup->fd);
	*lookup = AMI_LOOKUP_NONE;
}

bool ami_lookup_finish(struct ami_lookup *lookup, struct ami_addresses *out, struct err *err)
{
	struct answer answer;
	bool whole = read(lookup->fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer);

	end(lookup);
	if (!whole)
		return fail(err, ERR_INTERNAL, "the look-up of the host's name was interrupted");
	if (answer.error)
		return fail(err, ERR_BUSY, "host name: %s", gai_strerror(answer.error));
	if (answer.addresses.n == 0)
		return fail(err, ERR_BUSY, "host name: it has no address");
	*out = answer.addresses;
	return true;
}

void ami_lookup_cancel(struct ami_lookup *lookup)
{
	if (lookup->fd < 0)
		return;
	kill(lookup->pid, SIGKILL);
	end(lookup);
}
