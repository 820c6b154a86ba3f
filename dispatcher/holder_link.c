/* Descriptors between holder and child: see holder_link.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "dispatcher/holder_link.h"

#include "common/base.h"

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool holder_send(int link_fd, const struct holder_message *message, int fd)
{
	struct holder_message copy = *message;
	struct iovec part = {&copy, sizeof(copy)};
	union control control = {0};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	ssize_t n;
	do {
		n = sendmsg(link_fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(copy);
}

bool holder_receive(int link_fd, struct holder_message *message, int *fd)
{
	struct iovec part = {message, sizeof(*message)};
	union control control = {0};
	struct msghdr msg = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n;

	*fd = -1;
	do {
		n = recvmsg(link_fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	if (n == (ssize_t)sizeof(*message))
		return true;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return false;
}

static void tell(struct holder_link *link, enum holder_word word, uint64_t server_id, int fd)
{
	struct holder_message message = {.word = word, .server_id = server_id};
	if (!holder_send(link->fd, &message, fd))
		log_warn("holder.deaf", "server_id=%llu why=%s do=\"a kill now means a reconnect\"",
			(unsigned long long)server_id, log_q(strerror(errno)));
}

void holder_keep(struct holder_link *link, uint64_t server_id, int fd)
{
	tell(link, HOLD_KEEP, server_id, fd);
}

void holder_drop(struct holder_link *link, uint64_t server_id)
{
	tell(link, HOLD_DROP, server_id, -1);
}
