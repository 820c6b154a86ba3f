/* What commands share: see ctl.h. */
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "shm/tenant.h"

#include "common/base.h"

/* From where the operator has come to this machine, as far as sshd says. */
static struct str came_from(void)
{
	const char *connection = getenv("SSH_CONNECTION");
	struct str rest = str_of(connection ? connection : ""), address;
	return str_split(&rest, ' ', &address) ? address : STR("");
}

bool ctl_db(struct ctl *ctl, struct err *err)
{
	if (!ctl->db) {
		ctl->db = db_new(ctl->conf.database_owner_dsn, "ccsctl",
			ctl->conf.database_statement_timeout_ms);
		db_set_address(ctl->db, came_from());
	}
	return db_ready(ctl->db, err);
}

bool ctl_state(const struct ctl *ctl, struct segment *seg, struct err *err)
{
	return segment_init(seg, ctl->conf.common_node, err) &&
	       (segment_attach_state(seg, err) || fail_context(err,
							  "node %s has no shared memory that can "
							  "be read (its dispatcher makes it)",
							  ctl->conf.common_node));
}

const char *ctl_actor(void)
{
	static char actor[64];
	const struct passwd *me = getpwuid(getuid());
	(void)snprintf(actor, sizeof(actor), "ccsctl:%.40s", me ? me->pw_name : "unknown");
	return actor;
}

void ctl_changed(const struct ctl *ctl, uint64_t client_id)
{
	struct segment seg;

	/* Opened only where it exists: it must belong to the workers, not to whoever runs us.
	 * Without it there is nothing that could be out of date. */
	if (!segment_init(&seg, ctl->conf.common_node, NULL))
		return;
	bool exists = segment_attach_in(&seg, NULL);
	segment_close(&seg);
	if (!exists || !segment_init(&seg, ctl->conf.common_node, NULL))
		return;
	if (!segment_open_in(&seg, &ctl->conf, NULL) || !tenant_changed(&seg, client_id))
		(void)fprintf(stderr,
			"ccsctl: may not write the shared memory; workers learn of the change "
			"from the dispatcher, a moment later\n");
	segment_close(&seg);
}

/* The dispatcher obeys within one of its turns; what takes longer is its absence, or that of PostgreSQL. */
static const int64_t PATIENCE_US = 5 * US_PER_S;
static const struct timespec LOOK_AGAIN = {.tv_nsec = 5000000};

bool ctl_wait(struct ctl *ctl, uint64_t control_id, int64_t *took_us, struct err *err)
{
	int64_t began_us = clock_mono_us();
	bool obeyed = false;
	for (;;) {
		if (!halt_is_obeyed(ctl->db, control_id, &obeyed, err))
			return false;
		*took_us = clock_mono_us() - began_us;
		if (obeyed)
			return true;
		if (*took_us >= PATIENCE_US)
			return fail(err, ERR_BUSY,
				"it is stored, but the dispatcher has not confirmed it in %d s: is "
				"it running? It obeys before it dials again",
				(int)(PATIENCE_US / US_PER_S));
		(void)nanosleep(&LOOK_AGAIN, NULL);
	}
}

void out_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	if (!text)
		die("ctl.no_json", "reason=%s", log_q("a value is not UTF-8"));
	(void)puts(text);
	free(text);
	json_decref(object);
}

bool ctl_confirm(const struct ctl *ctl, struct err *err, const char *loses, ...)
{
	char sentence[200], line[16];
	va_list ap;

	if (ctl->yes)
		return true;
	va_start(ap, loses);
	(void)vsnprintf(sentence, sizeof(sentence), loses, ap);
	va_end(ap);
	if (!isatty(STDIN_FILENO))
		return fail(err, ERR_INPUT, "%s; say --yes if that is meant", sentence);
	(void)fprintf(stderr, "%s. Go on? [y/N] ", sentence);
	return (fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y')) ||
	       fail(err, ERR_INPUT, "nothing was done");
}

struct edit ctl_edit(const struct ctl *ctl)
{
	return (struct edit){.actor = ctl_actor(), .expected = ctl->if_version};
}

bool out_noun(struct ctl *ctl, enum noun noun, const struct which *which, struct err *err)
{
	json_t *item;

	if (!ctl_db(ctl, err) || !noun_show(ctl->db, noun, which, &item, err))
		return false;
	out_json(item);
	return true;
}

bool out_nouns(struct ctl *ctl, enum noun noun, const struct listing *listing, const char *name,
	struct err *err)
{
	json_t *items;
	uint64_t total;

	if (!ctl_db(ctl, err) || !noun_list(ctl->db, noun, listing, &items, &total, err))
		return false;
	out_json(json_pack("{s:o}", name, items));
	return true;
}

/* As people write it. */
static void print_value(const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	(void)fputs(text ? text : "?", stdout);
	free(text);
}

void out_changed(const struct ctl *ctl, json_t *object, const struct edit *edit, const char *what,
	struct str name)
{
	const char *member;
	json_t *change;

	if (ctl->json) {
		json_object_set_new(object, "version", json_integer((json_int_t)edit->version));
		json_object_set(object, "changes", edit->changes);
		out_json(object);
		return;
	}
	json_decref(object);
	(void)printf("%s %.*s is changed.\n", what, (int)name.n, name.p);
	json_object_foreach (edit->changes, member, change) {
		(void)printf("  %-22s from ", member);
		print_value(json_object_get(change, "from"));
		(void)printf(" to ");
		print_value(json_object_get(change, "to"));
		(void)puts("");
	}
}
