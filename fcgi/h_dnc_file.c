/* POST /dnc/load and GET /dnc?format=csv: a client's own do-not-call list by the file. */
#include "fcgi/announce.h"
#include "fcgi/dnc_list.h"
#include "fcgi/put.h"
#include "fcgi/record.h"
#include "fcgi/router.h"
#include "registry/dnc_load.h"
#include "registry/number_file.h"

#include "common/base.h"

enum { PIECE_BYTES = 64 * 1024 };

/* ---- in ---- */

static bool read_format(const struct req *req, enum number_format *format, struct err *err)
{
	struct str name = req_query(req, "format"), type = req_header(req, "CONTENT_TYPE"), media;

	if (!name.p && type.p && str_split(&type, ';', &media))
		name = str_case_eq(str_trim(media), STR("application/x-ndjson")) ? STR("ndjson")
		       : str_case_eq(str_trim(media), STR("text/plain"))	 ? STR("lines")
		       : str_case_eq(str_trim(media), STR("text/csv"))		 ? STR("csv")
										 : name;
	if (!name.p)
		return fail(err, ERR_INPUT,
			"what the body is cannot be told; send Content-Type: text/csv, text/plain "
			"or "
			"application/x-ndjson, or format=csv, lines or ndjson");
	if (number_format_find(name, format) &&
		(*format == NUMBER_FILE_CSV || *format == NUMBER_FILE_LINES ||
			*format == NUMBER_FILE_NDJSON))
		return true;
	return fail(err, ERR_INPUT, "format must be csv, lines or ndjson");
}

static bool take(void *arg, const struct number_record *record, struct err *err)
{
	return dnc_load_number(arg, record->line, record->number, err);
}

static bool read_body(struct req *req, struct number_file *file, struct err *err)
{
	char *piece = arena_alloc(req->arena, PIECE_BYTES);
	size_t n;

	if (!piece)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	for (;;) {
		if (!req_body(req, piece, PIECE_BYTES, &n, err))
			return false;
		if (n == 0)
			return number_file_finish(file, err);
		if (!number_file_push(file, (struct str){piece, n}, err))
			return false;
	}
}

static void put_receipt(struct strbuf *sb, const struct dnc_load_receipt *receipt)
{
	put_object(sb, NULL);
	put_text(sb, "message", STR("Numbers added"));
	put_text(sb, "status", STR("success"));
	put_u64(sb, "added_count", receipt->added);
	put_u64(sb, "read_count", receipt->read);
	put_u64(sb, "rejected_count", receipt->rejected_n);
	put_raw(sb, "rejected", receipt->rejected);
	put_end(sb, '}');
}

bool handle_dnc_load(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct dnc_load_receipt receipt;
	struct dnc_load_spec spec = {.act = {.source = "file"}};
	struct dnc_whose whose;
	enum number_format format;
	struct err broken;

	if (!read_format(req, &format, err) || !dnc_of_client(app, req, &whose, err))
		return false;
	spec.list = whose.list;
	spec.rules = whose.rules;
	spec.act.actor = whose.actor;
	struct dnc_load *load = dnc_load_new(app->db, &spec);
	struct number_file *file = number_file_new(format, take, load);
	bool ok = read_body(req, file, err);
	bool kept = dnc_load_finish(load, &receipt, ok ? err : &broken);
	if (kept && receipt.state.control_id)
		announce_control(app, receipt.state.control_id);
	if (ok && kept)
		put_receipt(&reply->body, &receipt);
	number_file_free(file);
	dnc_load_free(load);
	return ok && kept;
}

/* ---- out ---- */

struct export
{
	struct dnc_whose whose;
	dnc_digits last;
};

static bool next_piece(
	struct app *app, void *arg, struct strbuf *piece, bool *more, struct err *err)
{
	struct export *export = arg;
	const struct dnc_part part = {.after = export->last, .limit = DNC_PART_ROWS};
	struct rows rows = ROWS_INIT;

	if (!dnc_part(app->db, &export->whose.list, &part, &rows, err))
		return false;
	for (int i = 0; i < rows.n; i++) {
		strbuf_str(piece, row_text(&rows, i, DNC_NUMBER));
		strbuf_puts(piece, "\r\n");
	}
	*more = rows.n == DNC_PART_ROWS;
	bool ok = !*more ||
		  row_copy(&rows, rows.n - 1, DNC_NUMBER, export->last, sizeof(export->last));
	rows_free(&rows);
	return ok || fail(err, ERR_INTERNAL, "a number that is too long");
}

static void after(struct app *app)
{
	(void)app;
}

bool dnc_export(struct app *app, const struct req *req, const struct dnc_whose *whose,
	struct reply *reply, struct err *err)
{
	struct export *export = arena_alloc(app->arena, sizeof(*export));
	bool more;

	if (!export)
		return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
	*export = (struct export){.whose = *whose, .last = ""};
	strbuf_puts(&reply->body, "phone_number\r\n");
	if (!record_export(app, req, "dnc.export", err) ||
		!next_piece(app, export, &reply->body, &more, err))
		return false;
	if (more)
		reply_more(reply, next_piece, after, export);
	reply->content_type = "text/csv; charset=utf-8";
	reply_header(reply, "Content-Disposition", "attachment; filename=\"%s\"", "dnc.csv");
	return true;
}
