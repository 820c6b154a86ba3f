/* ccsctl ledger: what was decided about each dial; is that all of it, unchanged, also in a copy? */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "registry/ledger.h"

#include "common/base.h"

const struct field ledger_verify_fields[] = {
#define TEXT(member, need, ...)                                                                    \
	FIELD_ROW_TEXT(struct ledger_verify_input, member, need, __VA_ARGS__)
#include "ctl/ledger_verify.def"
#undef TEXT
};
const size_t ledger_verify_fields_n = ARRAY_LEN(ledger_verify_fields);

const struct field ledger_check_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct ledger_check_input, member, need, __VA_ARGS__)
#include "ctl/ledger_check.def"
#undef TEXT
};
const size_t ledger_check_fields_n = ARRAY_LEN(ledger_check_fields);

const struct field ledger_find_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct ledger_find_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...)                                                                  \
	FIELD_ROW_NUMBER(struct ledger_find_input, member, need, __VA_ARGS__)
#include "ctl/ledger_find.def"
#undef NUMBER
#undef TEXT
};
const size_t ledger_find_fields_n = ARRAY_LEN(ledger_find_fields);

/* ---- chains, of a database or a copy ---- */

struct verified {
	struct ledger_chain chain;
	struct verified *next;
};

struct chains {
	struct verified *all;
	struct str node; /* this one only; p NULL: all */
	struct anchor known;
};

static bool read_asked(struct chains *chains, struct str node, struct str anchor, struct err *err)
{
	*chains = (struct chains){.node = node};
	if (!anchor.p)
		return true;
	return (node.p ||
		       fail(err, ERR_INPUT, "whose anchor is it? each node has a chain: --node")) &&
	       anchor_read(anchor, &chains->known, err);
}

static bool is_asked(const struct chains *chains, const char *node)
{
	return !chains->node.p || str_eq(chains->node, str_of(node));
}

static struct ledger_chain *chain_of(struct chains *chains, const char *node)
{
	struct verified *one;

	LL_FOREACH (chains->all, one)
		if (strcmp(one->chain.node, node) == 0)
			return &one->chain;
	one = calloc(1, sizeof(*one));
	if (!one)
		die("memory.exhausted", "bytes=%zu", sizeof(*one));
	(void)snprintf(one->chain.node, sizeof(one->chain.node), "%s", node);
	one->chain.known = chains->known;
	LL_APPEND(chains->all, one);
	return &one->chain;
}

static void chains_free(struct chains *chains)
{
	struct verified *one, *next;
	LL_FOREACH_SAFE (chains->all, one, next)
		free(one);
}

static void print_chain(const struct ledger_chain *chain)
{
	char anchor[ANCHOR_BYTES];

	if (chain->head.position == 0) {
		(void)printf("Node %s has decided nothing.\n", chain->node);
		return;
	}
	anchor_text(&chain->head, anchor);
	(void)printf(
		"Node %s: %" PRIu64 " decisions in links %" PRIu64 " to %" PRIu64
		", each as it was written%s.\nKeep this anchor where nobody who may change the "
		"database can change it:\n%s\n",
		chain->node, chain->decisions, chain->first, chain->head.position,
		chain->known.position ? ", and the anchor's is still there" : "", anchor);
}

static json_t *chain_json(const struct ledger_chain *chain)
{
	char anchor[ANCHOR_BYTES];

	anchor_text(&chain->head, anchor);
	return json_pack("{s:s, s:I, s:I, s:I, s:o, s:b}", "node", chain->node, "decisions",
		(json_int_t)chain->decisions, "first", (json_int_t)chain->first, "last",
		(json_int_t)chain->head.position, "anchor",
		chain->head.position ? json_string(anchor) : json_null(), "held_against_anchor",
		(int)(chain->known.position > 0));
}

static bool tell(const struct ctl *ctl, const struct chains *chains, struct err *err)
{
	const struct verified *one;
	json_t *all = ctl->json ? json_array() : NULL;

	LL_FOREACH (chains->all, one)
		if (!ledger_end(&one->chain, err)) {
			json_decref(all);
			return false;
		}
	LL_FOREACH (chains->all, one)
		if (all)
			json_array_append_new(all, chain_json(&one->chain));
		else
			print_chain(&one->chain);
	if (all)
		out_json(json_pack("{s:o}", "nodes", all));
	else if (!chains->all)
		(void)printf("The ledger is empty.\n");
	return true;
}

static bool add_link(void *chain, const struct ledger_link *link, struct err *err)
{
	return ledger_add(chain, link, err);
}

/* Calls fn for each node that is asked for. */
typedef bool node_fn(struct ctl *ctl, const char *node, void *arg, struct err *err);

static bool each_node(
	struct ctl *ctl, const struct chains *chains, node_fn *fn, void *arg, struct err *err)
{
	struct rows nodes = ROWS_INIT;
	char node[sizeof(((struct ledger_chain *)NULL)->node)];
	bool ok = ledger_nodes(ctl->db, &nodes, err);

	for (int row = 0; ok && row < nodes.n; row++)
		if (str_copy(node, sizeof(node), row_text(&nodes, row, 0)) &&
			is_asked(chains, node))
			ok = fn(ctl, node, arg, err);
	rows_free(&nodes);
	return ok;
}

static bool verify_node(struct ctl *ctl, const char *node, void *chains, struct err *err)
{
	return ledger_each(ctl->db, node, add_link, chain_of(chains, node), err);
}

bool ledger_verify_chains(struct ctl *ctl, struct err *err)
{
	const struct ledger_verify_input *input = &ctl->input.ledger_verify;
	struct chains chains;

	if (!fields_check(ledger_verify_fields, ledger_verify_fields_n, input, err) ||
		!read_asked(&chains, input->node, input->anchor, err) || !ctl_db(ctl, err))
		return false;
	bool ok = each_node(ctl, &chains, verify_node, &chains, err) && tell(ctl, &chains, err);
	chains_free(&chains);
	return ok;
}

/* ---- a copy ---- */

static bool check_line(struct chains *chains, struct str line, struct strbuf *node,
	struct strbuf *decisions, struct err *err)
{
	struct ledger_link link;

	if (!ledger_from_line(line, node, decisions, &link, err))
		return false;
	strbuf_add(node, "", 1);
	return !is_asked(chains, node->p) || ledger_add(chain_of(chains, node->p), &link, err);
}

static bool check_file(struct chains *chains, FILE *file, struct err *err)
{
	struct strbuf node = STRBUF_INIT, decisions = STRBUF_INIT;
	struct err why;
	char *line = NULL;
	size_t size = 0, number = 0;
	ssize_t n;
	bool ok = true;

	while (ok && (n = getline(&line, &size, file)) > 0) {
		number++;
		ok = check_line(chains, (struct str){line, (size_t)n}, &node, &decisions, &why);
	}
	if (!ok)
		(void)fail(err, why.kind, "line %zu: %s", number, why.text);
	free(line);
	strbuf_free(&node);
	strbuf_free(&decisions);
	return ok && (!ferror(file) ||
			     fail(err, ERR_INPUT, "the file cannot be read: %s", strerror(errno)));
}

bool ledger_check_copy(struct ctl *ctl, struct err *err)
{
	const struct ledger_check_input *input = &ctl->input.ledger_check;
	struct chains chains;
	char path[4097];

	if (!fields_check(ledger_check_fields, ledger_check_fields_n, input, err) ||
		!read_asked(&chains, input->node, input->anchor, err) ||
		!str_copy(path, sizeof(path), input->path))
		return false;
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	if (!file)
		return fail(err, ERR_INPUT, "%s cannot be read: %s", path, strerror(errno));
	bool ok = check_file(&chains, file, err) && tell(ctl, &chains, err);
	if (!is_stdin)
		(void)fclose(file);
	chains_free(&chains);
	return ok;
}

static bool print_link(void *node, const struct ledger_link *link, struct err *err)
{
	(void)err;
	out_json(ledger_to_json(node, link));
	return true;
}

static bool export_node(struct ctl *ctl, const char *node, void *arg, struct err *err)
{
	(void)arg;
	return ledger_each(ctl->db, node, print_link, (void *)(uintptr_t)node, err);
}

bool ledger_export(struct ctl *ctl, struct err *err)
{
	const struct ledger_verify_input *input = &ctl->input.ledger_verify;
	struct chains chains;

	return fields_check(ledger_verify_fields, ledger_verify_fields_n, input, err) &&
	       read_asked(&chains, input->node, (struct str){NULL, 0}, err) && ctl_db(ctl, err) &&
	       each_node(ctl, &chains, export_node, NULL, err);
}

/* ---- one call, or one number ---- */

enum { DAYS = 7, WORD_BYTES = 64 };

/* As it stands in the ledger: a number by its pseudonym, which whoever has the secret key can make. */
static bool word_of(struct ctl *ctl, struct str asked, char out[WORD_BYTES], struct err *err)
{
	struct secret_key key;
	char pseudonym[PSEUDONYM_BYTES];

	if (asked.n > 4 && memcmp(asked.p, "ccs-", 4) == 0)
		return str_copy(out, WORD_BYTES, asked);
	struct str digits = asked.p[0] == '+' ? (struct str){asked.p + 1, asked.n - 1} : asked;
	if (!secret_load_key(ctl->conf.common_secret_key_file, &key, err))
		return false;
	secret_pseudonym(&key, digits, pseudonym);
	secret_wipe(&key, sizeof(key));
	(void)snprintf(out, WORD_BYTES, "number=%s", pseudonym);
	return true;
}

/* The columns of ledger_search. */
enum { NODE, POSITION, AT, LINE };

static json_t *decision_json(const struct rows *rows, int row)
{
	return json_pack("{s:o, s:I, s:o, s:o}", "node", out_text(row_text(rows, row, NODE)),
		"position", (json_int_t)row_i64(rows, row, POSITION), "at",
		out_time(row_time(rows, row, AT)), "decision", out_text(row_text(rows, row, LINE)));
}

static void print_decision(const struct rows *rows, int row)
{
	struct str node = row_text(rows, row, NODE), line = row_text(rows, row, LINE);
	char at[CLOCK_TEXT_BYTES];

	(void)printf("%s  %.*s:%" PRId64 "  %.*s\n", clock_utc(row_time(rows, row, AT), at),
		(int)node.n, node.p, row_i64(rows, row, POSITION), (int)line.n, line.p);
}

bool ledger_find_word(struct ctl *ctl, struct err *err)
{
	const struct ledger_find_input *input = &ctl->input.ledger_find;
	int64_t days = input->days == FIELD_NOT_GIVEN ? DAYS : input->days;
	struct rows rows = ROWS_INIT;
	char word[WORD_BYTES];

	if (!fields_check(ledger_find_fields, ledger_find_fields_n, input, err) ||
		!word_of(ctl, input->word, word, err) || !ctl_db(ctl, err) ||
		!ledger_search(ctl->db, str_of(word), clock_wall_us() - days * 86400 * US_PER_S,
			&rows, err))
		return false;
	json_t *found = ctl->json ? json_array() : NULL;
	for (int row = 0; row < rows.n; row++)
		if (found)
			json_array_append_new(found, decision_json(&rows, row));
		else
			print_decision(&rows, row);
	if (found)
		out_json(json_pack("{s:o}", "decisions", found));
	else if (rows.n == 0)
		(void)printf("Nothing was decided about it in the last %" PRId64 " days.\n", days);
	rows_free(&rows);
	return true;
}
