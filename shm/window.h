/* Waiting entries that are in memory: facts for explain and ccsctl. Order, heaps and due lists are
 * private to the dispatcher, which fills this anew at every start.
 */
#ifndef CCS_SHM_WINDOW_H
#define CCS_SHM_WINDOW_H

#include "shm/segment.h"

/* ---- owner: the dispatcher ---- */

struct window_table {
	struct segment *seg;
	uint32_t n;	 /* all rows */
	uint32_t free_n; /* of these, free */
	uint32_t *free;	 /* a stack of them */
};

enum { WINDOW_NO_ROW = UINT32_MAX };

/* Empties the table: waiting entries are read from PostgreSQL at every start. */
void window_table_open(struct window_table *table, struct segment *seg);
void window_table_close(struct window_table *table);

/* The row's index, or WINDOW_NO_ROW when full. entry->row is ignored. */
uint32_t window_put(struct window_table *table, const struct shm_window *entry);
void window_remove(struct window_table *table, uint32_t i);

/* What blocks it now (enum gate). */
void window_gate(struct segment *seg, uint32_t i, uint32_t gate);

/* Not before. */
void window_due(struct segment *seg, uint32_t i, int64_t due_us);

/* ---- readers (tenants go through view.h) ---- */

/* False when row i is free or stayed busy. */
MUST_USE bool window_read(const struct segment *seg, uint32_t i, struct shm_window *out);

#endif
