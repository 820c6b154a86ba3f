/* POSIX objects: see object.h. */
#include "shm/object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

/* Where glibc keeps POSIX shared memory. O_TMPFILE and linkat need the folder itself. */
#define SHM_FOLDER "/dev/shm"

static const struct {
	char marker[8]; /* the header's shape is part of its meaning: count up when it changes */
	const char *suffix;
	mode_t mode;
} objects[SHM_OBJECT__N] = {
	[SHM_IN] = {"CCSIN01", "in", 0660},
	[SHM_STATE] = {"CCSST01", "state", 0640},
	[SHM_EV] = {"CCSEV01", "ev", 0640},
};

static const struct {
	enum shm_object object;
	size_t size; /* of a row */
} tables[SHM_TABLE__N] = {
#define TABLE(object, name, type, rows) {SHM_##object, sizeof(type)},
#include "shm/tables.def"
#undef TABLE
};

void segment_name(const char *node, enum shm_object object, char out[SEGMENT_NAME_BYTES])
{
	(void)snprintf(out, SEGMENT_NAME_BYTES, "/ccs-%s.%s", node, objects[object].suffix);
}

/* Room for n rows by hash: a power of two, at most two thirds full. */
static uint64_t hash_rows(int64_t n)
{
	uint64_t rows = 16;
	while (rows < (uint64_t)n + (uint64_t)n / 2)
		rows *= 2;
	return rows;
}

void object_rows(const struct conf *conf, uint64_t rows[SHM_TABLE__N])
{
#define TABLE(object, name, type, count) rows[SHM_TABLE_##name] = (uint64_t)(count);
#include "shm/tables.def"
#undef TABLE
}

static size_t line_up(size_t bytes)
{
	return (bytes + SHM_CACHE_LINE - 1) / SHM_CACHE_LINE * SHM_CACHE_LINE;
}

static void read_boot_id(uint8_t out[16])
{
	memset(out, 0, 16);
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	size_t digits = 0;
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		const char *hex = "0123456789abcdef", *at = text[i] ? strchr(hex, text[i]) : NULL;
		if (!at)
			continue;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | (at - hex));
		digits++;
	}
}

/* Bytes of an object with these rows, which stand in counts in the order of its tables. 0 when a
 * count is absurd. */
static size_t object_bytes(enum shm_object which, const uint64_t counts[SHM_TABLES_MAX])
{
	size_t bytes = line_up(sizeof(struct shm_header));
	uint32_t at = 0;
	for (uint32_t t = 0; t < SHM_TABLE__N; t++) {
		if (tables[t].object != which)
			continue;
		uint64_t rows = counts[at++];
		if (rows == 0 || rows > UINT32_MAX)
			return 0;
		bytes = line_up(bytes + rows * tables[t].size);
	}
	return bytes;
}

enum shm_object object_of_table(enum shm_table table)
{
	return tables[table].object;
}

void object_tables(struct segment *seg, enum shm_object which)
{
	const struct segment_map *map = &seg->map[which];
	size_t offset = line_up(sizeof(struct shm_header));
	uint32_t at = 0;
	for (uint32_t t = 0; t < SHM_TABLE__N; t++) {
		if (tables[t].object != which)
			continue;
		uint32_t rows = map->base ? (uint32_t)map->counts[at++] : 0;
		seg->table[t] = (struct segment_table){map->base ? map->base + offset : NULL, rows};
		offset = line_up(offset + rows * tables[t].size);
	}
}

void object_unmap(struct segment_map *map)
{
	if (map->base)
		(void)munmap(map->base, map->bytes);
	if (map->fd >= 0)
		(void)close(map->fd);
	map->base = NULL;
	map->fd = -1;
}

bool object_named(const char *node, enum shm_object which, dev_t *dev, ino_t *ino)
{
	char name[SEGMENT_NAME_BYTES], path[SEGMENT_NAME_BYTES + sizeof(SHM_FOLDER)];
	segment_name(node, which, name);
	(void)snprintf(path, sizeof(path), SHM_FOLDER "%s", name);
	struct stat st;
	if (stat(path, &st) != 0)
		return false;
	*dev = st.st_dev;
	*ino = st.st_ino;
	return true;
}

/* The header is copied once, then judged: in .in anybody in the group can change it under us. */
static enum object_result judge(
	enum shm_object which, struct segment_map *map, const char *name, struct err *err)
{
	struct shm_header header;
	memcpy(&header, map->base, sizeof(header));
	uint8_t boot_id[16];
	read_boot_id(boot_id);
	enum object_result result = OBJECT_UNFIT;
	if (memcmp(header.marker, objects[which].marker, sizeof(header.marker)) != 0) {
		fail(err, ERR_BUSY, "%s has marker \"%.7s\", this program needs \"%.7s\"", name,
			header.marker, objects[which].marker);
	} else if (memcmp(header.boot_id, boot_id, sizeof(boot_id)) != 0) {
		fail(err, ERR_BUSY, "%s is of an earlier boot", name);
		result = OBJECT_OVER;
	} else if (header.state != SHM_READY) {
		fail(err, ERR_BUSY, "%s is retired", name);
		result = OBJECT_OVER;
	} else if (header.layout_hash != shm_layout_hash()) {
		fail(err, ERR_BUSY,
			"%s has layout %016" PRIx64 ", this program has %016" PRIx64
			": restart all of ccs in one version",
			name, header.layout_hash, shm_layout_hash());
	} else if (header.bytes != map->bytes || object_bytes(which, header.counts) != map->bytes) {
		fail(err, ERR_BUSY, "%s is damaged: its header does not fit its size", name);
	} else {
		map->created_us = header.created_us;
		memcpy(map->counts, header.counts, sizeof(map->counts));
		result = OBJECT_OK;
	}
	return result;
}

static enum object_result failed(struct err *err, const char *what, const char *name)
{
	fail(err, ERR_BUSY, "cannot %s %s: %s", what, name, strerror(errno));
	return OBJECT_FAILED;
}

/* Maps what map->fd leads to. */
static enum object_result map_fd(enum shm_object which, const char *name, bool writable,
	struct segment_map *map, struct err *err)
{
	struct stat st;
	if (fstat(map->fd, &st) != 0)
		return failed(err, "examine", name);
	map->dev = st.st_dev;
	map->ino = st.st_ino;
	map->bytes = (size_t)st.st_size;
	map->writable = writable;
	if (map->bytes < sizeof(struct shm_header)) {
		fail(err, ERR_BUSY, "%s is damaged: %zu bytes", name, map->bytes);
		return OBJECT_UNFIT;
	}
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	void *base = mmap(NULL, map->bytes, protection, MAP_SHARED, map->fd, 0);
	if (base == MAP_FAILED)
		return failed(err, "map", name);
	map->base = base;
	enum object_result result = judge(which, map, name, err);
	if (result != OBJECT_OK) {
		(void)munmap(base, map->bytes);
		map->base = NULL;
	}
	return result;
}

enum object_result object_open(const char *node, enum shm_object which, bool writable,
	struct segment_map *map, struct err *err)
{
	char name[SEGMENT_NAME_BYTES];
	segment_name(node, which, name);
	map->base = NULL;
	map->fd = shm_open(name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
	if (map->fd < 0) {
		bool absent = errno == ENOENT;
		enum object_result result = failed(err, "open", name);
		return absent ? OBJECT_ABSENT : result;
	}
	enum object_result result = map_fd(which, name, writable, map, err);
	if (result == OBJECT_FAILED)
		object_unmap(map);
	return result;
}

/* Pages are taken now: a full /dev/shm is an error message here and a SIGBUS later. */
static bool allocate(int fd, enum shm_object which, size_t bytes, struct err *err)
{
	if (fchmod(fd, objects[which].mode) != 0)
		return fail(err, ERR_BUSY, "cannot set the mode of a shared object: %s",
			strerror(errno));
	int error = posix_fallocate(fd, 0, (off_t)bytes);
	if (error != 0)
		return fail(err, ERR_BUSY,
			"the segment's .%s needs %zu kB in " SHM_FOLDER
			": %s; enlarge it or lower the "
			"[segment] options",
			objects[which].suffix, bytes / 1024, strerror(error));
	return true;
}

static void write_header(enum shm_object which, const uint64_t counts[SHM_TABLES_MAX], size_t bytes,
	struct segment_map *map)
{
	struct shm_header *header = object_header(map);
	memcpy(header->marker, objects[which].marker, sizeof(header->marker));
	header->layout_hash = shm_layout_hash();
	header->bytes = bytes;
	read_boot_id(header->boot_id);
	header->created_us = (uint64_t)clock_wall_us();
	memcpy(header->counts, counts, sizeof(header->counts));
	atomic_store_explicit(&header->state, SHM_READY, memory_order_release);
	map->created_us = header->created_us;
	memcpy(map->counts, counts, sizeof(map->counts));
}

bool object_make(enum shm_object which, const uint64_t rows[SHM_TABLE__N], struct segment_map *map,
	struct err *err)
{
	uint64_t counts[SHM_TABLES_MAX] = {0};
	uint32_t at = 0;
	for (uint32_t t = 0; t < SHM_TABLE__N; t++)
		if (tables[t].object == which)
			counts[at++] = rows[t];
	size_t bytes = object_bytes(which, counts);
	map->base = NULL;
	map->fd = open(SHM_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (map->fd < 0)
		return fail(
			err, ERR_BUSY, "cannot make a file in " SHM_FOLDER ": %s", strerror(errno));
	struct stat st;
	if (!allocate(map->fd, which, bytes, err)) {
		object_unmap(map);
		return false;
	}
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	if (base == MAP_FAILED || fstat(map->fd, &st) != 0) {
		object_unmap(map);
		return fail(err, ERR_BUSY, "cannot map a new shared object: %s", strerror(errno));
	}
	map->base = base;
	map->bytes = bytes;
	map->dev = st.st_dev;
	map->ino = st.st_ino;
	map->writable = true;
	write_header(which, counts, bytes, map);
	return true;
}

enum object_result object_link(
	const char *node, enum shm_object which, const struct segment_map *map, struct err *err)
{
	char name[SEGMENT_NAME_BYTES], from[64], to[SEGMENT_NAME_BYTES + sizeof(SHM_FOLDER)];
	segment_name(node, which, name);
	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", map->fd);
	(void)snprintf(to, sizeof(to), SHM_FOLDER "%s", name);
	if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0)
		return OBJECT_OK;
	bool taken = errno == EEXIST;
	enum object_result result = failed(err, "name", name);
	return taken ? OBJECT_TAKEN : result;
}

/* Only a header of our shape has its state where we think. */
static void mark_retired(int fd, enum shm_object which)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct shm_header))
		return;
	void *base =
		mmap(NULL, sizeof(struct shm_header), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return;
	struct shm_header *header = base;
	if (memcmp(header->marker, objects[which].marker, sizeof(header->marker)) == 0)
		atomic_store_explicit(&header->state, SHM_RETIRED, memory_order_release);
	(void)munmap(base, sizeof(struct shm_header));
}

bool object_retire(const char *node, enum shm_object which, struct err *err)
{
	char name[SEGMENT_NAME_BYTES];
	segment_name(node, which, name);
	int fd = shm_open(name, O_RDWR | O_CLOEXEC, 0);
	if (fd >= 0) {
		mark_retired(fd, which);
		(void)close(fd);
	}
	if (shm_unlink(name) == 0 || errno == ENOENT)
		return true;
	(void)failed(err, "remove", name);
	return false;
}
