/* Time zones: see zone.h. */
#include "shm/zone.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "shm/zone_rule.h"

#include "common/base.h"

enum { NAME_BYTES = 64, FILE_MOST = 256 * 1024, RULES_END = 2100 };

/* From at[i] on, offset[i + 1] holds; offset[0] before the first. */
struct zone {
	char name[NAME_BYTES];
	uint32_t n;
	int64_t *at;
	int32_t *offset;
	struct zone *next;
};

/* ---- a file ---- */

/* What is left of it. */
struct bytes {
	const unsigned char *p;
	size_t n;
};

static const unsigned char *take(struct bytes *from, size_t n)
{
	const unsigned char *p = from->p;
	if (from->n < n)
		return NULL;
	from->p += n;
	from->n -= n;
	return p;
}

static uint32_t be32(const unsigned char *p)
{
	uint32_t value;
	memcpy(&value, p, sizeof(value));
	return be32toh(value);
}

static int64_t be64(const unsigned char *p)
{
	uint64_t value;
	memcpy(&value, p, sizeof(value));
	return (int64_t)be64toh(value);
}

enum { COUNT_UT, COUNT_STD, COUNT_LEAP, COUNT_TIMES, COUNT_TYPES, COUNT_CHARS, COUNT__N };
enum { TYPE_BYTES = 6, COUNT_MOST = 10000 };

static bool read_head(struct bytes *from, uint32_t counts[COUNT__N])
{
	const unsigned char *head = take(from, 44);
	if (!head || memcmp(head, "TZif", 4) != 0 || head[4] < '2')
		return false;
	for (int i = 0; i < COUNT__N; i++) {
		counts[i] = be32(head + 20 + 4 * i);
		if (counts[i] > COUNT_MOST)
			return false;
	}
	return true;
}

/* The bytes of a block, whose times have so many each. */
static size_t block_bytes(const uint32_t counts[COUNT__N], size_t time_bytes)
{
	return counts[COUNT_TIMES] * (time_bytes + 1) + counts[COUNT_TYPES] * TYPE_BYTES +
	       counts[COUNT_CHARS] + counts[COUNT_LEAP] * (time_bytes + 4) + counts[COUNT_STD] +
	       counts[COUNT_UT];
}

static void room_for(struct zone *zone, uint32_t more)
{
	uint32_t n = zone->n + more;
	zone->at = reallocarray(zone->at, n + 1, sizeof(*zone->at));
	zone->offset = reallocarray(zone->offset, n + 1, sizeof(*zone->offset));
	if (!zone->at || !zone->offset)
		die("memory.exhausted", "transitions=%u", n);
}

static bool read_times(struct zone *zone, struct bytes *from, const uint32_t counts[COUNT__N])
{
	uint32_t n = counts[COUNT_TIMES];
	const unsigned char *times = take(from, n * 8ul), *kinds = take(from, n);
	const unsigned char *types = take(from, counts[COUNT_TYPES] * (size_t)TYPE_BYTES);
	if (!times || !kinds || !types || counts[COUNT_TYPES] == 0)
		return false;
	room_for(zone, n);
	zone->offset[0] = (int32_t)be32(types);
	for (uint32_t i = 0; i < n; i++) {
		zone->at[i] = be64(times + 8ul * i);
		if (kinds[i] >= counts[COUNT_TYPES] || (i && zone->at[i] <= zone->at[i - 1]))
			return false;
		zone->offset[i + 1] = (int32_t)be32(types + TYPE_BYTES * (size_t)kinds[i]);
	}
	zone->n = n;
	return take(from, block_bytes(counts, 8) - n * 9ul -
				  counts[COUNT_TYPES] * (size_t)TYPE_BYTES) != NULL;
}

static void add(struct zone *zone, struct zone_change change)
{
	if (zone->n && change.at_s <= zone->at[zone->n - 1])
		return;
	zone->at[zone->n] = change.at_s;
	zone->offset[++zone->n] = change.offset_s;
}

/* What the last line says of all times after those of the file. */
static bool read_rule(struct zone *zone, const struct bytes *from)
{
	struct zone_rule rule;
	if (from->n < 2 || from->p[0] != '\n' || from->p[from->n - 1] != '\n')
		return false;
	if (from->n == 2) /* nobody knows: the last one holds */
		return true;
	if (!zone_rule_read(&rule, (struct str){(const char *)from->p + 1, from->n - 2}))
		return false;
	if (!rule.has_summer)
		return zone->offset[zone->n] == rule.standard_s || zone->n == 0;
	enum { YEARS = RULES_END - 1970 };
	room_for(zone, 2 * YEARS);
	for (int year = 1970; year < RULES_END; year++) {
		struct zone_change changes[2];
		zone_rule_changes(&rule, year, changes);
		add(zone, changes[0]);
		add(zone, changes[1]);
	}
	return true;
}

struct zone *zone_read(const void *content, size_t n)
{
	struct bytes from = {content, n};
	uint32_t counts[COUNT__N];
	struct zone *zone = calloc(1, sizeof(*zone));
	if (!zone)
		die("memory.exhausted", "bytes=%zu", sizeof(*zone));
	if (read_head(&from, counts) && take(&from, block_bytes(counts, 4)) &&
		read_head(&from, counts) && read_times(zone, &from, counts) &&
		read_rule(zone, &from))
		return zone;
	zone_free(zone);
	return NULL;
}

void zone_free(struct zone *zone)
{
	free(zone->at);
	free(zone->offset);
	free(zone);
}

/* ---- by name ---- */

static bool is_name(struct str name)
{
	struct str rest = name, part;
	if (name.n == 0 || name.n >= NAME_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-",
			    name.p[i]))
			return false;
	while (str_split(&rest, '/', &part))
		if (part.n == 0)
			return false;
	return name.p[name.n - 1] != '/';
}

static struct zone *load(struct str name)
{
	char path[sizeof("/usr/share/zoneinfo/") + NAME_BYTES];
	(void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s", (int)name.n, name.p);
	FILE *file = fopen(path, "re");
	char *content = file ? malloc(FILE_MOST) : NULL;
	size_t n = content ? fread(content, 1, FILE_MOST, file) : 0;
	if (file)
		(void)fclose(file);
	struct zone *zone = n && n < FILE_MOST ? zone_read(content, n) : NULL;
	free(content);
	return zone;
}

/* A name that leads nowhere is looked for each time: it may be installed any moment. */
const struct zone *zone_find(struct str name)
{
	static struct zone *known;
	struct zone *zone;
	if (!is_name(name))
		return NULL;
	for (zone = known; zone; zone = zone->next)
		if (str_eq(str_of(zone->name), name))
			return zone;
	zone = load(name);
	if (!zone || !str_copy(zone->name, sizeof(zone->name), name))
		return NULL;
	zone->next = known;
	known = zone;
	return zone;
}

/* ---- what it says ---- */

int32_t zone_offset(const struct zone *zone, int64_t utc_s, int64_t *until_s)
{
	uint32_t low = 0, high = zone->n; /* the first transition behind utc_s */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (zone->at[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	*until_s = low < zone->n ? zone->at[low] : INT64_MAX;
	return zone->offset[low];
}
