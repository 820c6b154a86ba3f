/* The decision ledger: each dial that a dispatcher allowed, refused or took back, with what it knew (migration 0041 has the form). Each node has a chain of its own; a link covers the decisions of one transaction and the link before it:
 *
 *   hash = SHA-256(hash before, "NODE SEQ MICROSECONDS\n", the decisions, a line each)
 *
 * so that a copy can be verified anywhere (`ccsctl ledger export`, `ccsctl ledger verify FILE`). What the chain cannot show by
 * itself shows against an anchor (registry/anchor.h).
 */
#ifndef CCS_REGISTRY_LEDGER_H
#define CCS_REGISTRY_LEDGER_H

#include <jansson.h>

#include "registry/anchor.h"
#include "sql/db.h"

struct ledger_link {
	uint64_t seq;
	int64_t at_us;
	struct str decisions; /* lines, with '\n' between them */
	struct digest before, hash;
};

/* A chain while it is verified. */
struct ledger_chain {
	char node[64];
	struct anchor known; /* that was kept; position 0: none */
	struct anchor head;  /* the last link so far */
	uint64_t first;	     /* position of the first link that was there; 0: none */
	uint64_t decisions;
};

/* The next link. CONFLICT says what does not fit, and where. */
MUST_USE bool ledger_add(
	struct ledger_chain *chain, const struct ledger_link *link, struct err *err);

/* After the last one: an anchor that was not reached is a CONFLICT. */
MUST_USE bool ledger_end(const struct ledger_chain *chain, struct err *err);

/* Every link of a node, in order and in constant memory, from the owner's connection. */
typedef bool ledger_link_fn(void *arg, const struct ledger_link *link, struct err *err);
MUST_USE bool ledger_each(
	struct db *db, const char *node, ledger_link_fn *fn, void *arg, struct err *err);

/* The names of the nodes, one column. */
MUST_USE bool ledger_nodes(struct db *db, struct rows *rows, struct err *err);

/* A link as a line of an export: {"node", "seq", "at_us", "before", "hash", "decisions": [..]}. */
json_t *ledger_to_json(const char *node, const struct ledger_link *link);

/* And back. node and the decisions are written into what is given, to which link points. INPUT: it is no such line. */
MUST_USE bool ledger_from_line(struct str line, struct strbuf *node, struct strbuf *decisions,
	struct ledger_link *link, struct err *err);

/* Decisions in which a word stands since a moment, the last ones first, at most 1,000. Columns: node, position, moment, line. */
MUST_USE bool ledger_search(
	struct db *db, struct str word, int64_t since_us, struct rows *rows, struct err *err);

#endif
