/* Entries by binary COPY: see entry_copy.h. The format is that of COPY's documentation, "Binary
 * Format". */
#include <arpa/inet.h>
#include <endian.h>

#include "registry/entry_copy.h"

#include "common/base.h"

enum { COPY_COLUMNS = 11, COPY_FLUSH_BYTES = 32 * 1024 };

static void copy_i16(struct strbuf *sb, int16_t value)
{
	uint16_t wire = htons((uint16_t)value);
	strbuf_add(sb, &wire, sizeof(wire));
}

static void copy_i32(struct strbuf *sb, int32_t value)
{
	uint32_t wire = htonl((uint32_t)value);
	strbuf_add(sb, &wire, sizeof(wire));
}

static void copy_i64(struct strbuf *sb, uint64_t value)
{
	uint64_t wire = htobe64(value);
	copy_i32(sb, sizeof(wire));
	strbuf_add(sb, &wire, sizeof(wire));
}

static void copy_text(struct strbuf *sb, struct str text)
{
	copy_i32(sb, text.p ? (int32_t)text.n : -1);
	strbuf_str(sb, text);
}

static void copy_row(struct strbuf *sb, uint64_t entry_id, uint64_t client_id,
	uint64_t queue_master_id, const struct batch_row *row)
{
	struct str e164 = batch_e164(&row->number);
	struct shm_plan plan = row->number.plan;
	bool is_checked = plan.type != NUMBER_TYPE_UNCHECKED;
	char region[REGION_TEXT_BYTES];

	copy_i16(sb, COPY_COLUMNS);
	copy_i64(sb, entry_id);
	copy_i64(sb, client_id);
	copy_i64(sb, queue_master_id);
	copy_text(sb, row->phone_number);
	copy_text(sb, str_of(row->number.number));
	copy_text(sb, e164);
	copy_i32(sb, e164.p ? (int32_t)sizeof(int16_t) : -1);
	if (e164.p)
		copy_i16(sb, (int16_t)plan.country_digits);
	copy_i32(sb, is_checked ? (int32_t)sizeof(int16_t) : -1);
	if (is_checked)
		copy_i16(sb, (int16_t)plan.type);
	copy_text(sb, region_or_null(plan.region, region));
	copy_text(sb, row->custom_data);
	copy_text(sb, row->did);
}

static bool copy_flush(struct db *db, struct strbuf *sb, struct err *err)
{
	bool ok = db_copy_data(db, strbuf_view(sb), err);
	strbuf_reset(sb);
	return ok;
}

static bool copy_chunk(
	struct db *db, const struct entry_chunk *chunk, struct strbuf *sb, struct err *err)
{
	uint64_t entry_id = chunk->id * BATCH_CHUNK_ENTRIES;

	for (uint32_t i = 0; i < chunk->entries; i++) {
		copy_row(sb, entry_id + i, chunk->client_id, chunk->queue_master_id,
			&chunk->rows[i]);
		if (sb->n >= COPY_FLUSH_BYTES && !copy_flush(db, sb, err))
			return false;
	}
	return true;
}

/* The partition of entry that a chunk belongs to: migration 0002. */
static int64_t partition_of(const struct entry_chunk *chunk)
{
	return (int64_t)(chunk->id >> 30);
}

/* How many of these chunks, from the first on, lie in one partition: nearly always all of them. */
static size_t one_partition(const struct entry_chunk *chunks, size_t n)
{
	size_t i = 1;

	while (i < n && partition_of(&chunks[i]) == partition_of(chunks))
		i++;
	return i;
}

/* n chunks of one partition. */
static bool copy_partition(struct db *db, const struct entry_chunk *chunks, size_t n, bool commits,
	struct strbuf *sb, struct err *err)
{
	static const char signature[] = "PGCOPY\n\377\r\n"; /* its NUL belongs to it */

	if (!db_copy_begin(db, SQL_ENTRY_COPY, partition_of(chunks), commits, err))
		return false;
	strbuf_reset(sb);
	strbuf_add(sb, signature, sizeof(signature));
	copy_i32(sb, 0); /* flags */
	copy_i32(sb, 0); /* no header extension */
	for (size_t i = 0; i < n; i++)
		if (!copy_chunk(db, &chunks[i], sb, err))
			return false;
	copy_i16(sb, -1); /* the end */
	return copy_flush(db, sb, err) && db_copy_end(db, err);
}

bool entry_copy(
	struct db *db, const struct entry_chunk *chunks, size_t n, bool commits, struct err *err)
{
	struct strbuf sb = STRBUF_INIT;
	bool ok = n > 0 || !commits || db_commit(db, err);
	for (size_t at = 0, some; ok && at < n; at += some) {
		some = one_partition(&chunks[at], n - at);
		ok = copy_partition(db, &chunks[at], some, commits && at + some == n, &sb, err);
	}
	strbuf_free(&sb);
	return ok;
}
