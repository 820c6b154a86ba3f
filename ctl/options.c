/* Command-line options out of field tables: see ctl.h. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "ctl/ctl.h"

#include "common/base.h"

/* Keys of options: each field has a block of them. */
enum { KEY_JSON = 0x100, KEY_FILE, KEY_YES, KEY_VERSION, KEY_FIELD = 0x200, KEYS_PER_FIELD = 4 };
enum field_key { AS_VALUE, FROM_FILE, FROM_STDIN };

enum {
	FIELDS_MAX = 40,
	OPTIONS_MAX = 2 * FIELDS_MAX + 5,
	NAME_BYTES = 64,
	SECRET_FILE_BYTES = 4096
};

struct parse {
	struct ctl *ctl;
	const struct command *command;
	int option_names_n;
	char names[OPTIONS_MAX][NAME_BYTES];
	struct argp_option options[OPTIONS_MAX + 1];
	int options_n;
	int positional; /* fields that words without option have filled */
};

static void add_option(
	struct parse *parse, const char *name, int key, const char *arg, const char *help)
{
	if (parse->options_n == OPTIONS_MAX)
		die("ctl.too_many_options", "max=%d", OPTIONS_MAX);
	parse->options[parse->options_n++] =
		(struct argp_option){.name = name, .key = key, .arg = arg, .doc = help};
}

/* The option's name, with dashes, and an ending. */
static const char *name_of(struct parse *parse, const struct field *field, const char *ending)
{
	char *out = parse->names[parse->option_names_n++];

	(void)snprintf(
		out, NAME_BYTES, "%s%s", field->option ? field->option : field->name, ending);
	for (char *p = out; *p; p++)
		if (*p == '_')
			*p = '-';
	return out;
}

static const char *argument_of(const struct field *field)
{
	if (field->is_flag)
		return NULL;
	switch (field->type) {
	case FIELD_TEXT:
		return "TEXT";
	case FIELD_NUMBER:
		return "N";
	case FIELD_BOOL:
		return "yes|no";
	case FIELD_LIST:
		return "TEXT...";
	}
	return NULL;
}

static void add_field(struct parse *parse, int i, const struct field *field)
{
	int key = KEY_FIELD + i * KEYS_PER_FIELD;

	if (!field->is_secret) {
		add_option(parse, name_of(parse, field, ""), key + AS_VALUE, argument_of(field),
			field->help);
		return;
	}
	add_option(parse, name_of(parse, field, "-file"), key + FROM_FILE, "FILE", field->help);
	add_option(parse, name_of(parse, field, "-stdin"), key + FROM_STDIN, NULL,
		"the same from standard input");
}

/* All of a file, "-" = standard input, without the newline at its end. */
static bool read_secret(const char *path, struct strbuf *out, struct err *err)
{
	bool is_stdin = str_eq(str_of(path), STR("-"));
	FILE *file = is_stdin ? stdin : fopen(path, "re");

	if (!file)
		return fail(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
	size_t n = fread(strbuf_room(out, SECRET_FILE_BYTES), 1, SECRET_FILE_BYTES, file);
	bool ok = !ferror(file) && n < SECRET_FILE_BYTES;
	if (!is_stdin)
		(void)fclose(file);
	if (!ok)
		return fail(err, ERR_INPUT, "%s cannot be read, or is longer than a secret can be",
			is_stdin ? "standard input" : path);
	while (n && (out->p[n - 1] == '\n' || out->p[n - 1] == '\r'))
		n--;
	out->n = n;
	out->p[n] = '\0';
	return true;
}

static bool take_secret(
	struct ctl *ctl, const struct field *field, const char *path, struct err *err)
{
	if (ctl->secrets_n == CTL_SECRETS_MAX)
		return fail(err, ERR_INPUT, "too many secrets");
	struct strbuf *secret = &ctl->secrets[ctl->secrets_n++];
	return read_secret(path, secret, err) &&
	       field_from_text(field, strbuf_view(secret), &ctl->input, err);
}

static bool take_file(
	struct ctl *ctl, const struct command *command, const char *path, struct err *err)
{
	bool is_stdin = str_eq(str_of(path), STR("-"));
	json_error_t why;

	json_decref(ctl->file);
	ctl->file = is_stdin ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &why)
			     : json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!ctl->file)
		return fail(err, ERR_INPUT, "%s, line %d: %s", is_stdin ? "standard input" : path,
			why.line, why.text);
	return fields_from_json(command->fields, *command->fields_n, ctl->file, &ctl->input, err) ||
	       fail_context(err, "%s", path);
}

static int words_of(const char *arguments)
{
	int n = *arguments != '\0';

	for (const char *p = arguments; *p; p++)
		n += *p == ' ';
	return n;
}

/* Those before the first bracket; the rest may be left out. */
static int words_needed(const char *arguments)
{
	int n = 0;

	for (const char *p = arguments; *p && *p != '['; p++)
		n += *p != ' ' && (p[1] == ' ' || p[1] == '\0');
	return n;
}

/* A word without option: the next field, or the next argument of the command. */
static bool take_word(struct parse *parse, char *word, struct err *err)
{
	struct ctl *ctl = parse->ctl;
	const struct command *command = parse->command;
	if (parse->positional == words_of(command->arguments))
		return fail(err, ERR_INPUT, "\"%s\" is one word too many", word);
	parse->positional++;
	if (command->fields)
		return field_from_text(
			&command->fields[parse->positional - 1], str_of(word), &ctl->input, err);
	ctl->arguments[ctl->arguments_n++] = word;
	return true;
}

static bool take_option(struct parse *parse, int key, char *arg, struct err *err)
{
	const struct field *field = &parse->command->fields[(key - KEY_FIELD) / KEYS_PER_FIELD];

	switch ((enum field_key)((key - KEY_FIELD) % KEYS_PER_FIELD)) {
	case AS_VALUE:
		return field_from_text(
			field, arg ? str_of(arg) : STR("true"), &parse->ctl->input, err);
	case FROM_FILE:
		return take_secret(parse->ctl, field, arg, err);
	case FROM_STDIN:
		return take_secret(parse->ctl, field, "-", err);
	}
	return false;
}

/* What takes --if-version. */
static bool is_edit(const struct command *command)
{
	static command_fn *const edits[] = {client_set, user_set, user_delete, server_set,
		server_remove, alloc_set, alloc_delete, batch_set};

	for (size_t i = 0; i < ARRAY_LEN(edits); i++)
		if (command->run == edits[i])
			return true;
	return false;
}

static bool take_version(struct ctl *ctl, const char *arg, struct err *err)
{
	return str_to_u64(str_of(arg), 1, INT64_MAX, &ctl->if_version) ||
	       fail(err, ERR_INPUT, "--if-version takes a whole number, as `show' has it");
}

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct err err = {0};
	bool ok = true;

	if (key == KEY_JSON)
		parse->ctl->json = true;
	else if (key == KEY_YES)
		parse->ctl->yes = true;
	else if (key == KEY_VERSION)
		ok = take_version(parse->ctl, arg, &err);
	else if (key == KEY_FILE)
		ok = take_file(parse->ctl, parse->command, arg, &err);
	else if (key == ARGP_KEY_ARG)
		ok = take_word(parse, arg, &err);
	else if (key == ARGP_KEY_END && parse->positional < words_needed(parse->command->arguments))
		ok = fail(&err, ERR_INPUT, "%s is missing", parse->command->arguments);
	else if (key >= KEY_FIELD && key < KEY_FIELD + FIELDS_MAX * KEYS_PER_FIELD)
		ok = take_option(parse, key, arg, &err);
	else
		return ARGP_ERR_UNKNOWN;
	if (!ok)
		argp_error(state, "%s", err.text);
	return 0;
}

static void add_options(struct parse *parse)
{
	const struct command *command = parse->command;

	if (command->fields) {
		for (size_t i = 0; i < *command->fields_n; i++)
			add_field(parse, (int)i, &command->fields[i]);
		add_option(parse, "file", KEY_FILE, "FILE",
			"a JSON object with these fields, \"-\" = standard input; options behind "
			"it win");
	}
	if (is_edit(command))
		add_option(parse, "if-version", KEY_VERSION, "N",
			"refuse when it is another version by now: somebody has changed it since");
	add_option(parse, "yes", KEY_YES, NULL, "do not ask before what cannot be undone");
	add_option(parse, "json", KEY_JSON, NULL, "answer with one line of JSON");
}

void options_each(const struct command *command, option_fn *tell, void *arg)
{
	struct parse parse = {.command = command};

	add_options(&parse);
	for (int i = 0; i < parse.options_n; i++)
		tell(arg, parse.options[i].name, parse.options[i].arg, parse.options[i].doc);
}

void options_read(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
	struct parse parse = {.ctl = ctl, .command = command};
	char doc[256];

	if (command->fields)
		fields_clear(command->fields, *command->fields_n, &ctl->input);
	add_options(&parse);
	(void)snprintf(doc, sizeof(doc), "%c%s.", *command->help - 'a' + 'A', command->help + 1);
	const struct argp argp = {.options = parse.options,
		.parser = take,
		.args_doc = command->arguments,
		.doc = doc};
	argp_parse(&argp, argc, argv, 0, NULL, &parse);
}

void options_free(struct ctl *ctl)
{
	for (int i = 0; i < ctl->secrets_n; i++) {
		secret_wipe(ctl->secrets[i].p, ctl->secrets[i].cap);
		strbuf_free(&ctl->secrets[i]);
	}
	json_decref(ctl->file);
	ctl->file = NULL;
}
