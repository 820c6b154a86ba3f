/* JSON, member by member: see put.h. */
#include "fcgi/put.h"
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"

#include "common/base.h"

/* Every value ends in something else than an opening bracket or a colon, so the last byte says
 * whether a comma is due. */
static void begin(struct strbuf *sb, const char *key)
{
	char last = sb->n ? sb->p[sb->n - 1] : '[';
	if (!strchr("[{:\n", last)) /* or a line of its own */
		strbuf_putc(sb, ',');
	if (!key)
		return;
	strbuf_putc(sb, '"');
	strbuf_puts(sb, key);
	strbuf_add(sb, "\":", 2);
}

void put_object(struct strbuf *sb, const char *key)
{
	begin(sb, key);
	strbuf_putc(sb, '{');
}

void put_array(struct strbuf *sb, const char *key)
{
	begin(sb, key);
	strbuf_putc(sb, '[');
}

void put_end(struct strbuf *sb, char bracket)
{
	strbuf_putc(sb, bracket);
}

void put_name(struct strbuf *sb, struct str name)
{
	begin(sb, NULL);
	strbuf_json(sb, name);
	strbuf_putc(sb, ':');
}

void put_text(struct strbuf *sb, const char *key, struct str value)
{
	begin(sb, key);
	if (value.p)
		strbuf_json(sb, value);
	else
		strbuf_puts(sb, "null");
}

void put_i64(struct strbuf *sb, const char *key, int64_t value)
{
	begin(sb, key);
	strbuf_i64(sb, value);
}

void put_u64(struct strbuf *sb, const char *key, uint64_t value)
{
	begin(sb, key);
	strbuf_u64(sb, value);
}

void put_bool(struct strbuf *sb, const char *key, bool value)
{
	begin(sb, key);
	strbuf_puts(sb, value ? "true" : "false");
}

void put_null(struct strbuf *sb, const char *key)
{
	begin(sb, key);
	strbuf_puts(sb, "null");
}

void put_tenth(struct strbuf *sb, const char *key, double value)
{
	begin(sb, key);
	strbuf_printf(sb, "%.1f", value);
}

typedef const char *clock_fn(int64_t wall_us, char out[CLOCK_TEXT_BYTES]);

static void put_clock(struct strbuf *sb, const char *key, int64_t wall_us, clock_fn *text_of)
{
	if (wall_us == INT64_MIN || wall_us == 0) {
		put_null(sb, key);
		return;
	}
	char text[CLOCK_TEXT_BYTES];
	put_text(sb, key, str_of(text_of(wall_us, text)));
}

void put_time(struct strbuf *sb, const char *key, int64_t wall_us)
{
	put_clock(sb, key, wall_us, clock_utc);
}

void put_time_ms(struct strbuf *sb, const char *key, int64_t wall_us)
{
	put_clock(sb, key, wall_us, clock_utc_ms);
}

void put_ms(struct strbuf *sb, const char *key, int64_t ms)
{
	begin(sb, key);
	strbuf_printf(sb, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
}

void put_raw(struct strbuf *sb, const char *key, struct str json)
{
	if (!json.p) {
		put_null(sb, key);
		return;
	}
	begin(sb, key);
	strbuf_str(sb, json);
}
