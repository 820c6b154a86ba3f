/* Listening sockets: see listen.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/listen.h"

#include "common/base.h"

/* A full queue of a Unix socket refuses at once (nginx: 502), it does not wait. The kernel caps this
 * at net.core.somaxconn. */
enum { BACKLOG = 4096, SOCKET_MODE = 0660 };

/* A POSIX lock: ends with this process, however that comes, and is not inherited by workers. */
static bool take_name(struct listener *listener, struct err *err)
{
	char path[POOL_LOCK_BYTES];
	pool_lock(path, listener->path);
	listener->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (listener->lock_fd < 0)
		return fail(err, ERR_INTERNAL, "cannot open %s: %s", path, strerror(errno));
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(listener->lock_fd, F_SETLK, &lock) < 0) {
		close(listener->lock_fd);
		return fail(err, ERR_CONFLICT, "another ccs-api serves %s", listener->path);
	}
	return true;
}

/* Bound and listening under another name first, then renamed over whatever is there. */
static bool bind_and_listen(struct listener *listener, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", listener->path);
	(void)unlink(address.sun_path);
	if (bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(
			err, ERR_INTERNAL, "cannot bind %s: %s", address.sun_path, strerror(errno));
	if (chmod(address.sun_path, SOCKET_MODE) == 0 && listen(listener->fd, BACKLOG) == 0 &&
		rename(address.sun_path, listener->path) == 0)
		return true;
	fail(err, ERR_INTERNAL, "cannot listen on %s: %s", listener->path, strerror(errno));
	(void)unlink(address.sun_path);
	return false;
}

bool listener_open(struct listener *listener, const char *run_dir, enum pool pool, struct err *err)
{
	if (!pool_socket(listener->path, sizeof(listener->path), run_dir, pool, err) ||
		!take_name(listener, err))
		return false;
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->fd < 0)
		return fail(err, ERR_INTERNAL, "cannot make a socket: %s", strerror(errno));
	if (bind_and_listen(listener, err))
		return true;
	close(listener->fd);
	close(listener->lock_fd);
	return false;
}

void listener_hide(const struct listener *listener)
{
	(void)unlink(listener->path);
}
