/* The world outside the segment: files of ids, and what follows from an id. */
#include "tests/shm/torture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

/* Eight bytes are in the file or not: a kill does not split them. */
void append(const struct torture *t, enum file file, uint64_t id)
{
	if (write(t->fd[file], &id, sizeof(id)) != sizeof(id))
		die("torture.disk", "why=%s", strerror(errno));
}

uint64_t file_count(const struct torture *t, enum file file)
{
	struct stat st;
	if (fstat(t->fd[file], &st) != 0)
		die("torture.disk", "why=%s", strerror(errno));
	return (uint64_t)st.st_size / sizeof(uint64_t);
}

uint64_t file_at(const struct torture *t, enum file file, uint64_t i)
{
	uint64_t id = 0;
	if (pread(t->fd[file], &id, sizeof(id), (off_t)(i * sizeof(id))) != sizeof(id))
		die("torture.disk", "why=short");
	return id;
}

uint64_t *file_load(const struct torture *t, enum file file, uint64_t from, uint64_t *n)
{
	*n = file_count(t, file) - from;
	size_t bytes = *n * sizeof(uint64_t);
	uint64_t *ids = malloc(bytes + 1);
	if (!ids ||
		pread(t->fd[file], ids, bytes, (off_t)(from * sizeof(uint64_t))) != (ssize_t)bytes)
		die("torture.disk", "why=\"cannot load a file\"");
	return ids;
}

void number_of(uint64_t id, char out[20])
{
	(void)snprintf(out, 20, "91%012" PRIu64, id % 1000000000000);
}

void client_of(uint64_t client_id, uint32_t version, struct shm_client *out)
{
	*out = (struct shm_client){
		.id = client_id, .weight = 1, .is_active = 1, .rate_limit = version};
	(void)snprintf(out->name, sizeof(out->name), "name %u", version);
	(void)snprintf(
		out->callbackurl, sizeof(out->callbackurl), "https://example.com/%u", version);
	(void)snprintf(out->region, sizeof(out->region), "%u", version % 1000);
}

bool client_is_whole(const struct shm_client *client)
{
	struct shm_client whole;
	client_of(client->id, client->rate_limit, &whole);
	whole.generation = client->generation;
	return memcmp(&whole, client, sizeof(whole)) == 0;
}

void nap_us(int64_t us)
{
	struct timespec pause = {us / US_PER_S, us % US_PER_S * 1000};
	(void)nanosleep(&pause, NULL);
}
