/* ccsctl alloc: set, list, show, delete. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "registry/fine.h"

#include "common/base.h"

/* What the client may do now. */
static bool say_share(struct ctl *ctl, const struct which *which, struct err *err)
{
	json_t *a;

	if (!noun_show(ctl->db, NOUN_ALLOCATION, which, &a, err))
		return false;
	(void)printf("%s may hold %lld calls at once and start %lld an hour on %s.\n",
		json_string_value(json_object_get(a, "accountcode")),
		(long long)json_integer_value(json_object_get(a, "channels")),
		(long long)json_integer_value(json_object_get(a, "rate_limit")),
		json_string_value(json_object_get(a, "server_code")));
	json_decref(a);
	return true;
}

/* Changes it, or makes it where there is none. */
static bool set(struct ctl *ctl, const struct which *which, struct edit *edit, struct err *err)
{
	const struct allocation_input *input = &ctl->input.allocation;
	uint64_t server_id;

	if (allocation_change(ctl->db, which, edit, input, err))
		return true;
	return err->kind == ERR_MISSING && !edit->expected &&
	       allocation_create(ctl->db, edit->actor, input, &edit->id, &server_id, err);
}

bool alloc_set(struct ctl *ctl, struct err *err)
{
	const struct allocation_input *input = &ctl->input.allocation;
	const struct which which = {.name = input->accountcode, .name2 = input->server_code};
	struct edit edit = ctl_edit(ctl);

	if (!input->accountcode.p || !input->server_code.p)
		return fail_code(err, ERR_INPUT, "missing_field",
			"whose share of which server? accountcode and server_code are missing");
	if (!ctl_db(ctl, err) || !set(ctl, &which, &edit, err))
		return false;
	ctl_changed(ctl, edit.id);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s%, s:s%}", "client_id", (json_int_t)edit.id,
			"accountcode", input->accountcode.p, input->accountcode.n, "server_code",
			input->server_code.p, input->server_code.n));
	edit_end(&edit);
	return ctl->json || say_share(ctl, &which, err);
}

bool alloc_delete(struct ctl *ctl, struct err *err)
{
	const struct which which = {
		.name = str_of(ctl->arguments[0]), .name2 = str_of(ctl->arguments[1])};
	struct edit edit = ctl_edit(ctl);

	if (!ctl_confirm(ctl, err, "%s will have no share of %s any more", ctl->arguments[0],
		    ctl->arguments[1]) ||
		!ctl_db(ctl, err) || !allocation_delete(ctl->db, &which, &edit, err))
		return false;
	ctl_changed(ctl, edit.id);
	if (ctl->json)
		out_json(json_pack("{s:s, s:s, s:b}", "accountcode", ctl->arguments[0],
			"server_code", ctl->arguments[1], "deleted", 1));
	else
		(void)printf("%s has no share of %s any more; calls in progress go on.\n",
			ctl->arguments[0], ctl->arguments[1]);
	edit_end(&edit);
	return true;
}

bool print_shares(struct ctl *ctl, const struct listing *listing, struct err *err)
{
	enum { ACCOUNTCODE = ALLOCATION_COLUMNS };
	struct rows rows = ROWS_INIT;
	uint64_t total;
	bool ok = ctl_db(ctl, err) &&
		  noun_rows(ctl->db, NOUN_ALLOCATION, listing, &rows, &total, err);

	if (!ok)
		return false;
	(void)printf("%-24s %-24s %8s %10s  %s\n", "ACCOUNTCODE", "SERVER_CODE", "CHANNELS",
		"RATE/H", "STATUS");
	for (int row = 0; ok && row < rows.n; row++) {
		struct str accountcode = row_text(&rows, row, ACCOUNTCODE);
		struct allocation_row a;
		ok = allocation_from_row(&rows, row, &a, err);
		if (ok)
			(void)printf("%-24.*s %-24s %8u %10u  %s\n", (int)accountcode.n,
				accountcode.p, a.server.server_code,
				a.allocation.allowed_active_calls, a.allocation.rate_limit,
				server_status_name(a.allocation.status));
	}
	rows_free(&rows);
	return ok;
}

bool alloc_list(struct ctl *ctl, struct err *err)
{
	const struct listing listing = {
		.filter.name = str_of(ctl->arguments_n ? ctl->arguments[0] : NULL)};

	return ctl->json ? out_nouns(ctl, NOUN_ALLOCATION, &listing, "allocations", err)
			 : print_shares(ctl, &listing, err);
}

bool alloc_show(struct ctl *ctl, struct err *err)
{
	const struct which which = {
		.name = str_of(ctl->arguments[0]), .name2 = str_of(ctl->arguments[1])};

	if (ctl->json)
		return out_noun(ctl, NOUN_ALLOCATION, &which, err);
	return ctl_db(ctl, err) && say_share(ctl, &which, err);
}
