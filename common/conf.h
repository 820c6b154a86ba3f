/* The configuration: one ini file, every option a line of conf.def. An unknown section, key or
 * value refuses to start, with file and line. */
#ifndef CCS_COMMON_CONF_H
#define CCS_COMMON_CONF_H

#include "common/err.h"

enum { CONF_TEXT_BYTES = 512 };

struct conf {
#define TEXT(section, name, def, help)		   char section##_##name[CONF_TEXT_BYTES];
#define CHOICE(section, name, def, words, help)	   char section##_##name[CONF_TEXT_BYTES];
#define NUMBER(section, name, def, min, max, help) int64_t section##_##name;
#include "common/conf.def"
#undef CHOICE
#undef TEXT
#undef NUMBER
};

#define CONF_DEFAULT_PATH "/etc/ccs/ccs.conf"

/* Defaults, then the file on top. path NULL means CONF_DEFAULT_PATH. */
MUST_USE bool conf_load(struct conf *conf, const char *path, struct err *err);

/* Gives one option the value that text says. INPUT when there is no such option, or when it cannot have that value. */
MUST_USE bool conf_set(struct conf *conf, const char *section, const char *name, const char *text,
	struct err *err);

/* Calls fn for every option with its value as text, in the order of conf.def. */
typedef void conf_fn(
	void *arg, const char *section, const char *name, const char *value, const char *help);
void conf_each(const struct conf *conf, conf_fn *fn, void *arg);

#endif
