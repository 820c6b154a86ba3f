/* The bell: see bell.h. */
#include "shm/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* mkfifo leaves out what the umask says; the group must be able to ring. */
static void share(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 0777) != 0660)
		(void)chmod(path, 0660);
}

bool bell_open(struct bell *bell, const char *run_dir, struct err *err)
{
	return bell_open_named(bell, run_dir, "bell", err);
}

bool bell_open_named(struct bell *bell, const char *run_dir, const char *name, struct err *err)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s", run_dir, name) >= (int)sizeof(path))
		return fail(err, ERR_INPUT, "common.run_dir is too long");
	if (mkfifo(path, 0660) != 0 && errno != EEXIST)
		return fail(err, ERR_BUSY, "cannot make the bell %s: %s", path, strerror(errno));
	share(path);
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(err, ERR_BUSY, "cannot open the bell %s: %s", path, strerror(errno));
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode)) {
		(void)close(fd);
		return fail(err, ERR_BUSY, "the bell %s is no FIFO: remove it", path);
	}
	bell->fd = fd;
	return true;
}

void bell_close(struct bell *bell)
{
	if (bell->fd >= 0)
		(void)close(bell->fd);
	bell->fd = -1;
}

/* Acquire-release exchanges of one word have an order: see bell.h. A load first would not have it.
 * */
void bell_ring(const struct bell *bell, struct shm_shared *shared)
{
	if (shared && !atomic_exchange_explicit(&shared->armed, 0, memory_order_acq_rel))
		return;
	/* EAGAIN: full of earlier bytes, so it is ringing. */
	ssize_t n = write(bell->fd, "", 1);
	(void)n;
}

void bell_arm(struct shm_shared *shared)
{
	(void)atomic_exchange_explicit(&shared->armed, 1, memory_order_acq_rel);
}

void bell_disarm(struct shm_shared *shared)
{
	(void)atomic_exchange_explicit(&shared->armed, 0, memory_order_acq_rel);
}

void bell_drain(const struct bell *bell)
{
	char bytes[512];
	while (read(bell->fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
}
