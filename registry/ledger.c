/* Reading and verifying the decision ledger: see ledger.h. */
#include "registry/ledger.h"

#include <inttypes.h>

#include "common/strbuf.h"

#include "common/base.h"

/* ---- the chain ---- */

static struct digest hash_of(const struct ledger_chain *chain, const struct ledger_link *link)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_add(&text, link->before.b, DIGEST_BYTES);
	strbuf_printf(&text, "%s %" PRIu64 " %" PRId64 "\n", chain->node, link->seq, link->at_us);
	strbuf_str(&text, link->decisions);
	struct digest hash = digest_of(strbuf_view(&text));
	strbuf_free(&text);
	return hash;
}

static uint64_t lines_of(struct str text)
{
	uint64_t n = text.n > 0;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* Whether it goes on where the chain ends. What old weeks held may be gone: the first link is believed. */
static bool goes_on(
	const struct ledger_chain *chain, const struct ledger_link *link, struct err *err)
{
	if (chain->first == 0)
		return true;
	if (link->seq != chain->head.position + 1)
		return fail(err, ERR_CONFLICT,
			"node %s, position %" PRIu64 " is missing: the chain goes on with %" PRIu64,
			chain->node, chain->head.position + 1, link->seq);
	return digest_eq(&link->before, &chain->head.hash) ||
	       fail(err, ERR_CONFLICT,
		       "node %s, position %" PRIu64 " does not follow from the one before it",
		       chain->node, link->seq);
}

bool ledger_add(struct ledger_chain *chain, const struct ledger_link *link, struct err *err)
{
	struct anchor next = {link->seq, hash_of(chain, link)};

	if (!goes_on(chain, link, err))
		return false;
	if (!digest_eq(&next.hash, &link->hash))
		return fail(err, ERR_CONFLICT,
			"node %s, position %" PRIu64
			": its decisions, or its hash, are not what they were",
			chain->node, link->seq);
	if (!anchor_fits(&chain->known, &next))
		return fail(err, ERR_CONFLICT,
			"node %s, position %" PRIu64
			" is not the anchor's: the chain was made anew up to here",
			chain->node, link->seq);
	if (chain->first == 0)
		chain->first = link->seq;
	chain->head = next;
	chain->decisions += lines_of(link->decisions);
	return true;
}

bool ledger_end(const struct ledger_chain *chain, struct err *err)
{
	return anchor_is_reached(&chain->known, &chain->head, err);
}

/* ---- from the database ---- */

static bool read_digest(struct str bytes, struct digest *digest)
{
	if (bytes.n != DIGEST_BYTES)
		return false;
	memcpy(digest->b, bytes.p, DIGEST_BYTES);
	return true;
}

static bool link_of_row(const struct rows *rows, int row, struct ledger_link *link, struct err *err)
{
	enum { SEQ, AT, DECISIONS, BEFORE, HASH };

	*link = (struct ledger_link){.seq = (uint64_t)row_i64(rows, row, SEQ),
		.at_us = row_time(rows, row, AT),
		.decisions = row_text(rows, row, DECISIONS)};
	return (read_digest(row_bytes(rows, row, BEFORE), &link->before) &&
		       read_digest(row_bytes(rows, row, HASH), &link->hash)) ||
	       fail(err, ERR_CONFLICT, "position %" PRIu64 " has no hash", link->seq);
}

bool ledger_each(struct db *db, const char *node, ledger_link_fn *fn, void *arg, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct ledger_link link = {.seq = 0};
	bool ok = true, more = true;

	while (ok && more) {
		struct sql_args args = SQL_ARGS_INIT;
		arg_text(&args, str_of(node));
		arg_i64(&args, (int64_t)link.seq);
		ok = db_query(db, SQL_LEDGER_PAGE, &args, &rows, err);
		args_free(&args);
		for (int row = 0; ok && row < rows.n; row++)
			ok = link_of_row(&rows, row, &link, err) && fn(arg, &link, err);
		more = ok && rows.n > 0;
		rows_free(&rows);
	}
	return ok;
}

bool ledger_nodes(struct db *db, struct rows *rows, struct err *err)
{
	return db_query(db, SQL_LEDGER_NODES, NULL, rows, err);
}

bool ledger_search(
	struct db *db, struct str word, int64_t since_us, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_text(&args, word);
	arg_time(&args, since_us);
	bool ok = db_query(db, SQL_LEDGER_SEARCH, &args, rows, err);
	args_free(&args);
	return ok;
}

/* ---- a copy of it ---- */

static json_t *hex_json(const struct digest *digest)
{
	char hex[2 * DIGEST_BYTES + 1];
	hex_encode(digest->b, DIGEST_BYTES, hex);
	return json_string(hex);
}

json_t *ledger_to_json(const char *node, const struct ledger_link *link)
{
	json_t *lines = json_array();
	struct str rest = link->decisions, line;

	while (rest.p && str_split(&rest, '\n', &line))
		json_array_append_new(lines, json_stringn(line.p, line.n));
	return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "node", node, "seq",
		(json_int_t)link->seq, "at_us", (json_int_t)link->at_us, "before",
		hex_json(&link->before), "hash", hex_json(&link->hash), "decisions", lines);
}

static bool take_lines(const json_t *lines, struct strbuf *decisions)
{
	size_t i;
	json_t *line;

	json_array_foreach (lines, i, line) {
		if (!json_is_string(line))
			return false;
		if (i > 0)
			strbuf_puts(decisions, "\n");
		strbuf_add(decisions, json_string_value(line), json_string_length(line));
	}
	return true;
}

static bool take_line(
	json_t *said, struct strbuf *node, struct strbuf *decisions, struct ledger_link *link)
{
	const char *name, *before, *hash;
	json_int_t seq, at_us;
	json_t *lines;

	if (json_unpack(said, "{s:s, s:I, s:I, s:s, s:s, s:o}", "node", &name, "seq", &seq, "at_us",
		    &at_us, "before", &before, "hash", &hash, "decisions", &lines) != 0 ||
		seq <= 0 || !json_is_array(lines))
		return false;
	strbuf_reset(node);
	strbuf_puts(node, name);
	strbuf_reset(decisions);
	if (!take_lines(lines, decisions))
		return false;
	*link = (struct ledger_link){
		.seq = (uint64_t)seq, .at_us = at_us, .decisions = strbuf_view(decisions)};
	return hex_decode(str_of(before), link->before.b, DIGEST_BYTES) &&
	       hex_decode(str_of(hash), link->hash.b, DIGEST_BYTES);
}

bool ledger_from_line(struct str line, struct strbuf *node, struct strbuf *decisions,
	struct ledger_link *link, struct err *err)
{
	json_t *said = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	bool ok = said && take_line(said, node, decisions, link);

	json_decref(said);
	return ok || fail(err, ERR_INPUT, "this is no line of `ccsctl ledger export'");
}
