/* Moods as text: see mood.h. */
#include "tests/farm/mood.h"

#include "common/base.h"

static const struct {
	struct str name;
	uint32_t value, most;
	const char *meaning;
} moods[MOOD__N] = {
#define MOOD(constant, name, value, most, meaning)                                                 \
	[MOOD_##constant] = {{name, sizeof(name) - 1}, value, most, meaning},
#include "tests/farm/mood.def"
#undef MOOD
};

static bool add(struct mood *mood, struct str text, struct err *err)
{
	struct str name = {"", 0}, value = text;
	uint64_t n;
	size_t i = 0;

	(void)str_split(&value, '=', &name);
	while (i < MOOD__N && !str_eq(moods[i].name, name))
		i++;
	if (i == MOOD__N)
		return fail(err, ERR_INPUT, "there is no mood %.*s; ccs-farm --help lists them",
			(int)MIN(name.n, (size_t)40), name.p);
	n = moods[i].value;
	if (value.p && !str_to_u64(value, 1, moods[i].most, &n))
		return fail(err, ERR_INPUT, "%s takes a number from 1 to %u, not %.*s",
			moods[i].name.p, moods[i].most, (int)MIN(value.n, (size_t)40), value.p);
	mood->on[i] = true;
	mood->value[i] = (uint32_t)n;
	return true;
}

bool mood_parse(struct str text, struct mood *mood, struct err *err)
{
	struct mood read = {0};
	struct str one;

	if (!str_eq(text, STR("normal")))
		while (str_split(&text, ',', &one))
			if (!add(&read, one, err))
				return false;
	if (read.on[MOOD_ANSWER] && read.on[MOOD_BUSY])
		return fail(err, ERR_INPUT, "a call cannot be answered and busy");
	*mood = read;
	return true;
}

void mood_print(const struct mood *mood, struct strbuf *out)
{
	size_t before = out->n;

	for (size_t i = 0; i < MOOD__N; i++) {
		if (!mood->on[i])
			continue;
		strbuf_printf(out, "%s%s", out->n > before ? "," : "", moods[i].name.p);
		if (moods[i].most)
			strbuf_printf(out, "=%u", mood->value[i]);
	}
	if (out->n == before)
		strbuf_puts(out, "normal");
}

void mood_explain(struct strbuf *out)
{
	for (size_t i = 0; i < MOOD__N; i++) {
		strbuf_printf(out, "  %-9s %s", moods[i].name.p, moods[i].meaning);
		if (moods[i].most)
			strbuf_printf(out, " (%u)", moods[i].value);
		strbuf_putc(out, '\n');
	}
}
