/* ccsctl server drain, undrain: no new calls on a server, and again. */
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "shm/directory.h"

#include "common/base.h"

const struct field drain_fields[] = {
#define FLAG(member, text)	FIELD_ROW_FLAG(struct drain_input, member, text)
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct drain_input, member, need, __VA_ARGS__)
#include "ctl/drain.def"
#undef FLAG
#undef TEXT
};
const size_t drain_fields_n = ARRAY_LEN(drain_fields);

static bool set_status(struct ctl *ctl, struct str code, struct str status, struct err *err)
{
	const struct which which = {.name = code};
	struct edit edit = ctl_edit(ctl);
	struct server_input input;

	fields_clear(server_fields, server_fields_n, &input);
	input.server_code = code;
	input.status = status;
	if (!fields_check_given(server_fields, server_fields_n, &input, err) || !ctl_db(ctl, err) ||
		!server_change(ctl->db, NULL, &which, &edit, &input, err))
		return false;
	edit_end(&edit);
	return true;
}

static bool find_server(const struct segment *seg, struct str code, struct server_facts *facts)
{
	uint32_t n;
	(void)seg_servers(seg, &n);
	for (uint32_t i = 0; i < n; i++)
		if (dir_server_at(seg, i, facts) && str_eq(str_of(facts->server.server_code), code))
			return true;
	return false;
}

/* Live calls, once the dispatcher knows that it drains. */
static bool look(
	const struct ctl *ctl, struct str code, bool *knows, uint32_t *calls, struct err *err)
{
	struct server_facts facts;
	struct segment seg;

	bool ok = ctl_state(ctl, &seg, err);
	if (ok && !segment_fresh(&seg, clock_mono_us()))
		ok = fail(err, ERR_BUSY,
			"the dispatcher does not run: how many calls are left cannot be told");
	if (ok && !find_server(&seg, code, &facts))
		ok = fail(err, ERR_MISSING, "the dispatcher knows no server %.*s", (int)code.n,
			code.p);
	*knows = ok && facts.server.status != SERVER_ACTIVE;
	*calls = ok ? facts.usage.channels : 0;
	segment_close(&seg);
	return ok;
}

static bool wait_drained(const struct ctl *ctl, struct str code, struct err *err)
{
	static const struct timespec pause = {.tv_nsec = 100000000};
	uint32_t calls, shown = UINT32_MAX;
	bool knows;

	for (;;) {
		if (!look(ctl, code, &knows, &calls, err))
			return false;
		if (knows && calls != shown && !ctl->json) {
			(void)printf("%u calls in progress\n", calls);
			(void)fflush(stdout);
		}
		if (knows)
			shown = calls;
		if (knows && calls == 0)
			return true;
		(void)nanosleep(&pause, NULL);
	}
}

bool server_drain(struct ctl *ctl, struct err *err)
{
	const struct drain_input *wanted = &ctl->input.drain;
	struct str code = wanted->server_code;
	bool waits = wanted->wait == 1;

	if (!fields_check(drain_fields, drain_fields_n, wanted, err) ||
		!set_status(ctl, code, STR("draining"), err) ||
		(waits && !wait_drained(ctl, code, err)))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:s%, s:s, s:b}", "server_code", code.p, code.n, "status",
			"draining", "drained", (int)waits));
	else
		(void)printf("Server %.*s takes no new calls%s.\n", (int)code.n, code.p,
			waits ? ", and its last one has ended" : "; those in progress go on");
	return true;
}

bool server_undrain(struct ctl *ctl, struct err *err)
{
	struct str code = str_of(ctl->arguments[0]);

	if (!set_status(ctl, code, STR("active"), err))
		return false;
	if (ctl->json)
		out_json(json_pack(
			"{s:s%, s:s}", "server_code", code.p, code.n, "status", "active"));
	else
		(void)printf("Server %.*s takes calls again.\n", (int)code.n, code.p);
	return true;
}
