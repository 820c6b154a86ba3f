/* Results of calls: see result.h. */
#include "shm/result.h"

#include "common/utf8.h"

#include "common/base.h"

static const char *const words[RESULT_VERDICT__N] = {
	[RESULT_TAKEN] = "taken",
	[RESULT_KNOWN] = "known already",
	[RESULT_BAD_NAME] = "a name has 1 to 40 letters, digits and '_'",
	[RESULT_BAD_VALUE] = "a value has at most 500 bytes, UTF-8 without control characters",
	[RESULT_TOO_MANY] = "a call has at most 32 results",
	[RESULT_TOO_LONG] =
		"a call's results have at most 2000 bytes together, replaced ones included",
};

const char *result_verdict_words(enum result_verdict verdict)
{
	return words[verdict];
}

static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || c == '_';
		if (!ok)
			return false;
	}
	return name.n >= 1 && name.n <= RESULT_NAME_MAX;
}

static bool is_value(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
			return false;
	return value.n <= RESULT_VALUE_MAX && utf8_is_text(value);
}

enum result_verdict result_judge(struct str name, struct str value)
{
	if (!is_name(name))
		return RESULT_BAD_NAME;
	return is_value(value) ? RESULT_TAKEN : RESULT_BAD_VALUE;
}

static struct shm_result *result_of(const struct segment *seg, uint32_t slot)
{
	return &seg_results(seg, NULL)[slot];
}

struct str result_log(const struct segment *seg, uint32_t slot)
{
	const struct shm_result *result = result_of(seg, slot);
	uint32_t n = atomic_load_explicit(&result->n, memory_order_acquire);
	return (struct str){result->text, MIN(n, (uint32_t)RESULT_TEXT_BYTES)};
}

static bool next(struct str *log, struct str *name, struct str *value)
{
	struct str line;
	if (log->n == 0 || !str_split(log, '\n', &line) || line.n == 0)
		return false;
	*value = line;
	return str_split(value, ':', name);
}

bool result_find(struct str log, struct str name, struct str *value)
{
	struct str one, text;
	bool found = false;

	while (next(&log, &one, &text))
		if (str_eq(one, name)) {
			*value = text;
			found = true;
		}
	return found;
}

/* Each name stands where it was told last. */
static uint32_t write_json(struct str log, struct strbuf *out)
{
	struct str name, value, later;
	uint32_t n = 0;

	strbuf_putc(out, '{');
	while (next(&log, &name, &value)) {
		if (result_find(log, name, &later))
			continue;
		if (n++)
			strbuf_putc(out, ',');
		strbuf_json(out, name);
		strbuf_putc(out, ':');
		strbuf_json(out, value);
	}
	strbuf_putc(out, '}');
	return n;
}

void result_json(struct str log, struct strbuf *out)
{
	(void)write_json(log, out);
}

/* Would all of it be short enough, with what lies behind its end? */
static enum result_verdict judge_all(struct str log)
{
	struct strbuf json = STRBUF_INIT;
	uint32_t n = write_json(log, &json);
	size_t bytes = json.n;

	strbuf_free(&json);
	if (n > RESULT_KEYS_MAX)
		return RESULT_TOO_MANY;
	return bytes <= RESULT_JSON_MAX ? RESULT_TAKEN : RESULT_TOO_LONG;
}

enum result_verdict result_add(
	struct segment *seg, uint32_t slot, struct str name, struct str value)
{
	struct shm_result *result = result_of(seg, slot);
	struct str log = result_log(seg, slot), holds;
	enum result_verdict verdict = result_judge(name, value);

	if (verdict != RESULT_TAKEN)
		return verdict;
	if (result_find(log, name, &holds) && str_eq(holds, value))
		return RESULT_KNOWN;
	size_t n = name.n + value.n + 2;
	if (n > RESULT_TEXT_BYTES - log.n)
		return RESULT_TOO_LONG;
	char *to = result->text + log.n;
	memcpy(to, name.p, name.n);
	to[name.n] = ':';
	if (value.n)
		memcpy(to + name.n + 1, value.p, value.n);
	to[n - 1] = '\n';
	verdict = judge_all((struct str){result->text, log.n + n});
	if (verdict == RESULT_TAKEN)
		atomic_store_explicit(&result->n, (uint32_t)(log.n + n), memory_order_release);
	return verdict;
}

void result_clear(struct segment *seg, uint32_t slot)
{
	struct shm_result *result = result_of(seg, slot);
	if (atomic_load_explicit(&result->n, memory_order_relaxed))
		atomic_store_explicit(&result->n, 0, memory_order_release);
}

bool result_is_sane(const struct segment *seg, uint32_t slot)
{
	const struct shm_result *result = result_of(seg, slot);
	uint32_t n = atomic_load_explicit(&result->n, memory_order_acquire);
	return n == 0 || (n <= RESULT_TEXT_BYTES && result->text[n - 1] == '\n');
}
