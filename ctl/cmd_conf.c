/* ccsctl conf: show, check; ccsctl secret: init. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/jwt_ring.h"
#include "ctl/ctl.h"
#include "registry/fine.h"
#include "sql/session.h"

#include "common/base.h"

/* Would printing this DSN tell a password? */
static bool has_password(const char *dsn)
{
	PQconninfoOption *parsed = PQconninfoParse(dsn, NULL);
	bool found = false;

	for (const PQconninfoOption *o = parsed; o && o->keyword; o++)
		found = found || (str_eq(str_of(o->keyword), STR("password")) && o->val);
	PQconninfoFree(parsed);
	return found;
}

struct show {
	json_t *sections; /* NULL: for people */
	const char *last;
};

static void show_option(
	void *arg, const char *section, const char *name, const char *value, const char *help)
{
	struct show *show = arg;

	if (str_eq(str_of(section), STR("database")) && has_password(value))
		value = "(not shown: it holds a password)";
	if (show->sections) {
		json_t *options = json_object_get(show->sections, section);
		if (!options) {
			options = json_object();
			json_object_set_new(show->sections, section, options);
		}
		json_object_set_new(options, name, json_string(value));
		return;
	}
	if (!show->last || !str_eq(str_of(show->last), str_of(section)))
		(void)printf("%s[%s]\n", show->last ? "\n" : "", section);
	show->last = section;
	(void)printf("# %s\n%s = %s\n", help, name, value);
}

bool conf_show(struct ctl *ctl, struct err *err)
{
	struct show show = {.sections = ctl->json ? json_object() : NULL};

	(void)err;
	conf_each(&ctl->conf, show_option, &show);
	if (show.sections)
		out_json(show.sections);
	return true;
}

static bool check_folder(const struct conf *conf, struct err *err)
{
	struct stat st;
	if (stat(conf->common_run_dir, &st) != 0)
		return fail(err, ERR_INPUT, "common.run_dir %s: %s", conf->common_run_dir,
			strerror(errno));
	return S_ISDIR(st.st_mode) ||
	       fail(err, ERR_INPUT, "common.run_dir %s is not a folder", conf->common_run_dir);
}

static bool check_key(const struct conf *conf, struct err *err)
{
	struct secret_key key;
	if (!secret_load_key(conf->common_secret_key_file, &key, err))
		return fail_context(err, "common.secret_key_file");
	secret_wipe(&key, sizeof(key));
	return true;
}

static bool check_jwt_keys(const struct conf *conf, struct err *err)
{
	struct jwt_ring ring;
	if (!jwt_ring_load(&ring, conf->common_jwt_key_file, err))
		return fail_context(err, "common.jwt_key_file");
	jwt_ring_wipe(&ring);
	return true;
}

static bool check_node(const struct conf *conf, struct err *err)
{
	struct segment seg;
	if (!segment_init(&seg, conf->common_node, err))
		return fail_context(err, "common.node");
	segment_close(&seg);
	return true;
}

static bool check_ring(const struct conf *conf, struct err *err)
{
	int64_t n = conf->segment_event_bytes;
	return (n & (n - 1)) == 0 ||
	       fail(err, ERR_INPUT, "segment.event_bytes is %lld; it must be a power of two",
		       (long long)n);
}

static bool check_dsns(const struct conf *conf, struct err *err)
{
	const char *const dsns[] = {conf->database_owner_dsn, conf->database_api_dsn,
		conf->database_login_dsn, conf->database_admin_dsn, conf->database_dispatcher_dsn};
	struct session_parameters parameters;

	for (size_t i = 0; i < ARRAY_LEN(dsns); i++)
		if (!session_parameters(&parameters, dsns[i], "ccsctl", 0, false, err))
			return false;
	return true;
}

static bool check_region(const struct conf *conf, struct err *err)
{
	return fine_region(str_of(conf->common_default_region)) ||
	       fail(err, ERR_INPUT,
		       "common.default_region is \"%s\"; it must be two capital letters",
		       conf->common_default_region);
}

static bool check_origins(const char *option, const char *value, struct err *err)
{
	return fine_origins(str_of(value)) ||
	       fail(err, ERR_INPUT,
		       "%s is \"%s\"; it must be origins such as https://shop.example, in small "
		       "letters, separated by blanks",
		       option, value);
}

static bool check_relay(const struct conf *conf, struct err *err)
{
	return check_origins("relay.allowed_origins", conf->relay_allowed_origins, err);
}

bool ctl_check_nginx(const struct conf *conf, struct err *err)
{
	const char *ca = conf->nginx_client_ca;

	if (!check_origins("api.allowed_origins", conf->api_allowed_origins, err))
		return false;
	if (!fine_networks(str_of(conf->nginx_trusted_proxies)))
		return fail(err, ERR_INPUT,
			"nginx.trusted_proxies is \"%s\"; it must be addresses or networks such as "
			"192.0.2.0/24, separated by blanks",
			conf->nginx_trusted_proxies);
	return !*ca || (fine_path(str_of(ca)) && !strpbrk(ca, " ;{}\"'\\$")) ||
	       fail(err, ERR_INPUT, "nginx.client_ca is \"%s\"; it must be a path from / on", ca);
}

static bool check_workers(const struct conf *conf, struct err *err)
{
	int numbers[POOL__N];
	return pool_numbers_wished(numbers, conf, err);
}

static void problem(const struct ctl *ctl, json_t *problems, const struct err *err)
{
	json_array_append_new(problems, json_string(err->text));
	if (!ctl->json)
		(void)printf("%s\n", err->text);
}

/* A configuration may be right before there is a database; then this is not looked at, and said. */
static void check_connections(struct ctl *ctl, json_t *problems)
{
	int numbers[POOL__N];
	struct err err = {0};

	if (!ctl_db(ctl, &err)) {
		if (!ctl->json)
			(void)printf(
				"PostgreSQL was not asked whether it has enough connections: %s\n",
				err.text);
		return;
	}
	if (pool_numbers_wished(numbers, &ctl->conf, NULL) &&
		!workers_fit_database(ctl, numbers, &err))
		problem(ctl, problems, &err);
}

/* Everything at once: whoever repairs a file wants to hear of all that is wrong. */
bool conf_check(struct ctl *ctl, struct err *err)
{
	static bool (*const checks[])(const struct conf *, struct err *) = {check_node,
		check_folder, check_key, check_jwt_keys, check_region, check_ring, check_dsns,
		check_relay, ctl_check_nginx, check_workers};
	json_t *problems = json_array();

	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (!checks[i](&ctl->conf, err))
			problem(ctl, problems, err);
	check_connections(ctl, problems);
	bool is_sound = json_array_size(problems) == 0;
	if (!ctl->json)
		(void)printf("The configuration is %s.\n", is_sound ? "sound" : "not sound");
	if (ctl->json)
		out_json(json_pack("{s:b, s:o}", "sound", is_sound, "problems", problems));
	else
		json_decref(problems);
	err->kind = ERR_NONE; /* all has been said */
	return is_sound;
}

bool secret_init(struct ctl *ctl, struct err *err)
{
	const char *path = ctl->conf.common_secret_key_file;

	if (!secret_create_key(path, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:s}", "file", path));
	else
		(void)printf("Made %s. Keep it a second time, away from the backups: without it "
			     "every AMI "
			     "secret must be entered again.\n",
			path);
	return true;
}
