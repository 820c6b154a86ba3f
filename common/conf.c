/* ini file to struct: see conf.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <ini.h>

#include "common/conf.h"
#include "common/str.h"

#include "common/base.h"

struct option {
	const char *section;
	const char *name;
	size_t offset;
	bool is_number;
	const char *words; /* one of them it must be; NULL: any text */
	const char *default_text;
	int64_t default_number, min, max;
	const char *help;
};

static const struct option options[] = {
#define TEXT(section, name, def, help)                                                             \
	{#section, #name, offsetof(struct conf, section##_##name), false, NULL, def, 0, 0, 0, help},
#define CHOICE(section, name, def, words, help)                                                    \
	{#section, #name, offsetof(struct conf, section##_##name), false, words, def, 0, 0, 0,     \
		help},
#define NUMBER(section, name, def, min, max, help)                                                 \
	{#section, #name, offsetof(struct conf, section##_##name), true, NULL, NULL, def, min,     \
		max, help},
#include "common/conf.def"
#undef TEXT
#undef CHOICE
#undef NUMBER
};

struct parse {
	struct conf *conf;
	const char *path;
	FILE *file;
	int line; /* being handled: Debian's inih is built without its own line argument */
	struct err *err;
	bool refused;
};

static char *text_at(struct conf *conf, const struct option *o)
{
	return (char *)conf + o->offset;
}

static int64_t *number_at(struct conf *conf, const struct option *o)
{
	return (int64_t *)(void *)((char *)conf + o->offset);
}

static const struct option *find(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (str_eq(str_of(options[i].section), str_of(section)) &&
			str_eq(str_of(options[i].name), str_of(name)))
			return &options[i];
	return NULL;
}

static bool is_among(struct str word, const char *words)
{
	struct str rest = str_of(words), one;
	while (str_split(&rest, ' ', &one))
		if (str_eq(one, word))
			return true;
	return false;
}

bool conf_set(
	struct conf *conf, const char *section, const char *name, const char *text, struct err *err)
{
	const struct option *o = find(section, name);
	uint64_t v;

	if (!o)
		return fail(err, ERR_INPUT,
			"there is no option \"%s\" in section [%s]; `ccsctl conf show` lists them",
			name, section);
	if (o->words && !is_among(str_of(text), o->words))
		return fail(err, ERR_INPUT, "%s is \"%s\"; it must be one of: %s", name, text,
			o->words);
	if (!o->is_number)
		return str_copy(text_at(conf, o), CONF_TEXT_BYTES, str_of(text)) ||
		       fail(err, ERR_INPUT, "%s is longer than %d bytes", name,
			       CONF_TEXT_BYTES - 1);
	if (!str_to_u64(str_of(text), (uint64_t)o->min, (uint64_t)o->max, &v))
		return fail(err, ERR_INPUT,
			"%s is \"%s\"; it must be a whole number from %" PRId64 " to %" PRId64,
			name, text, o->min, o->max);
	*number_at(conf, o) = (int64_t)v;
	return true;
}

/* inih's contract: nonzero = fine. */
static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct parse *parse = user;
	if (parse->refused)
		return 1;
	parse->refused = !conf_set(parse->conf, section, name, value, parse->err) &&
			 !fail_context(parse->err, "%s:%d", parse->path, parse->line);
	return !parse->refused;
}

static char *next_line(char *out, int size, void *user)
{
	struct parse *parse = user;
	parse->line++;
	return fgets(out, size, parse->file);
}

bool conf_load(struct conf *conf, const char *path, struct err *err)
{
	struct conf loaded = {0};
	struct parse parse = {.conf = &loaded, .path = path ? path : CONF_DEFAULT_PATH, .err = err};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];
		if (o->is_number)
			*number_at(&loaded, o) = o->default_number;
		else if (!str_copy(text_at(&loaded, o), CONF_TEXT_BYTES, str_of(o->default_text)))
			return fail(err, ERR_INTERNAL, "the default of %s does not fit", o->name);
	}
	parse.file = fopen(parse.path, "re");
	if (!parse.file)
		return fail(err, ERR_INPUT, "cannot read the configuration %s: %s", parse.path,
			strerror(errno));
	int line = ini_parse_stream(next_line, &parse, handle, &parse);
	(void)fclose(parse.file);
	if (parse.refused)
		return false;
	if (line != 0)
		return fail(err, ERR_INPUT, "%s:%d: expected [section] or name = value", parse.path,
			line);
	*conf = loaded;
	return true;
}

void conf_each(const struct conf *conf, conf_fn *fn, void *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];
		const char *at = (const char *)conf + o->offset;
		char number[24] = "";
		if (o->is_number)
			(void)snprintf(number, sizeof(number), "%" PRId64,
				*(const int64_t *)(const void *)at);
		fn(arg, o->section, o->name, o->is_number ? number : at, o->help);
	}
}
