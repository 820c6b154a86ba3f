/* Completion for bash: see ctl.h. The script knows which words follow which; what depends on the table is two lists of cases. */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

#include "common/base.h"

static const char head[] =
	"# Completion of ccsctl for bash; printed by `ccsctl --print-completion'.\n"
	"_ccsctl()\n"
	"{\n"
	"\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} noun= "
	"verb= words= i\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tcase ${COMP_WORDS[i]} in\n"
	"\t\t-c | --config)\n"
	"\t\t\t[ \"${COMP_WORDS[i + 1]}\" != = ] || ((i++))\n"
	"\t\t\t((i++)) ;;\n"
	"\t\t-*) ;;\n"
	"\t\t*)\n"
	"\t\t\tif [ -z \"$noun\" ]; then noun=${COMP_WORDS[i]}; else verb=${COMP_WORDS[i]}; break; "
	"fi ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t# --file=NAME is three words here: the name, \"=\", what is typed.\n"
	"\tif [ \"$current\" = = ]; then current=; elif [ \"$before\" = = ]; then "
	"before=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
	"\tcase $before in\n"
	"\t-c | --config | --file | --*-file)\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
	"\t\treturn ;;\n"
	"\tesac\n";

static const char tail[] =
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
	"\tcase \"$noun $verb\" in\n"
	"%s"
	"\t\tmapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
	"\tesac\n"
	"\tif [ \"${#COMPREPLY[@]}\" = 1 ] && [ \"${COMPREPLY[0]: -1}\" = = ]; then compopt -o "
	"nospace 2>/dev/null; fi\n"
	"\treturn 0\n"
	"}\n"
	"complete -F _ccsctl ccsctl\n";

/* A noun's first command: they stand together in the table. */
static bool is_first_of_noun(size_t i)
{
	return i == 0 || !str_eq(str_of(commands[i].noun), str_of(commands[i - 1].noun));
}

static void put_nouns(void)
{
	(void)printf("\tcase \"$noun $verb\" in\n\t\" \") words=\"--config= --help --version");
	for (size_t i = 0; i < commands_n; i++)
		if (is_first_of_noun(i))
			(void)printf(" %s", commands[i].noun);
	(void)puts("\" ;;");
}

/* Of a noun with verbs: these. */
static void put_verbs(size_t first)
{
	const char *noun = commands[first].noun;

	if (!*commands[first].verb)
		return;
	(void)printf("\t\"%s \") words=\"", noun);
	for (size_t i = first; i < commands_n && str_eq(str_of(commands[i].noun), str_of(noun));
		i++)
		(void)printf("%s%s", i == first ? "" : " ", commands[i].verb);
	(void)puts("\" ;;");
}

static void put_option(void *arg, const char *name, const char *value, const char *help)
{
	(void)arg;
	(void)help;
	(void)printf(" --%s%s", name, value ? "=" : "");
}

/* A command of one word takes what follows for its own words. */
static void put_options(const struct command *command)
{
	(void)printf("\t\"%s %s\"%s) words=\"--help", command->noun, command->verb,
		*command->verb ? "" : "*");
	options_each(command, put_option, NULL);
	(void)puts("\" ;;");
}

/* The pattern of all commands that take a file: "client-cert add" | "batch load" */
static void file_commands(struct strbuf *pattern)
{
	for (size_t i = 0; i < commands_n; i++)
		if (strstr(commands[i].arguments, "FILE"))
			strbuf_printf(pattern, "%s\"%s %s\"", pattern->n ? " | " : "\t",
				commands[i].noun, commands[i].verb);
	strbuf_puts(pattern, ")\n");
}

void print_completion(void)
{
	struct strbuf pattern = STRBUF_INIT;

	(void)fputs(head, stdout);
	put_nouns();
	for (size_t i = 0; i < commands_n; i++)
		if (is_first_of_noun(i))
			put_verbs(i);
	for (size_t i = 0; i < commands_n; i++)
		put_options(&commands[i]);
	(void)puts("\tesac");
	file_commands(&pattern);
	(void)printf(tail, pattern.p);
	strbuf_free(&pattern);
}
