/* Fuzz target: the insert body's scanner against jansson.
 *
 *   1. both accept the same texts, apart from what jansson cannot hold (huge numbers) and what we
 *      limit (nesting, members)
 *   2. a text that jansson has read and written again in another spelling has the same digest
 *   3. reading the bodies of insert and quick call never leaves the text (ASan) and gives custom_data
 *      as a slice that is an object by itself
 *
 * tests/unit/registry/test_batch_scan.c includes this file and replays the corpus.
 *
 * Sources: registry/json_scan.c registry/batch_scan.c common/arena.c common/strbuf.c common/str.c
 * Sources: common/err.c common/log.c common/clock.c
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "registry/batch_scan.h"

#include "common/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str read_now;

static void claim(bool holds)
{
	if (holds)
		return;
	(void)fprintf(stderr, "the readers do not agree about: %.*s\n", (int)read_now.n, read_now.p);
	abort();
}

static bool read_all(struct str text, struct json_digest *digest, struct err *err)
{
	struct json_scan scan;
	scan_begin(&scan, text, err);
	bool ok = scan_value(&scan, digest) && scan_finish(&scan);
	scan_end(&scan);
	return ok;
}

/* jansson prints doubles with another value than they were written with. */
static bool has_real(json_t *value)
{
	if (json_is_real(value))
		return true;
	for (size_t i = 0; i < json_array_size(value); i++)
		if (has_real(json_array_get(value, i)))
			return true;
	for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at))
		if (has_real(json_object_iter_value(at)))
			return true;
	return false;
}

static void check_spellings(json_t *value, struct json_digest digest)
{
	static const size_t spellings[] = {JSON_COMPACT, JSON_INDENT(3) | JSON_SORT_KEYS,
		JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH};
	if (has_real(value))
		return;
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		struct json_digest again;
		char *text = json_dumps(value, spellings[i] | JSON_ENCODE_ANY);
		claim(text && read_all(str_of(text), &again, NULL));
		claim(again.v == digest.v);
		free(text);
	}
}

static void check_value(struct str text)
{
	struct json_digest digest;
	struct err err = {.kind = ERR_NONE};
	json_error_t error;
	read_now = text;
	bool ours = read_all(text, &digest, &err);
	json_t *theirs =
		json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (ours && theirs)
		check_spellings(theirs, digest);
	else if (ours)
		claim(json_error_code(&error) == json_error_numeric_overflow);
	else if (theirs) /* jansson takes a NUL byte behind the value for the end */
		claim(memchr(text.p, '\0', text.n) || strstr(err.text, "nested deeper") ||
			strstr(err.text, "more than 1024"));
	json_decref(theirs);
}

static bool check_entry(void *arg, const struct batch_entry *entry, struct err *err)
{
	struct json_digest digest;
	(void)arg;
	(void)err;
	claim(entry->problem || entry->phone_number.p);
	if (entry->custom_data.p && !entry->problem)
		claim(entry->custom_data.p[0] == '{' &&
			read_all(entry->custom_data, &digest, NULL));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct arena *arena = arena_new(1 << 20);
	struct batch_head head;
	struct batch_entry entry;
	struct err err;
	check_value(text);
	if (batch_scan(text, 1000, arena, check_entry, NULL, &head, &err))
		claim(head.entries > 0 && head.entries <= 1000 && head.batch_id >= 1);
	else
		claim(err.kind == ERR_INPUT || err.kind == ERR_TOO_LARGE);
	if (entry_scan(text, arena, &entry, &err))
		claim(check_entry(NULL, &entry, &err));
	arena_free(arena);
	return 0;
}
