/* ccsctl conf nginx: what nginx/render fills into nginx/ccs.conf.in. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl/ctl.h"

#include "common/base.h"

/* Values by the names of the template: in JSON, or as lines. */
struct values {
	json_t *object; /* NULL: print lines */
	int64_t burst_seconds;
};

/* stem and suffix in capitals. */
static void say(const struct values *values, struct str stem, const char *suffix, const char *value)
{
	struct strbuf name = STRBUF_INIT;

	strbuf_str(&name, stem);
	strbuf_puts(&name, suffix);
	for (size_t i = 0; i < name.n; i++)
		name.p[i] = (char)toupper((unsigned char)name.p[i]);
	if (values->object)
		json_object_set_new(values->object, name.p, json_string(value));
	else
		(void)printf("%s=%s\n", name.p, value);
	strbuf_free(&name);
}

/* A rate comes with its burst. */
static void say_option(
	void *arg, const char *section, const char *name, const char *value, const char *help)
{
	static const struct str rate = STR("_per_second");
	const struct values *values = arg;
	struct str stem = str_of(name);
	char burst[24];
	uint64_t n;

	(void)help;
	if (!str_eq(str_of(section), STR("nginx")))
		return;
	say(values, stem, "", value);
	if (stem.n <= rate.n || memcmp(stem.p + stem.n - rate.n, rate.p, rate.n) != 0 ||
		!str_to_u64(str_of(value), 0, INT64_MAX, &n))
		return;
	stem.n -= rate.n;
	(void)snprintf(burst, sizeof(burst), "%" PRIu64, n * (uint64_t)values->burst_seconds);
	say(values, stem, "_burst", burst);
}

bool conf_nginx(struct ctl *ctl, struct err *err)
{
	struct values values = {.object = ctl->json ? json_object() : NULL,
		.burst_seconds = ctl->conf.nginx_burst_seconds};

	if (!ctl_check_nginx(&ctl->conf, err)) {
		json_decref(values.object);
		return false;
	}
	say(&values, STR("run_dir"), "", ctl->conf.common_run_dir);
	say(&values, STR("allowed_origins"), "", ctl->conf.api_allowed_origins);
	conf_each(&ctl->conf, say_option, &values);
	if (values.object)
		out_json(values.object);
	return true;
}
