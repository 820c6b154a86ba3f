/* JSON, written member by member. The commas are put by looking at what stands before.
 *
 *   put_object(sb, NULL);
 *   put_i64(sb, "id", client->id);
 *   put_array(sb, "rejected");  ...  put_end(sb, ']');
 *   put_end(sb, '}');
 *
 * key is a literal of ours, or NULL inside an array and at the top. Text must be valid UTF-8.
 */
#ifndef CCS_FCGI_PUT_H
#define CCS_FCGI_PUT_H

#include "common/strbuf.h"

void put_object(struct strbuf *sb, const char *key);
void put_array(struct strbuf *sb, const char *key);
void put_end(struct strbuf *sb, char bracket);

/* A member whose name is data: {"server1": {...}}. The value follows with a NULL key. */
void put_name(struct strbuf *sb, struct str name);

void put_text(struct strbuf *sb, const char *key, struct str value); /* p NULL: null */
void put_i64(struct strbuf *sb, const char *key, int64_t value);
void put_u64(struct strbuf *sb, const char *key, uint64_t value);
void put_bool(struct strbuf *sb, const char *key, bool value);
void put_null(struct strbuf *sb, const char *key);

/* One decimal, as the document prints rates and averages: 80.0 */
void put_tenth(struct strbuf *sb, const char *key, double value);

/* "2026-11-22T09:00:00Z", with milliseconds in put_time_ms; null for INT64_MIN (SQL's null) and
 * for 0 (the segment's "not yet"). */
void put_time(struct strbuf *sb, const char *key, int64_t wall_us);
void put_time_ms(struct strbuf *sb, const char *key, int64_t wall_us);

/* Seconds with three decimals, as in events. */
void put_ms(struct strbuf *sb, const char *key, int64_t ms);

/* JSON text that was validated before, as it is (custom_data). p NULL: null */
void put_raw(struct strbuf *sb, const char *key, struct str json);

#endif
