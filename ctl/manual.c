/* ccsctl.8: see ctl.h. */
#include <stdio.h>

#include "ctl/ctl.h"

#include "common/base.h"

static const char head[] =
	".TH CCSCTL 8 \"\" \"ccs " CCS_VERSION "\" \"System administration\"\n"
	".SH NAME\n"
	"ccsctl \\- the operator\\(aqs tool of the Centralized Calling System\n"
	".SH SYNOPSIS\n"
	".B ccsctl\n"
	"[\\fB\\-c\\fR \\fIFILE\\fR] \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]\n"
	".SH DESCRIPTION\n"
	"It reads shared memory, and changes the world through the database only, so that every "
	"act leaves a row in the audit.\n"
	"It asks before what cannot be undone; with\n"
	".B \\-\\-json\n"
	"it answers with one line of JSON.\n"
	"Secrets are never words of a command: they come from a file, or from standard input.\n"
	".SH OPTIONS\n"
	".TP\n"
	"\\fB\\-c\\fR, \\fB\\-\\-config\\fR=\\fIFILE\\fR\n"
	"The configuration. Default: $CCS_CONF, else " CONF_DEFAULT_PATH ".\n"
	".TP\n"
	"\\fB\\-\\-print\\-completion\\fR, \\fB\\-\\-print\\-manual\\fR\n"
	"What bash needs to complete commands and options; this page.\n"
	".SH COMMANDS\n"
	"All of them take\n"
	".BR \\-\\-json ,\n"
	".B \\-\\-yes\n"
	"(do not ask), and\n"
	".BR \\-\\-help .\n";

static const char tail[] =
	".SH ENVIRONMENT\n"
	".TP\n"
	".B CCS_CONF\n"
	"The configuration, where no option names it.\n"
	".SH FILES\n"
	".TP\n"
	".I " CONF_DEFAULT_PATH "\n"
	"The configuration; its options are those of\n"
	".BR \"ccsctl conf show\" .\n"
	".SH \"EXIT STATUS\"\n"
	"0: done. 1: refused or failed; standard error says why. 2: not understood.\n";

/* As roff takes it: no escape, no request, and dashes that can be copied. */
static void put_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		(void)fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			(void)fputs("\\e", stdout);
		else if (*text == '-')
			(void)fputs("\\-", stdout);
		else if (*text == '\'')
			(void)fputs("\\(aq", stdout);
		else
			(void)putchar(*text);
	}
}

static bool is_everywhere(const char *name)
{
	return str_eq(str_of(name), STR("json")) || str_eq(str_of(name), STR("yes"));
}

static void put_option(void *arg, const char *name, const char *value, const char *help)
{
	(void)arg;
	if (is_everywhere(name))
		return;
	(void)fputs(".TP\n\\fB\\-\\-", stdout);
	put_text(name);
	(void)fputs("\\fR", stdout);
	if (value) {
		(void)fputs("=\\fI", stdout);
		put_text(value);
		(void)fputs("\\fR", stdout);
	}
	(void)putchar('\n');
	put_text(help);
	(void)putchar('\n');
}

static void put_command(const struct command *command)
{
	(void)fputs(".SS \"ccsctl ", stdout);
	put_text(command->noun);
	if (*command->verb) {
		(void)putchar(' ');
		put_text(command->verb);
	}
	if (*command->arguments) {
		(void)fputs(" \\fI", stdout);
		put_text(command->arguments);
		(void)fputs("\\fP", stdout);
	}
	(void)fputs("\"\n", stdout);
	put_text(command->help);
	(void)puts(".");
	options_each(command, put_option, NULL);
}

void print_manual(void)
{
	(void)fputs(head, stdout);
	for (size_t i = 0; i < commands_n; i++)
		put_command(&commands[i]);
	(void)fputs(tail, stdout);
}
