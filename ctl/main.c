/* ccsctl, the operator's tool: reads the segment, changes the world only through SQL, so that every
 * act leaves a row (but for the number of this node's workers: cmd_workers.c). Exit status: 0 done, 1 refused or failed, 2 not understood. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/log.h"
#include "ctl/ctl.h"

#include "common/base.h"

const char *argp_program_version = "ccsctl " CCS_VERSION;

#define FIELDS_none	     NULL, NULL
#define FIELDS_audit	     audit_fields, &audit_fields_n
#define FIELDS_audit_verify  audit_verify_fields, &audit_verify_fields_n
#define FIELDS_batch_load    batch_load_fields, &batch_load_fields_n
#define FIELDS_batch_set     batch_set_fields, &batch_set_fields_n
#define FIELDS_client	     client_fields, &client_fields_n
#define FIELDS_dnc	     dnc_fields, &dnc_fields_n
#define FIELDS_dnc_file	     dnc_file_fields, &dnc_file_fields_n
#define FIELDS_dnc_list	     dnc_list_fields, &dnc_list_fields_n
#define FIELDS_drain	     drain_fields, &drain_fields_n
#define FIELDS_events	     events_fields, &events_fields_n
#define FIELDS_halt	     halt_fields, &halt_fields_n
#define FIELDS_holiday	     holiday_fields, &holiday_fields_n
#define FIELDS_holiday_file  holiday_file_fields, &holiday_file_fields_n
#define FIELDS_holidays	     holidays_fields, &holidays_fields_n
#define FIELDS_hook_replay   webhook_replay_fields, &webhook_replay_fields_n
#define FIELDS_hook_secret   webhook_secret_fields, &webhook_secret_fields_n
#define FIELDS_key	     key_fields, &key_fields_n
#define FIELDS_ledger_check  ledger_check_fields, &ledger_check_fields_n
#define FIELDS_ledger_find   ledger_find_fields, &ledger_find_fields_n
#define FIELDS_ledger_verify ledger_verify_fields, &ledger_verify_fields_n
#define FIELDS_person	     person_fields, &person_fields_n
#define FIELDS_subject	     subject_fields, &subject_fields_n
#define FIELDS_rotation	     rotation_fields, &rotation_fields_n
#define FIELDS_server	     server_fields, &server_fields_n
#define FIELDS_setup	     setup_fields, &setup_fields_n
#define FIELDS_allocation    allocation_fields, &allocation_fields_n

const struct command commands[] = {
#define COMMAND(noun, verb, arguments, fields, needs_conf, run, help)                              \
	{noun, verb, arguments, FIELDS_##fields, needs_conf, run, help},
#include "ctl/commands.def"
#undef COMMAND
};
const size_t commands_n = ARRAY_LEN(commands);

struct top {
	const char *conf_path;
	int first; /* index in argv of the command's first word; 0 = none */
};

enum { PRINT_COMPLETION = 0x100, PRINT_MANUAL };

static error_t take(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;

	switch (key) {
	case 'c':
		top->conf_path = arg;
		return 0;
	case PRINT_COMPLETION:
		print_completion();
		exit(EXIT_SUCCESS);
	case PRINT_MANUAL:
		print_manual();
		exit(EXIT_SUCCESS);
	case ARGP_KEY_ARG: /* the rest is the command's */
		top->first = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Every command with what it does, for --help. */
static char *describe(void)
{
	struct strbuf text = STRBUF_INIT;

	strbuf_puts(&text,
		"The operator's tool of ccs.\vCommands (`ccsctl COMMAND --help' says more):\n");
	for (size_t i = 0; i < commands_n; i++) {
		char words[64];
		(void)snprintf(words, sizeof(words), "%s %s %s", commands[i].noun, commands[i].verb,
			commands[i].arguments);
		strbuf_printf(&text, "  %-26s %s\n", words, commands[i].help);
	}
	return text.p;
}

static int read_top(int argc, char **argv, struct top *top)
{
	static const struct argp_option options[] = {
		{.name = "config",
			.key = 'c',
			.arg = "FILE",
			.doc = "the configuration; default $CCS_CONF, else " CONF_DEFAULT_PATH},
		{.name = "print-completion",
			.key = PRINT_COMPLETION,
			.doc = "print what bash needs to complete commands and options"},
		{.name = "print-manual", .key = PRINT_MANUAL, .doc = "print ccsctl.8"},
		{0},
	};
	char *doc = describe();
	const struct argp argp = {.options = options,
		.parser = take,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = doc};
	int rc = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, top);
	free(doc);
	return rc;
}

static const struct command *find(int argc, char **words)
{
	for (size_t i = 0; i < commands_n; i++) {
		bool is_noun = str_eq(str_of(words[0]), str_of(commands[i].noun));
		bool is_verb = !*commands[i].verb ||
			       (argc > 1 && str_eq(str_of(words[1]), str_of(commands[i].verb)));
		if (is_noun && is_verb)
			return &commands[i];
	}
	return NULL;
}

static bool run(struct ctl *ctl, const struct command *command, struct err *err)
{
	const char *path = ctl->conf_path ? ctl->conf_path : getenv("CCS_CONF");
	return (!command->needs_conf || conf_load(&ctl->conf, path, err)) && command->run(ctl, err);
}

static void complain(const struct ctl *ctl, const struct err *err)
{
	const char *words = err->kind == ERR_BUSY && ctl->db ? db_words(ctl->db) : "";
	(void)fprintf(stderr, "ccsctl: %s%s%s\n", err->text, *words ? ": " : "", words);
}

int main(int argc, char **argv)
{
	struct top top = {0};
	struct err err = {0};
	struct ctl ctl = {0};
	char title[64];

	/* It reads passwords: none of them may end in a core file. */
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	log_open("ccsctl", LOG_ERROR);
	argp_err_exit_status = 2;
	if (read_top(argc, argv, &top) != 0)
		return 2;
	argc -= top.first;
	argv += top.first;
	const struct command *command = find(argc, argv);
	if (!command) {
		(void)fprintf(stderr,
			"ccsctl: there is no command \"%s%s%s\"; `ccsctl --help' lists them\n",
			argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
		return 2;
	}
	int skip = *command->verb ? 1 : 0;
	(void)snprintf(title, sizeof(title), "ccsctl %s%s%s", command->noun, skip ? " " : "",
		command->verb);
	argv[skip] = title;
	ctl.conf_path = top.conf_path;
	options_read(&ctl, command, argc - skip, argv + skip);
	bool ok = run(&ctl, command, &err);
	if (!ok && err.kind != ERR_NONE)
		complain(&ctl, &err);
	db_free(ctl.db);
	options_free(&ctl);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
