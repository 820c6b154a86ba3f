/* What commands share: see ctl.h. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
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

void out_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	if (!text)
		die("ctl.no_json", "reason=%s", log_q("a value is not UTF-8"));
	(void)puts(text);
	free(text);
	json_decref(object);
}

json_t *out_list(const struct rows *rows, int row, int column)
{
	json_t *array = json_array();
	struct row_list list = row_list(rows, row, column);
	for (struct str element; row_list_next(&list, &element);)
		json_array_append_new(array, json_stringn(element.p, element.n));
	return array;
}

json_t *out_words(struct str text)
{
	json_t *list = json_array();
	struct str word;
	while (text.n && str_split(&text, ' ', &word))
		json_array_append_new(list, json_stringn(word.p, word.n));
	return list;
}

json_t *out_text(struct str text)
{
	return text.n ? json_stringn(text.p, text.n) : json_null();
}

json_t *out_time(int64_t wall_us)
{
	char text[CLOCK_TEXT_BYTES];
	bool is_time = wall_us > INT64_MIN + 1 && wall_us < INT64_MAX;
	return is_time ? json_string(clock_utc(wall_us, text)) : json_null();
}
