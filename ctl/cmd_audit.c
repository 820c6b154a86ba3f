/* ccsctl audit: what was done, by whom; and is that all of it, unchanged? */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/audit.h"

#include "common/base.h"

const struct field audit_verify_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct audit_verify_input, member, need, __VA_ARGS__)
#include "ctl/audit_verify.def"
#undef TEXT
};
const size_t audit_verify_fields_n = ARRAY_LEN(audit_verify_fields);

/* ---- list ---- */

enum { LIST_ROWS = 200 };

/* The columns of audit_list. */
enum { POSITION, AT, ACTOR, ACTION, SUBJECT, DETAIL, ADDRESS };

static json_t *act_json(const struct rows *rows, int row)
{
	struct str actor = row_text(rows, row, ACTOR), action = row_text(rows, row, ACTION);
	struct str subject = row_text(rows, row, SUBJECT), detail = row_text(rows, row, DETAIL);

	return json_pack("{s:I, s:o, s:s%, s:s%, s:s%, s:o, s:o}", "position",
		(json_int_t)row_i64(rows, row, POSITION), "at", out_time(row_time(rows, row, AT)),
		"actor", actor.p, actor.n, "action", action.p, action.n, "subject", subject.p,
		subject.n, "detail", json_loadb(detail.p, detail.n, 0, NULL), "address",
		out_text(row_text(rows, row, ADDRESS)));
}

static void print_act(const struct rows *rows, int row)
{
	struct str actor = row_text(rows, row, ACTOR), action = row_text(rows, row, ACTION);
	struct str subject = row_text(rows, row, SUBJECT), detail = row_text(rows, row, DETAIL);
	struct str address = row_text(rows, row, ADDRESS);
	char at[CLOCK_TEXT_BYTES];

	(void)printf("%8" PRId64 "  %s  %-20.*s  %-18.*s %-20.*s %-15.*s %.*s\n",
		row_i64(rows, row, POSITION), clock_utc(row_time(rows, row, AT), at), (int)actor.n,
		actor.p, (int)action.n, action.p, (int)subject.n, subject.p,
		address.p ? (int)address.n : 1, address.p ? address.p : "-", (int)detail.n,
		detail.p);
}

bool audit_list_acts(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!fields_check(audit_fields, audit_fields_n, &ctl->input.audit, err) ||
		!ctl_db(ctl, err) ||
		!audit_list(ctl->db, &ctl->input.audit, LIST_ROWS, 0, &rows, err))
		return false;
	json_t *acts = ctl->json ? json_array() : NULL;
	if (!acts)
		(void)printf("%8s  %-20s  %-20s  %-18s %-20s %-15s %s\n", "POSITION", "AT", "WHO",
			"WHAT", "WHOSE", "FROM", "MORE");
	for (int row = 0; row < rows.n; row++)
		if (acts)
			json_array_append_new(acts, act_json(&rows, row));
		else
			print_act(&rows, row);
	if (acts)
		out_json(json_pack("{s:o}", "acts", acts));
	else if (rows.n == LIST_ROWS)
		(void)printf("There may be more: --before %" PRId64 "\n",
			row_i64(&rows, rows.n - 1, POSITION));
	rows_free(&rows);
	return true;
}

/* ---- verify ---- */

bool audit_verify_chain(struct ctl *ctl, struct err *err)
{
	struct str given = ctl->input.audit_verify.anchor;
	struct anchor known = {0}, head;
	char anchor[ANCHOR_BYTES];

	if (!fields_check(
		    audit_verify_fields, audit_verify_fields_n, &ctl->input.audit_verify, err) ||
		(given.p && !anchor_read(given, &known, err)) || !ctl_db(ctl, err) ||
		!audit_verify(ctl->db, &known, &head, err))
		return false;
	anchor_text(&head, anchor);
	if (ctl->json)
		out_json(json_pack("{s:I, s:o, s:b}", "acts", (json_int_t)head.position, "anchor",
			head.position ? json_string(anchor) : json_null(), "held_against_anchor",
			(int)(known.position > 0)));
	else if (head.position == 0)
		(void)printf("The audit is empty.\n");
	else
		(void)printf("%" PRIu64 " acts, each as it was written%s.\nKeep this anchor where "
			     "nobody who may change the database can change it:\n%s\n",
			head.position, known.position ? ", and the anchor's is still there" : "",
			anchor);
	return true;
}
