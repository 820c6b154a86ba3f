/* Leaks a channel: adds one to the grants that a client is said to hold, in the dispatcher's own segment, as a bug of it
 * would. Writes where only the dispatcher may write, so it must be its user. Usage: leak NODE CLIENT_ID */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "shm/segment.h"

#include "common/base.h"

static const struct shm_client_row *row_of(const struct segment *seg, uint64_t client_id)
{
	uint32_t n;
	const struct shm_client_row *rows = seg_clients(seg, &n);
	for (uint32_t i = 0; i < n; i++)
		if (rows[i].row.used == ROW_USED && rows[i].data.id == client_id)
			return &rows[i];
	die("leak.no_client", "client=%llu", (unsigned long long)client_id);
}

int main(int argc, char **argv)
{
	struct segment seg;
	struct err err;
	uint64_t client_id;
	char path[128];

	if (argc != 3 || !str_to_u64(str_of(argv[2]), 1, UINT64_MAX, &client_id))
		die("leak.usage", "arguments=\"NODE CLIENT_ID\"");
	if (!segment_init(&seg, argv[1], &err) || !segment_attach_state(&seg, &err))
		die("leak.no_segment", "why=%s", log_q(err.text));
	const struct shm_client_row *row = row_of(&seg, client_id);
	size_t at = (size_t)((const uint8_t *)row - seg.map[SHM_STATE].base) +
		    offsetof(struct shm_client_row, usage.channels);
	(void)snprintf(path, sizeof(path), "/dev/shm/ccs-%s.state", argv[1]);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t *base =
		mmap(NULL, seg.map[SHM_STATE].bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || base == MAP_FAILED)
		die("leak.not_writable", "path=%s", path);
	atomic_fetch_add((_Atomic uint32_t *)(void *)(base + at), 1);
	return EXIT_SUCCESS;
}
