/* See options.h. */
#include <argp.h>
#include <stdlib.h>
#include <sysexits.h>

#include "tests/farm/mood.h"
#include "tests/farm/options.h"

#include "common/base.h"

enum { KEY_ALL_EVENTS = 1000, KEY_CONTROL, KEY_FIRST_PORT, KEY_JSON, KEY_SEED };

static const struct argp_option known[] = {
	{"servers", 'n', "N", 0, "how many, 1 to 1,000; default 1", 0},
	{"first-port", KEY_FIRST_PORT, "P", 0, "ports P, P+1, ...; default: any free ones", 0},
	{"speed", 's', "K", 0, "rings and talks K times faster than the number says; default 1", 0},
	{"seed", KEY_SEED, "N", 0, "of all chance; default 1", 0},
	{"asterisk", 'a', "22|16|both", 0, "whose manners; both: in turns; default 22", 0},
	{"mood", 'm', "[WHO:]MOOD", 0,
		"how a server behaves, several with commas, or all; may be given again", 0},
	{"all-events", KEY_ALL_EVENTS, NULL, 0,
		"also those that the sample's eventfilter keeps back", 0},
	{"log", 'l', "FILE", 0, "the farm's own book is appended to it", 0},
	{"json", KEY_JSON, "FILE", 0, "written once all listen, mode 0600; default: stdout", 0},
	{"control", KEY_CONTROL, "SOCKET", 0, "listens there for `ccs-farm tell`", 0},
	{0},
};

static uint64_t number(struct argp_state *state, const char *arg, uint64_t min, uint64_t max)
{
	uint64_t value;
	if (!str_to_u64(str_of(arg), min, max, &value))
		argp_error(state, "%s is not a number from %llu to %llu", arg,
			(unsigned long long)min, (unsigned long long)max);
	return value;
}

static void read_path(struct options *options, int key, const char *arg)
{
	if (key == 'l')
		options->log = arg;
	else if (key == KEY_JSON)
		options->json = arg;
	else
		options->control = arg;
}

static void add_mood(struct options *options, const char *arg, struct argp_state *state)
{
	if (options->moods_n == MOODS_MAX)
		argp_error(state, "at most %d moods", MOODS_MAX);
	options->moods[options->moods_n++] = arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'n':
		options->servers = (uint32_t)number(state, arg, 1, SERVERS_MAX);
		break;
	case KEY_FIRST_PORT:
		options->first_port = (uint16_t)number(state, arg, 1, UINT16_MAX - SERVERS_MAX);
		break;
	case 's':
		options->speed = (uint32_t)number(state, arg, 1, 1000);
		break;
	case KEY_SEED:
		options->seed = number(state, arg, 0, UINT64_MAX);
		break;
	case 'a':
		options->versions = arg;
		break;
	case 'm':
		add_mood(options, arg, state);
		break;
	case KEY_ALL_EVENTS:
		options->all_events = true;
		break;
	case 'l':
	case KEY_JSON:
	case KEY_CONTROL:
		read_path(options, key, arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const char *argp_program_version = "ccs-farm " CCS_VERSION;

/* The moods come from their table. */
static char *filter(int key, const char *text, void *input)
{
	struct strbuf moods = STRBUF_INIT;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)(uintptr_t)text;
	strbuf_puts(&moods, "Moods, with the value of N when none is given:\n");
	mood_explain(&moods);
	return moods.p; /* argp frees it */
}

void options_read(struct options *options, int argc, char **argv)
{
	static const struct argp argp = {known, parse, NULL,
		"Simulated Asterisk servers on 127.0.0.1, for tests and demos: "
		"deploy/asterisk/README.md "
		"has the number plan.\v ",
		NULL, filter, NULL};

	*options = (struct options){.servers = 1, .speed = 1, .seed = 1, .versions = "22"};
	argp_err_exit_status = EX_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, options);
}
