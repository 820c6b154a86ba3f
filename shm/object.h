/* One POSIX object of the segment: made, opened, judged, retired. Used by segment.c and
 * segment_own.c only. */
#ifndef CCS_SHM_OBJECT_H
#define CCS_SHM_OBJECT_H

#include "shm/segment.h"

enum object_result {
	OBJECT_OK,
	OBJECT_ABSENT, /* nothing has this name */
	OBJECT_OVER,   /* retired, or of an earlier boot: it serves nobody any more */
	OBJECT_UNFIT,  /* of another layout, or damaged: err says which */
	OBJECT_TAKEN,  /* another has the name */
	OBJECT_FAILED, /* the kernel refused */
};

/* Rows of every table as the configuration asks for. */
void object_rows(const struct conf *conf, uint64_t rows[SHM_TABLE__N]);

/* Opens by name and maps. err is filled unless OK. When OVER or UNFIT, only map->fd is set, so that
 * the dispatcher can take its lock before it replaces the object; object_unmap closes it. */
enum object_result object_open(const char *node, enum shm_object which, bool writable,
	struct segment_map *map, struct err *err);

/* Makes a nameless object, READY and with rows as given, mapped read-write. */
MUST_USE bool object_make(enum shm_object which, const uint64_t rows[SHM_TABLE__N],
	struct segment_map *map, struct err *err);

/* Gives a made object its name. OK, TAKEN or FAILED. */
enum object_result object_link(
	const char *node, enum shm_object which, const struct segment_map *map, struct err *err);

/* Marks what the name leads to RETIRED and removes the name. /dev/shm lets only the owner remove
 * it: when that is somebody else (.in may be a worker's), the mark makes its programs do it. */
MUST_USE bool object_retire(const char *node, enum shm_object which, struct err *err);

/* Where the name leads. False when it leads nowhere. */
bool object_named(const char *node, enum shm_object which, dev_t *dev, ino_t *ino);

/* Unmaps and closes; map->wanted and map->attached stay. */
void object_unmap(struct segment_map *map);

static inline struct shm_header *object_header(const struct segment_map *map)
{
	return (struct shm_header *)(void *)map->base;
}

/* The object in which a table lies. */
enum shm_object object_of_table(enum shm_table table);

/* Sets the tables of this object from its header, which object_open has judged. */
void object_tables(struct segment *seg, enum shm_object which);

#endif
