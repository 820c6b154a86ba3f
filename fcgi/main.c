/* ccs-api: the HTTP API behind nginx. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "common/log.h"
#include "fcgi/master.h"
#include "fcgi/nginx_print.h"
#include "fcgi/routes_print.h"

#include "common/base.h"

static const char usage[] =
	"usage: ccs-api [-c FILE] [--pool fast|sql|login|all]\n"
	"       ccs-api [-c FILE] --print-nginx\n"
	"       ccs-api --print-routes\n"
	"\n"
	"Answers the HTTP API behind nginx, over <run_dir>/api-fast.sock, api-sql.sock and "
	"api-login.sock.\n"
	"\n"
	"  -c, --conf FILE    configuration (default: $CCS_CONF, else " CONF_DEFAULT_PATH ")\n"
	"  --pool POOL        which workers to run: fast, sql, login or all (default)\n"
	"  --print-nginx      print the location blocks that nginx/ccs.conf.in includes\n"
	"  --print-routes     print every endpoint as JSON: method, path, pool, who, name, "
	"summary\n"
	"  --version, --help\n"
	"\n"
	"SIGTERM ends it after the requests under way, SIGHUP reads the configuration again.\n";

struct command {
	struct master_options master;
	bool print_nginx;
};

enum { OPTION_POOL = 256, OPTION_PRINT_NGINX, OPTION_PRINT_ROUTES, OPTION_VERSION, OPTION_HELP };

static const struct option long_options[] = {
	{"conf", required_argument, NULL, 'c'},
	{"pool", required_argument, NULL, OPTION_POOL},
	{"print-nginx", no_argument, NULL, OPTION_PRINT_NGINX},
	{"print-routes", no_argument, NULL, OPTION_PRINT_ROUTES},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static bool choose_pools(struct command *command, const char *name)
{
	bool all = str_eq(str_of(name), STR("all")), known = all;
	for (enum pool p = 0; p < POOL__N; p++) {
		command->master.runs[p] = all || str_eq(str_of(name), str_of(pool_name(p)));
		known |= command->master.runs[p];
	}
	return known;
}

__attribute__((noreturn)) static void finish(FILE *to, const char *text, int status)
{
	(void)fputs(text, to);
	exit(status);
}

static int print(const struct strbuf *text)
{
	bool written = fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0;
	return written ? EXIT_SUCCESS : EX_IOERR;
}

static int print_nginx(const struct conf *conf)
{
	struct strbuf text = STRBUF_INIT;
	nginx_print(conf, &text);
	int status = print(&text);
	strbuf_free(&text);
	return status;
}

static int print_routes(void)
{
	struct strbuf text = STRBUF_INIT;
	routes_print(&text);
	int status = print(&text);
	strbuf_free(&text);
	return status;
}

static void parse(struct command *command, int argc, char **argv)
{
	int option;
	while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) != -1) {
		if (option == 'c')
			command->master.conf_path = optarg;
		else if (option == OPTION_PRINT_NGINX)
			command->print_nginx = true;
		else if (option == OPTION_PRINT_ROUTES)
			exit(print_routes());
		else if (option == OPTION_VERSION)
			finish(stdout, "ccs-api " CCS_VERSION "\n", EXIT_SUCCESS);
		else if (option == OPTION_HELP)
			finish(stdout, usage, EXIT_SUCCESS);
		else if (option != OPTION_POOL || !choose_pools(command, optarg))
			finish(stderr, usage, EX_USAGE);
	}
	if (optind < argc)
		finish(stderr, usage, EX_USAGE);
}

/* One kept connection of nginx is one descriptor of a fast worker; a core file would hold keys and
 * phone numbers. */
static void set_limits(void)
{
	struct rlimit files, none = {0, 0};
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)setrlimit(RLIMIT_CORE, &none);
}

int main(int argc, char **argv)
{
	struct command command = {
		.master = {.conf_path = getenv("CCS_CONF"), .runs = {true, true, true}}};
	static struct conf conf;
	struct err err;

	log_open("ccs-api", LOG_INFO);
	parse(&command, argc, argv);
	if (!conf_load(&conf, command.master.conf_path, &err)) {
		log_error("conf.refused", "why=%s", log_q(err.text));
		return EX_CONFIG;
	}
	if (command.print_nginx)
		return print_nginx(&conf);
	set_limits();
	return master_run(&command.master, &conf);
}
