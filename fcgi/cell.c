/* One value of a table: see cell.h. */
#include "fcgi/cell.h"

#include <inttypes.h>

#include "common/clock.h"
#include "fcgi/put.h"

#include "common/base.h"

void put_cell(struct strbuf *sb, const char *key, const struct cell *cell)
{
	switch (cell->kind) {
	case CELL_NULL:
		put_null(sb, key);
		break;
	case CELL_TEXT:
		put_text(sb, key, cell->text);
		break;
	case CELL_JSON:
		put_raw(sb, key, cell->text);
		break;
	case CELL_NUMBER:
		put_i64(sb, key, cell->number);
		break;
	case CELL_BOOL:
		put_bool(sb, key, cell->number != 0);
		break;
	case CELL_TIME:
		put_time_ms(sb, key, cell->number);
		break;
	case CELL_MS:
		put_ms(sb, key, cell->number);
		break;
	}
}

static bool is_computed(struct str text)
{
	return text.n && strchr("=+-@\t\r", text.p[0]);
}

/* In quotes where a reader needs them, each quote in it twice. */
static void quote(struct strbuf *sb, struct str text, enum csv_for whom)
{
	bool plain = true;
	for (size_t i = 0; i < text.n && plain; i++)
		plain = !strchr(",\"\r\n", text.p[i]);
	if (!plain)
		strbuf_putc(sb, '"');
	if (whom == CSV_FOR_SPREADSHEETS && is_computed(text))
		strbuf_putc(sb, '\'');
	for (const char *quote; !plain && (quote = memchr(text.p, '"', text.n));) {
		size_t n = (size_t)(quote - text.p) + 1;
		strbuf_add(sb, text.p, n);
		strbuf_putc(sb, '"');
		text = (struct str){text.p + n, text.n - n};
	}
	strbuf_str(sb, text);
	if (!plain)
		strbuf_putc(sb, '"');
}

static void csv_time(struct strbuf *sb, int64_t wall_us)
{
	char text[CLOCK_TEXT_BYTES];
	if (wall_us != 0 && wall_us != INT64_MIN)
		strbuf_puts(sb, clock_utc_ms(wall_us, text));
}

void csv_cell(struct strbuf *sb, const struct cell *cell, enum csv_for whom)
{
	if (sb->n && sb->p[sb->n - 1] != '\n')
		strbuf_putc(sb, ',');
	switch (cell->kind) {
	case CELL_NULL:
		break;
	case CELL_TEXT:
	case CELL_JSON:
		quote(sb, cell->text, whom);
		break;
	case CELL_NUMBER:
		strbuf_i64(sb, cell->number);
		break;
	case CELL_BOOL:
		strbuf_puts(sb, cell->number ? "true" : "false");
		break;
	case CELL_TIME:
		csv_time(sb, cell->number);
		break;
	case CELL_MS:
		strbuf_i64(sb, cell->number / 1000);
		strbuf_printf(sb, ".%03" PRId64, cell->number % 1000);
		break;
	}
}

void csv_end(struct strbuf *sb)
{
	strbuf_add(sb, "\r\n", 2);
}
