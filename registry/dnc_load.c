/* Loading a do-not-call list: see dnc_load.h. */
#include "registry/dnc_load.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/utf8.h"

#include "common/base.h"

enum { PIECE_NUMBERS = 4096, REJECTED_SHOWN = 100, SHOWN_BYTES = 64 };

struct dnc_load {
	struct db *db;
	struct dnc_load_spec spec;
	dnc_digits *numbers;
	size_t n;
	struct dnc_load_receipt so_far;
	struct strbuf rejected;
};

struct dnc_load *dnc_load_new(struct db *db, const struct dnc_load_spec *spec)
{
	struct dnc_load *load = calloc(1, sizeof(*load));
	dnc_digits *numbers = calloc(PIECE_NUMBERS, sizeof(*numbers));
	if (!load || !numbers)
		die("memory.exhausted", "numbers=%d", (int)PIECE_NUMBERS);
	load->db = db;
	load->spec = *spec;
	load->numbers = numbers;
	strbuf_putc(&load->rejected, '[');
	return load;
}

void dnc_load_free(struct dnc_load *load)
{
	strbuf_free(&load->rejected);
	free(load->numbers);
	free(load);
}

uint64_t dnc_load_read(const struct dnc_load *load)
{
	return load->so_far.read;
}

static bool begin(struct dnc_load *load, struct err *err)
{
	uint64_t client_id = load->spec.list.client_id;
	return client_id ? db_begin_as(load->db, client_id, err) : db_begin(load->db, err);
}

static bool flush(struct dnc_load *load, struct err *err)
{
	struct dnc_load_receipt *r = &load->so_far;

	if (load->n == 0 || load->spec.dry_run) {
		load->n = 0;
		return true;
	}
	if (!begin(load, err) ||
		!dnc_put(load->db, &load->spec.list, &load->spec.act,
			(const dnc_digits *)load->numbers, load->n, &r->state, err) ||
		!db_commit(load->db, err)) {
		db_rollback(load->db);
		return false;
	}
	r->added += r->state.changed;
	load->n = 0;
	return true;
}

static void reject(struct dnc_load *load, uint64_t line, struct str number, const struct err *why)
{
	struct strbuf *sb = &load->rejected;
	char detail[300];

	if (load->so_far.rejected_n++ >= REJECTED_SHOWN)
		return;
	(void)snprintf(detail, sizeof(detail), "line %" PRIu64 " %s", line, why->text);
	strbuf_printf(sb, "%s{\"line\":%" PRIu64 ",\"phone_number\":", sb->n > 1 ? "," : "", line);
	strbuf_json(sb, (struct str){number.p, utf8_prefix((struct str){number.p,
						       MIN(number.n, (size_t)SHOWN_BYTES)})});
	strbuf_puts(sb, ",\"detail\":");
	strbuf_json(sb, str_of(detail));
	strbuf_putc(sb, '}');
}

bool dnc_load_number(struct dnc_load *load, uint64_t line, struct str number, struct err *err)
{
	struct err why;

	load->so_far.read++;
	if (load->n == PIECE_NUMBERS && !flush(load, err))
		return false;
	if (dnc_read(&load->spec.rules, number, load->numbers[load->n], &why))
		load->n++;
	else
		reject(load, line, number, &why);
	return true;
}

static bool record(struct dnc_load *load, struct err *err)
{
	const struct dnc_load_spec *spec = &load->spec;

	if (load->so_far.added == 0)
		return true;
	if (begin(load, err) &&
		dnc_record(load->db, &spec->list, &spec->act, "dnc.load", NULL, 0,
			load->so_far.added, err) &&
		db_commit(load->db, err))
		return true;
	db_rollback(load->db);
	return false;
}

bool dnc_load_finish(struct dnc_load *load, struct dnc_load_receipt *receipt, struct err *err)
{
	if (!flush(load, err) || !record(load, err))
		return false;
	strbuf_putc(&load->rejected, ']');
	*receipt = load->so_far;
	receipt->rejected = strbuf_view(&load->rejected);
	return true;
}
