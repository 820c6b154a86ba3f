/* Waiting entries in memory: see window.h. */
#include "shm/window.h"

#include <stdlib.h>

#include "common/log.h"
#include "shm/row.h"

enum { ENTRY_BYTES = sizeof(struct shm_window) - sizeof(struct shm_row) };

void window_table_open(struct window_table *table, struct segment *seg)
{
	*table = (struct window_table){.seg = seg};
	struct shm_window *rows = seg_window(seg, &table->n);
	table->free = calloc(table->n, sizeof(*table->free));
	if (!table->free)
		die("memory.exhausted", "what=window_table");
	for (uint32_t i = table->n; i-- > 0;) {
		row_use(&rows[i].row, ROW_FREE);
		(void)row_repair(&rows[i].row);
		table->free[table->free_n++] = i;
	}
}

void window_table_close(struct window_table *table)
{
	free(table->free);
	*table = (struct window_table){0};
}

uint32_t window_put(struct window_table *table, const struct shm_window *entry)
{
	if (table->free_n == 0)
		return WINDOW_NO_ROW;
	uint32_t i = table->free[--table->free_n];
	struct shm_window *row = &seg_window(table->seg, NULL)[i];
	row_write(&row->row, &row->entry_id, &entry->entry_id, ENTRY_BYTES);
	row_use(&row->row, ROW_USED);
	return i;
}

void window_remove(struct window_table *table, uint32_t i)
{
	row_use(&seg_window(table->seg, NULL)[i].row, ROW_FREE);
	table->free[table->free_n++] = i;
}

/* A word of its own meaning needs no bracket: readers that see half of two changes see two truths.
 * */
void window_gate(struct segment *seg, uint32_t i, uint32_t gate)
{
	struct shm_window *row = &seg_window(seg, NULL)[i];
	struct {
		struct shm_plan plan;
		uint32_t gate;
	} word = {row->plan, gate};
	row_store(&row->plan, &word, sizeof(word));
}

void window_due(struct segment *seg, uint32_t i, int64_t due_us)
{
	row_store(&seg_window(seg, NULL)[i].due_us, &due_us, sizeof(due_us));
}

bool window_read(const struct segment *seg, uint32_t i, struct shm_window *out)
{
	uint32_t n;
	const struct shm_window *rows = seg_window(seg, &n);
	out->row = (struct shm_row){0};
	return i < n && row_read(&rows[i].row, &out->entry_id, &rows[i].entry_id, ENTRY_BYTES);
}
