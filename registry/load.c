/* Loading a file of entries: see load.h. */
#include "registry/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "common/log.h"
#include "common/utf8.h"
#include "registry/batch_scan.h"
#include "registry/context_allowed.h"
#include "registry/csv_reader.h"
#include "registry/load_columns.h"
#include "registry/load_store.h"
#include "registry/shown.h"

#include "common/base.h"

enum { REJECTED_SHOWN = 100, SHOWN_BYTES = 64, LINE_ARENA_BYTES = 1024 * 1024 };

/* What some programs write in front of a text that is UTF-8. */
static const char byte_order_mark[] = "\xef\xbb\xbf";

struct load {
	struct load_spec spec;
	struct load_store store;
	struct csv_reader csv;
	struct load_columns columns;
	struct strbuf line;	/* NDJSON: what has come of it */
	struct arena *of_line;	/* what reading one line takes */
	struct arena *of_shown; /* as long as all of it */
	struct shown shown;
	XXH3_state_t *digest;
	struct strbuf rejected;
	struct err first_rejection; /* kind NONE: there is none */
	uint64_t rejected_n, entries, bytes, lines;
	size_t mark; /* bytes of the mark that have come */
	bool is_behind_mark;
};

/* ---- what is wrong with an entry ---- */

/* Text of at most max bytes, cut between characters. */
static struct str cut(struct str text, size_t max)
{
	return text.n <= max ? text : (struct str){text.p, utf8_prefix((struct str){text.p, max})};
}

static void put_member(struct strbuf *sb, const char *name, struct str text)
{
	strbuf_printf(sb, ",\"%s\":", name);
	if (text.p)
		strbuf_json(sb, text);
	else
		strbuf_puts(sb, "null");
}

static bool reject(struct load *load, uint64_t line, struct str phone_number, const struct err *why,
	struct err *err)
{
	struct strbuf *sb = &load->rejected;

	if (load->first_rejection.kind == ERR_NONE)
		load->first_rejection = *why;
	if (load->spec.strict) {
		*err = *why;
		return false;
	}
	if (load->rejected_n++ >= REJECTED_SHOWN)
		return true;
	strbuf_printf(sb, "%s{\"line\":%" PRIu64, sb->n > 1 ? "," : "", line);
	put_member(sb, "phone_number", cut(phone_number, SHOWN_BYTES));
	put_member(sb, "reason", str_of(why->code));
	put_member(sb, "detail", str_of(why->text));
	strbuf_putc(sb, '}');
	return true;
}

/* 9.88E+09 is what a spreadsheet made of 9876543210: the digits are gone, and nobody can guess them. */
static bool is_rounded(struct str text)
{
	const char *e = memchr(text.p, 'E', text.n);
	return e && e > text.p && e[-1] >= '0' && e[-1] <= '9' && e + 1 < text.p + text.n &&
	       (e[1] == '+' || e[1] == '-');
}

static void name_line(uint64_t line, struct str phone_number, struct err *why)
{
	const struct err cause = *why;
	if (is_rounded(phone_number))
		(void)fail_code(why, cause.kind, cause.code,
			"phone_number of line %" PRIu64
			" was rounded by a spreadsheet; format the column as text before numbers "
			"are put into it",
			line);
	else
		(void)fail_code(why, cause.kind, cause.code, "phone_number of line %" PRIu64 " %s",
			line, cause.text);
}

/* ---- an entry ---- */

/* Lengths stand between the texts, so that no other texts make the same bytes. */
static void digest(struct load *load, struct str text)
{
	uint64_t n = text.p ? text.n : UINT64_MAX;
	(void)XXH3_128bits_update(load->digest, &n, sizeof(n));
	if (text.n)
		(void)XXH3_128bits_update(load->digest, text.p, text.n);
}

static bool judge(struct load *load, uint64_t line, const struct batch_entry *entry,
	struct number *number, struct err *why, bool *is_fine, struct err *err)
{
	char what[40];
	bool may_show = true;

	*is_fine = !entry->problem;
	if (entry->problem) {
		*why = *entry->problem;
		(void)fail_context(why, "line %" PRIu64, line);
		return true;
	}
	*is_fine = number_accept(&load->spec.rules, entry->phone_number, number, why);
	if (!*is_fine) {
		name_line(line, entry->phone_number, why);
		return true;
	}
	if (entry->did.p && !shown_find(&load->shown, entry->did, &may_show, err))
		return false;
	*is_fine = may_show;
	(void)snprintf(what, sizeof(what), "did of line %" PRIu64, line);
	return may_show || !shown_denied(why, what);
}

static bool take_entry(
	struct load *load, uint64_t line, const struct batch_entry *entry, struct err *err)
{
	struct batch_row row = {.phone_number = entry->phone_number,
		.custom_data = entry->custom_data,
		.did = entry->did};
	struct err why;
	bool is_fine;

	if (load->entries++ == load->spec.max_entries)
		return fail_code(err, ERR_INPUT, "batch_too_large",
			"the file has more than %" PRIu64
			" entries (the limit is max_load_entries); send several batches",
			load->spec.max_entries);
	digest(load, entry->phone_number);
	digest(load, entry->custom_data);
	digest(load, entry->did);
	if (load->store.known.p)
		return true; /* only compared */
	if (!judge(load, line, entry, &row.number, &why, &is_fine, err))
		return false;
	return is_fine ? load_store_add(&load->store, &row, err)
		       : reject(load, line, entry->phone_number, &why, err);
}

static bool take_record(void *arg, const struct csv_record *record, struct err *err)
{
	struct load *load = arg;
	struct batch_entry entry;
	struct err problem;

	if (load->columns.n == 0)
		return load_columns_read(&load->columns, record, load->spec.separator, err);
	return load_columns_entry(&load->columns, record, &entry, &problem, err) &&
	       take_entry(load, record->line, &entry, err);
}

static bool take_line(struct load *load, struct str line, struct err *err)
{
	struct batch_entry entry;
	struct err problem;

	load->lines++;
	if (str_trim(line).n == 0 || str_eq(line, STR("\r")))
		return true;
	if (!utf8_is_text(line))
		return fail_code(err, ERR_INPUT, "invalid_encoding",
			"line %" PRIu64 " is not UTF-8; save the file as UTF-8", load->lines);
	arena_reset(load->of_line);
	if (!line_scan(line, load->of_line, &entry, &problem, err)) {
		(void)fail_context(err, "line %" PRIu64, load->lines);
		return false;
	}
	return take_entry(load, load->lines, &entry, err);
}

/* ---- bytes ---- */

static bool push_lines(struct load *load, struct str bytes, struct err *err)
{
	const char *end;

	while ((end = memchr(bytes.p, '\n', bytes.n))) {
		size_t n = (size_t)(end - bytes.p);
		struct str line = {bytes.p, n};
		if (load->line.n) {
			strbuf_add(&load->line, bytes.p, n);
			line = strbuf_view(&load->line);
		}
		if (line.n <= CSV_RECORD_BYTES && !take_line(load, line, err))
			return false;
		if (line.n > CSV_RECORD_BYTES)
			break;
		strbuf_reset(&load->line);
		bytes = (struct str){end + 1, bytes.n - n - 1};
	}
	strbuf_str(&load->line, bytes);
	return load->line.n <= CSV_RECORD_BYTES ||
	       fail_code(err, ERR_INPUT, "invalid_json", "line %" PRIu64 " has more than %d bytes",
		       load->lines + 1, (int)CSV_RECORD_BYTES);
}

static bool push(struct load *load, struct str bytes, struct err *err)
{
	return load->spec.format == LOAD_CSV ? csv_reader_push(&load->csv, bytes, err)
					     : push_lines(load, bytes, err);
}

/* The mark may come in pieces, and what looked like one at first may be the beginning of the text. */
static bool pass_mark(struct load *load, struct str *bytes, struct err *err)
{
	if (load->bytes == 0 && bytes->n && (*bytes->p == '\xff' || *bytes->p == '\xfe'))
		return fail_code(err, ERR_INPUT, "invalid_encoding",
			"line 1 is not UTF-8, but begins like UTF-16; save the file as UTF-8");
	while (bytes->n && load->mark < strlen(byte_order_mark) &&
		*bytes->p == byte_order_mark[load->mark]) {
		load->mark++;
		*bytes = (struct str){bytes->p + 1, bytes->n - 1};
	}
	load->is_behind_mark = bytes->n > 0 || load->mark == strlen(byte_order_mark);
	if (!load->is_behind_mark || load->mark == strlen(byte_order_mark))
		return true;
	return push(load, (struct str){byte_order_mark, load->mark}, err);
}

bool load_push(struct load *load, struct str bytes, struct err *err)
{
	size_t n = bytes.n;

	if (!load->is_behind_mark && !pass_mark(load, &bytes, err))
		return false;
	load->bytes += n;
	return push(load, bytes, err);
}

/* ---- all of it ---- */

struct load *load_new(struct db *db, const struct load_spec *spec)
{
	struct load *load = calloc(1, sizeof(*load));
	XXH3_state_t *state = XXH3_createState();

	if (!load || !state || XXH3_128bits_reset(state) != XXH_OK)
		die("memory.exhausted", "bytes=%zu", sizeof(*load));
	load->spec = *spec;
	load->digest = state;
	load->of_line = arena_new(LINE_ARENA_BYTES);
	load->of_shown = arena_new(LINE_ARENA_BYTES);
	load->shown =
		(struct shown){.db = db, .arena = load->of_shown, .client_id = spec->client->id};
	load_store_open(&load->store, db, &load->spec);
	csv_reader_begin(&load->csv, spec->separator, take_record, load);
	strbuf_putc(&load->rejected, '[');
	return load;
}

void load_free(struct load *load)
{
	load_store_close(&load->store);
	csv_reader_free(&load->csv);
	load_columns_free(&load->columns);
	strbuf_free(&load->line);
	strbuf_free(&load->rejected);
	arena_free(load->of_line);
	arena_free(load->of_shown);
	(void)XXH3_freeState(load->digest);
	free(load);
}

/* They are content, as the entries are. */
static void digest_settings(struct load *load)
{
	const struct batch_settings *settings = &load->spec.settings;
	struct strbuf json = STRBUF_INIT;

	if (settings_any(settings))
		settings_json(settings, &json);
	digest(load, (struct str){json.p, json.n});
	strbuf_free(&json);
}

bool load_begin(struct load *load, struct err *err)
{
	struct str did = load->spec.settings.did;
	bool may_show;

	/* Asked for before the transaction, which it would end. */
	if (!context_allowed(load->shown.db, load->shown.client_id, &load->spec.settings, err) ||
		!shown_find(&load->shown, did, &may_show, err))
		return false;
	if (did.p && !may_show)
		return shown_denied(err, "did");
	digest_settings(load);
	return load_store_begin(&load->store, err);
}

static bool read_rest(struct load *load, struct err *err)
{
	if (load->spec.format == LOAD_CSV && !csv_reader_finish(&load->csv, err))
		return false;
	if (load->line.n && !take_line(load, strbuf_view(&load->line), err))
		return false;
	if (load->entries == 0)
		return fail_code(err, ERR_INPUT, "invalid_value",
			"the file has no entries; send at least one");
	if (load->store.known.p || load->rejected_n < load->entries)
		return true;
	*err = load->first_rejection;
	return false;
}

bool load_finish(struct load *load, struct load_receipt *receipt, struct err *err)
{
	if (!read_rest(load, err))
		return false;
	XXH128_hash_t hash = XXH3_128bits_digest(load->digest);
	strbuf_putc(&load->rejected, ']');
	struct load_head head = {.content = {(const char *)&hash, sizeof(hash)},
		.rejected = strbuf_view(&load->rejected),
		.rejected_n = load->rejected_n};
	if (!load_store_finish(&load->store, &head, receipt, err))
		return false;
	if (receipt->is_replay)
		receipt->rejected_n = load->entries - receipt->inserted;
	return true;
}

struct load_progress load_progress(const struct load *load)
{
	return (struct load_progress){load->bytes, load->entries, load->rejected_n};
}
