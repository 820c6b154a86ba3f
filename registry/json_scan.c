/* The one-pass scanner: see json_scan.h. */
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/log.h"
#include "registry/json_scan.h"

#include "common/base.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	"plain_end finds the first byte of a word by ctz");

struct json_key {
	struct json_digest digest;
	const char *at;
};

/* Kinds of values must not be mistaken for each other: each hashes with a seed of its own, or
 * starts from it. */
enum { SEED_STRING = 1, SEED_NUMBER, SEED_WORD, SEED_CHAIN, SEED_ARRAY, SEED_OBJECT };

static struct json_digest digest_bytes(const void *bytes, size_t n, uint64_t seed)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(bytes, n, seed);
	return (struct json_digest){(unsigned __int128)h.high64 << 64 | h.low64};
}

struct json_digest json_chain(const struct json_digest *parts, size_t n)
{
	return digest_bytes(parts, n * sizeof(*parts), SEED_CHAIN);
}

void scan_begin(struct json_scan *scan, struct str text, struct err *err)
{
	*scan = (struct json_scan){.begin = text.p,
		.at = text.p,
		.end = text.p + text.n,
		.err = err,
		.unescaped = STRBUF_INIT};
}

void scan_end(struct json_scan *scan)
{
	strbuf_free(&scan->unescaped);
	free(scan->keys);
}

/* Always false: the text is wrong at `at`. */
static bool broken(struct json_scan *scan, const char *at, const char *what)
{
	size_t line = 1, column = 1;
	for (const char *p = scan->begin; p < at; p++) {
		line += *p == '\n';
		column = *p == '\n' ? 1 : column + 1;
	}
	return fail_code(scan->err, ERR_INPUT, "invalid_json",
		"the body is not valid JSON: %s at line %zu, column %zu", what, line, column);
}

static void skip_space(struct json_scan *scan)
{
	const char *p = scan->at;
	while (p < scan->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	scan->at = p;
}

/* Uses up c, if it comes next. */
static bool take(struct json_scan *scan, char c)
{
	skip_space(scan);
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

static bool expected(struct json_scan *scan, const char *what)
{
	return broken(scan, scan->at, scan->at == scan->end ? "it ends too early" : what);
}

enum json_kind scan_peek(struct json_scan *scan)
{
	static const uint8_t kind[256] = {
		['{'] = JSON_IS_OBJECT,
		['['] = JSON_IS_ARRAY,
		['"'] = JSON_IS_STRING,
		['-'] = JSON_IS_NUMBER,
		['0' ... '9'] = JSON_IS_NUMBER,
		['t'] = JSON_IS_BOOLEAN,
		['f'] = JSON_IS_BOOLEAN,
		['n'] = JSON_IS_NULL,
	};
	skip_space(scan);
	return scan->at == scan->end ? JSON_NOTHING : (enum json_kind)kind[(uint8_t)*scan->at];
}

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[JSON_KIND__N] = {
		[JSON_NOTHING] = "nothing",
		[JSON_IS_OBJECT] = "an object",
		[JSON_IS_ARRAY] = "an array",
		[JSON_IS_STRING] = "a string",
		[JSON_IS_NUMBER] = "a number",
		[JSON_IS_BOOLEAN] = "true or false",
		[JSON_IS_NULL] = "null",
	};
	return names[kind];
}

/* ---- strings ---- */

/* The first byte that is not plain text: a quote, a backslash, a control byte or one above 0x7f.
 * Eight bytes at a time: a subtraction borrows into the high bit of just those bytes (and,
 * harmlessly, of some behind the first). */
static const char *plain_end(const char *p, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	while (end - p >= 8) {
		uint64_t word;
		memcpy(&word, p, sizeof(word));
		uint64_t stops = (((word ^ (ones * '"')) - ones) | ((word ^ (ones * '\\')) - ones) |
					 (word - ones * ' ') | word) &
				 (ones << 7);
		if (stops)
			return p + __builtin_ctzll(stops) / 8;
		p += 8;
	}
	while (p < end && (uint8_t)*p >= ' ' && (uint8_t)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* Length of the UTF-8 character at p, which starts with a byte above 0x7f; 0 when it is none
 * (Unicode, table 3-7). */
static size_t utf8_length(const char *p, const char *end)
{
	const uint8_t *b = (const uint8_t *)p;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	size_t n = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if ((size_t)(end - p) < n)
		return 0;
	uint8_t low = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
	uint8_t high = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
	if (b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (b[i] < 0x80 || b[i] > 0xbf)
			return 0;
	return n;
}

static void utf8_add(struct strbuf *out, uint32_t c)
{
	char b[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		b[i] = (char)(0x80 | (c & 0x3f));
	b[0] = (char)(lead[n] | c);
	strbuf_add(out, b, n);
}

/* Four hex digits at p; -1 when they are not. */
static int32_t hex4(const char *p, const char *end)
{
	int32_t value = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* \uXXXX at p, or two of them for a character outside the basic plane; the end, or NULL. */
static const char *unescape_unicode(struct json_scan *scan, const char *p)
{
	int32_t c = hex4(p + 2, scan->end);
	const char *wrong = c < 0    ? "\\u wants four hex digits"
			    : c == 0 ? "\\u0000 is not allowed"
				     : NULL;
	const char *end = p + 6;
	if (!wrong && c >= 0xd800 && c <= 0xdfff) {
		bool pair = c < 0xdc00 && scan->end - end >= 6 && end[0] == '\\' && end[1] == 'u';
		int32_t low = pair ? hex4(end + 2, scan->end) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			wrong = "half a surrogate pair";
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		end += 6;
	}
	if (wrong) {
		(void)broken(scan, p, wrong);
		return NULL;
	}
	utf8_add(&scan->unescaped, (uint32_t)c);
	return end;
}

static const char *unescape(struct json_scan *scan, const char *p)
{
	static const char means[256] = {['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['b'] = '\b',
		['f'] = '\f',
		['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t'};
	if (scan->end - p >= 2 && p[1] == 'u')
		return unescape_unicode(scan, p);
	if (scan->end - p < 2 || !means[(uint8_t)p[1]]) {
		(void)broken(scan, p, "a backslash that escapes nothing");
		return NULL;
	}
	strbuf_putc(&scan->unescaped, means[(uint8_t)p[1]]);
	return p + 2;
}

bool scan_string(struct json_scan *scan, struct str *text, struct json_digest *digest)
{
	const char *run = scan->at + 1; /* what is not yet in unescaped */
	bool escaped = false;
	const char *p = run;
	for (;;) {
		p = plain_end(p, scan->end);
		if (p == scan->end)
			return broken(scan, scan->at, "a string that does not end");
		if (*p == '"')
			break;
		if (*p == '\\') {
			if (!escaped)
				strbuf_reset(&scan->unescaped);
			escaped = true;
			strbuf_add(&scan->unescaped, run, (size_t)(p - run));
			run = p = unescape(scan, p);
			if (!p)
				return false;
			continue;
		}
		if ((uint8_t)*p < ' ')
			return broken(scan, p, "a control character in a string");
		size_t n = utf8_length(p, scan->end);
		if (n == 0)
			return broken(scan, p, "a byte that is not UTF-8");
		p += n;
	}
	if (escaped)
		strbuf_add(&scan->unescaped, run, (size_t)(p - run));
	*text = escaped ? strbuf_view(&scan->unescaped) : (struct str){run, (size_t)(p - run)};
	*digest = digest_bytes(text->p, text->n, SEED_STRING);
	scan->at = p + 1;
	return true;
}

/* ---- numbers ---- */

/* A number's spelling in pieces: -whole.fraction e exponent. */
struct number_text {
	bool negative, exponent_negative;
	struct str whole, fraction, exponent;
};

static struct str take_digits(struct json_scan *scan)
{
	const char *from = scan->at;
	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return (struct str){from, (size_t)(scan->at - from)};
}

static bool next_is(const struct json_scan *scan, char c)
{
	return scan->at < scan->end && *scan->at == c;
}

static bool number_split(struct json_scan *scan, struct number_text *number)
{
	*number = (struct number_text){.negative = next_is(scan, '-')};
	scan->at += number->negative;
	number->whole = take_digits(scan);
	if (number->whole.n == 0)
		return expected(scan, "a number without digits");
	if (number->whole.n > 1 && number->whole.p[0] == '0')
		return broken(scan, number->whole.p, "a number with a zero in front");
	if (next_is(scan, '.')) {
		scan->at++;
		number->fraction = take_digits(scan);
		if (number->fraction.n == 0)
			return expected(scan, "a number without digits behind the point");
	}
	if (next_is(scan, 'e') || next_is(scan, 'E')) {
		scan->at++;
		number->exponent_negative = next_is(scan, '-');
		scan->at += number->exponent_negative || next_is(scan, '+');
		number->exponent = take_digits(scan);
		if (number->exponent.n == 0)
			return expected(scan, "a number without digits in its exponent");
	}
	return true;
}

/* The exponent as a number, or false when it is beyond any use. */
static bool exponent_of(const struct number_text *number, int64_t *exponent)
{
	enum { MAX_DIGITS = 17 };
	struct str digits = number->exponent;
	while (digits.n > 0 && digits.p[0] == '0')
		digits = (struct str){digits.p + 1, digits.n - 1};
	if (digits.n > MAX_DIGITS)
		return false;
	*exponent = 0;
	for (size_t i = 0; i < digits.n; i++)
		*exponent = *exponent * 10 + (digits.p[i] - '0');
	if (number->exponent_negative)
		*exponent = -*exponent;
	return true;
}

/* 1, 1.0, 10e-1 and 1E+0 are one value: digits without zeros at either end, times a power of ten.
 */
static struct json_digest number_digest(struct json_scan *scan, const struct number_text *number)
{
	struct strbuf *digits = &scan->unescaped;
	strbuf_reset(digits);
	strbuf_str(digits, number->whole);
	strbuf_str(digits, number->fraction);
	size_t from = 0, end = digits->n;
	while (from < end && digits->p[from] == '0')
		from++;
	if (from == end)
		return digest_bytes("0", 1, SEED_NUMBER);
	int64_t power = 0;
	for (; digits->p[end - 1] == '0'; end--)
		power++;
	digits->n = end;
	int64_t exponent;
	if (exponent_of(number, &exponent))
		power += exponent - (int64_t)number->fraction.n;
	else /* equal only to itself, digit by digit */
		strbuf_printf(digits, "e%c%.*s.%zu", number->exponent_negative ? '-' : '+',
			(int)number->exponent.n, number->exponent.p, number->fraction.n);
	strbuf_add(digits, &power, sizeof(power));
	strbuf_putc(digits, number->negative ? '-' : '+');
	return digest_bytes(digits->p + from, digits->n - from, SEED_NUMBER);
}

static bool scan_number(struct json_scan *scan, struct json_digest *digest)
{
	struct number_text number;
	if (!number_split(scan, &number))
		return false;
	*digest = number_digest(scan, &number);
	return true;
}

static bool scan_word(struct json_scan *scan, struct json_digest *digest)
{
	static const struct str words[] = {STR("true"), STR("false"), STR("null")};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if ((size_t)(scan->end - scan->at) < words[i].n ||
			memcmp(scan->at, words[i].p, words[i].n) != 0)
			continue;
		*digest = digest_bytes(words[i].p, words[i].n, SEED_WORD);
		scan->at += words[i].n;
		return true;
	}
	return broken(scan, scan->at, "a word that is not true, false or null");
}

/* ---- containers ---- */

static struct json_key *key_push(struct json_scan *scan)
{
	if (scan->n_keys == scan->cap_keys) {
		scan->cap_keys = MAX(scan->cap_keys * 2, (size_t)64);
		scan->keys = reallocarray(scan->keys, scan->cap_keys, sizeof(*scan->keys));
		if (!scan->keys)
			die("memory.exhausted", "keys=%zu", scan->cap_keys);
	}
	return &scan->keys[scan->n_keys++];
}

/* By digest; equal ones by place, so that the later of two is reported. */
static int key_order(const void *a, const void *b)
{
	const struct json_key *x = a, *y = b;
	if (x->digest.v != y->digest.v)
		return x->digest.v < y->digest.v ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* The keys from first on belong to an object that has just closed: all different? Forgets them. */
static bool keys_close(struct json_scan *scan, size_t first)
{
	enum { FEW = 12 }; /* fewer comparisons than a sort */
	struct json_key *keys = scan->keys + first;
	size_t n = scan->n_keys - first;
	const char *twice = NULL;
	if (n > FEW)
		qsort(keys, n, sizeof(*keys), key_order);
	for (size_t i = 1; i < n && !twice; i++)
		for (size_t j = n > FEW ? i - 1 : 0; j < i && !twice; j++)
			if (keys[i].digest.v == keys[j].digest.v)
				twice = keys[i].at;
	scan->n_keys = first;
	return !twice || broken(scan, twice, "a key that this object already has");
}

static bool scan_member(struct json_scan *scan, json_member_fn *fn, void *arg)
{
	struct str name;
	struct json_digest digest;
	if (scan_peek(scan) != JSON_IS_STRING)
		return expected(scan, "something else than a key in double quotes");
	const char *at = scan->at;
	if (!scan_string(scan, &name, &digest))
		return false;
	*key_push(scan) = (struct json_key){digest, at};
	if (!take(scan, ':'))
		return expected(scan, "a key without a colon");
	return fn(arg, scan, name, &digest);
}

bool scan_object(struct json_scan *scan, json_member_fn *fn, void *arg)
{
	size_t first = scan->n_keys;
	scan->at++;
	if (take(scan, '}'))
		return true;
	do {
		if (scan->n_keys - first == JSON_MAX_MEMBERS)
			return broken(scan, scan->at, "an object with more than 1024 members");
		if (!scan_member(scan, fn, arg))
			return false;
	} while (take(scan, ','));
	return take(scan, '}') ? keys_close(scan, first)
			       : expected(scan, "no comma or brace behind a member");
}

bool scan_array(struct json_scan *scan, json_element_fn *fn, void *arg)
{
	scan->at++;
	if (take(scan, ']'))
		return true;
	do {
		if (!fn(arg, scan))
			return false;
	} while (take(scan, ','));
	return take(scan, ']') || expected(scan, "no comma or bracket behind an element");
}

static bool add_member(
	void *arg, struct json_scan *scan, struct str name, const struct json_digest *key)
{
	struct json_digest *sum = arg, member[2] = {*key};
	(void)name;
	if (!scan_value(scan, &member[1]))
		return false;
	sum->v += json_chain(member, ARRAY_LEN(member)).v;
	return true;
}

static bool add_element(void *arg, struct json_scan *scan)
{
	struct json_digest *chain = arg, link[2] = {*chain};
	if (!scan_value(scan, &link[1]))
		return false;
	*chain = json_chain(link, ARRAY_LEN(link));
	return true;
}

static bool scan_container(struct json_scan *scan, enum json_kind kind, struct json_digest *digest)
{
	if (scan->depth == JSON_MAX_DEPTH)
		return broken(scan, scan->at, "a value nested deeper than 16 levels");
	scan->depth++;
	digest->v = kind == JSON_IS_OBJECT ? SEED_OBJECT : SEED_ARRAY;
	bool ok = kind == JSON_IS_OBJECT ? scan_object(scan, add_member, digest)
					 : scan_array(scan, add_element, digest);
	scan->depth--;
	return ok;
}

bool scan_value(struct json_scan *scan, struct json_digest *digest)
{
	struct str text;
	enum json_kind kind = scan_peek(scan);
	switch (kind) {
	case JSON_IS_STRING:
		return scan_string(scan, &text, digest);
	case JSON_IS_NUMBER:
		return scan_number(scan, digest);
	case JSON_IS_BOOLEAN:
	case JSON_IS_NULL:
		return scan_word(scan, digest);
	case JSON_IS_OBJECT:
	case JSON_IS_ARRAY:
		return scan_container(scan, kind, digest);
	case JSON_NOTHING:
	case JSON_KIND__N:
		break;
	}
	return expected(scan, "something that begins no value");
}

bool scan_finish(struct json_scan *scan)
{
	skip_space(scan);
	return scan->at == scan->end || broken(scan, scan->at, "more text behind the end");
}
