/* Descriptors over a socket pair: see handover.h. */
#include "fcgi/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base.h"

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr aligned;
};

bool handover_open(struct handover *handover, struct err *err)
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return fail(err, ERR_INTERNAL, "cannot make a socket pair: %s", strerror(errno));
	*handover = (struct handover){.put_fd = fds[0], .take_fd = fds[1]};
	return true;
}

bool handover_put(const struct handover *handover, int fd)
{
	union control control = {0};
	char byte = 0;
	struct iovec one = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &one,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return sendmsg(handover->put_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

int handover_take(const struct handover *handover)
{
	union control control = {0};
	char byte;
	int fd;
	struct iovec one = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &one,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};

	if (recvmsg(handover->take_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return -1;
	const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1; /* no descriptor was free for it; nginx sees it closed */
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}
