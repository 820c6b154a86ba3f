/* One pass over JSON text that checks all of it and copies none of it.
 *
 * For bodies with many entries: jansson builds a tree, at a twentieth of the speed and with ten
 * times the body's memory; this gives what its caller asks for as slices of the text. What it
 * accepts is what jansson accepts with JSON_REJECT_DUPLICATES: the full grammar, valid UTF-8, no
 * lone surrogate, no \u0000, no key twice in one object, nothing behind the value. Numbers may be
 * of any size, since they stay text; nesting and the members of one object are limited.
 *
 * Every value also has a digest of 128 bits (XXH3) that depends on the value and not on its
 * spelling, to recognise a body that is sent again:
 *
 *   string   its characters, escapes resolved
 *   number   sign, digits without zeros at either end, power of ten
 *   array    a chain over its elements, in order
 *   object   the sum over hash(key, value) of its members
 *
 * A sum does not care about the order of members, and because no key stands in an object twice, no
 * member can stand for another: equal sums mean equal sets of (key, value). So equal values always
 * have equal digests, and different ones by an accident of 1 in 2^128. XXH3 is no cryptographic
 * hash: somebody may construct two bodies with one digest. A digest is compared only with that of
 * the same client's batch of the same id, so all he gains is his own earlier answer.
 */
#ifndef CCS_REGISTRY_JSON_SCAN_H
#define CCS_REGISTRY_JSON_SCAN_H

#include "common/err.h"
#include "common/strbuf.h"

enum {
	JSON_MAX_DEPTH = 16,	 /* containers in containers, inside one scan_value */
	JSON_MAX_MEMBERS = 1024, /* of one object */
};

struct json_digest {
	unsigned __int128 v; /* 0: of nothing */
};

enum json_kind {
	JSON_NOTHING, /* the text ends, or no value begins with this byte */
	JSON_IS_OBJECT,
	JSON_IS_ARRAY,
	JSON_IS_STRING,
	JSON_IS_NUMBER,
	JSON_IS_BOOLEAN,
	JSON_IS_NULL,
	JSON_KIND__N
};

struct json_key;

struct json_scan {
	const char *begin, *at, *end;
	struct err *err;
	unsigned depth;
	struct strbuf unescaped; /* the last string that had escapes */
	struct json_key *keys;	 /* of all objects that are open, outermost first */
	size_t n_keys, cap_keys;
};

/* Begins to read text, which must outlive the scan; failures go to err. End with scan_end. */
void scan_begin(struct json_scan *scan, struct str text, struct err *err);
void scan_end(struct json_scan *scan);

/* What comes next, white space skipped. */
enum json_kind scan_peek(struct json_scan *scan);

/* "an object", for messages. */
const char *json_kind_name(enum json_kind kind);

/* Each of these reads one value of the kind that scan_peek announced and is false, with err filled,
 * when the text is wrong. */

/* Any value, with its digest. What it spans is known from scan->at before and after. */
MUST_USE bool scan_value(struct json_scan *scan, struct json_digest *digest);

/* A string. text points into the body or, if it has escapes, into the scan until its next string.
 */
MUST_USE bool scan_string(struct json_scan *scan, struct str *text, struct json_digest *digest);

/* Calls fn for each member; it must read the member's value and may use name until then. */
typedef bool json_member_fn(
	void *arg, struct json_scan *scan, struct str name, const struct json_digest *key);
MUST_USE bool scan_object(struct json_scan *scan, json_member_fn *fn, void *arg);

/* Calls fn for each element, which it must read. */
typedef bool json_element_fn(void *arg, struct json_scan *scan);
MUST_USE bool scan_array(struct json_scan *scan, json_element_fn *fn, void *arg);

/* Nothing but white space is left. */
MUST_USE bool scan_finish(struct json_scan *scan);

/* The digest of several digests, in this order. */
struct json_digest json_chain(const struct json_digest *parts, size_t n);

#endif
