/* ccsctl why: what keeps an entry, a batch or a client from being called. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/call_id.h"
#include "registry/why.h"

#include "common/base.h"

/* By its call_id, or by its own number. */
static bool entry_of(struct str text, uint64_t *entry_id)
{
	uint64_t attempt;
	return call_id_read(text, entry_id, &attempt) || str_to_u64(text, 1, INT64_MAX, entry_id);
}

static bool not_found(const struct ctl *ctl, struct err *err)
{
	if (ctl->arguments_n == 2)
		return fail(err, ERR_MISSING, "client %s has no batch %s", ctl->arguments[0],
			ctl->arguments[1]);
	return fail(err, ERR_MISSING, "%s is no accountcode, no call_id and no entry",
		ctl->arguments[0]);
}

/* By accountcode, alone or with a batch_id. found false: no client has it. */
static bool of_client(
	struct ctl *ctl, const struct segment *seg, struct why *why, bool *found, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	uint64_t batch_id = 0;
	bool has_batch = ctl->arguments_n == 2;

	if (has_batch && !str_to_u64(str_of(ctl->arguments[1]), 1, INT64_MAX, &batch_id))
		return fail(err, ERR_INPUT, "batch_id must be a whole number");
	arg_text(&args, str_of(ctl->arguments[0]));
	arg_i64(&args, (int64_t)batch_id);
	bool ok = db_query(ctl->db, SQL_WHY_OF_ACCOUNTCODE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*found = rows.n == 1 && !(has_batch && row_is_null(&rows, 0, 1));
	if (*found && has_batch)
		ok = why_batch(ctl->db, seg, 0, (uint64_t)row_i64(&rows, 0, 1), clock_wall_us(),
			why, found, err);
	else if (*found)
		ok = why_client(seg, (uint64_t)row_i64(&rows, 0, 0), clock_wall_us(), why, err);
	rows_free(&rows);
	return ok;
}

static bool look(struct ctl *ctl, const struct segment *seg, struct why *why, struct err *err)
{
	bool found = false;
	uint64_t entry_id;

	if (!of_client(ctl, seg, why, &found, err))
		return false;
	if (!found && ctl->arguments_n == 1 && entry_of(str_of(ctl->arguments[0]), &entry_id) &&
		!why_entry(ctl->db, seg, 0, entry_id, clock_wall_us(), why, &found, err))
		return false;
	return found || not_found(ctl, err);
}

/* ---- output ---- */

static json_t *gate_json(const struct explained *e)
{
	return json_pack("{s:s, s:b, s:o, s:o, s:s, s:o, s:o}", "gate", gate_texts[e->gate].name,
		"blocks", (int)e->blocks, "detail", out_text(str_of(e->detail)), "server_code",
		out_text(str_of(e->server_code)), "who", gate_texts[e->gate].who, "since",
		out_time(e->since_us ? e->since_us : INT64_MIN), "next_at",
		out_time(e->next_us ? e->next_us : INT64_MIN));
}

/* Every gate in its order, those of the servers behind. */
static void each_gate(
	const struct why *why, void (*fn)(void *arg, const struct explained *e), void *arg)
{
	struct explained gates[GATE__N];
	struct explained_server server;
	if (why->stage != WHY_WAITS)
		return;
	uint32_t n = explain_gates(&why->explain, gates);
	for (uint32_t i = 0; i < n; i++)
		fn(arg, &gates[i]);
	for (uint32_t at = 0; explain_next_server(&why->explain, &at, &server);)
		for (uint32_t i = 0; i < server.n; i++)
			fn(arg, &server.gates[i]);
}

static void add_json(void *gates, const struct explained *e)
{
	json_array_append_new(gates, gate_json(e));
}

static void print_line(void *arg, const struct explained *e)
{
	(void)arg;
	(void)printf("  %-5s %-20s %-12s %s\n", e->blocks ? "SHUT" : "open",
		gate_texts[e->gate].name, e->server_code, e->detail);
}

static void print_moment(const char *what, int64_t at_us)
{
	char when[CLOCK_TEXT_BYTES];
	if (at_us)
		(void)printf("%s %s; ", what, clock_utc(at_us, when));
}

static void print_why(const struct ctl *ctl, const struct why *why)
{
	char text[WHY_TEXT_BYTES];
	(void)printf("%s%s%s, %s: %s.\n", ctl->arguments[0], ctl->arguments_n == 2 ? " " : "",
		ctl->arguments_n == 2 ? ctl->arguments[1] : "", why->status, why_text(why, text));
	if (why->verdict.blocks) {
		(void)printf("  %s: ", gate_texts[why->verdict.gate].name);
		print_moment("since", why->verdict.since_us);
		print_moment("until", why->verdict.next_us);
		(void)printf("who can change it: %s\n", gate_texts[why->verdict.gate].who);
	}
	each_gate(why, print_line, NULL);
}

bool why_show(struct ctl *ctl, struct err *err)
{
	char text[WHY_TEXT_BYTES];
	struct segment seg;
	struct why why;

	if (!ctl_db(ctl, err))
		return false;
	bool ok = ctl_state(ctl, &seg, err) && look(ctl, &seg, &why, err);
	if (ok && ctl->json) {
		json_t *gates = json_array();
		each_gate(&why, add_json, gates);
		out_json(json_pack("{s:s, s:s, s:o, s:o}", "status", why.status, "explanation",
			why_text(&why, text), "blocked_by",
			why.verdict.blocks ? gate_json(&why.verdict) : json_null(), "gates",
			gates));
	} else if (ok) {
		print_why(ctl, &why);
	}
	segment_close(&seg);
	return ok;
}
