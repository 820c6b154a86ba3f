/* All memory of one request: taken piece by piece, given back at once, capped so that a small body
 * cannot eat the host (10 MiB of "{}," would take 779 MiB in jansson). One arena per worker. */
#ifndef CCS_COMMON_ARENA_H
#define CCS_COMMON_ARENA_H

#include "common/str.h"

struct arena;

/* An arena that hands out at most cap bytes between two resets. Ends the process when there is no
 * memory at all. */
struct arena *arena_new(size_t cap);
void arena_free(struct arena *arena);

/* 16-byte aligned, not cleared; NULL when the cap is reached. Valid until arena_reset. */
void *arena_alloc(struct arena *arena, size_t n);

/* A terminated copy of text; NULL when the cap is reached. */
char *arena_copy(struct arena *arena, struct str text);

/* Forgets everything; keeps the first block so that the next request starts warm. */
void arena_reset(struct arena *arena);

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

/* Lets jansson take its memory from this arena from now on; its frees do nothing. Process-wide. */
void arena_serve_jansson(struct arena *arena);

#endif
