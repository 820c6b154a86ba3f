/* ccsctl admin: who administers. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "registry/admin.h"

#include "common/base.h"

bool admin_add(struct ctl *ctl, struct err *err)
{
	const struct admin_input *input = &ctl->input.admin;
	uint64_t id;

	if (!fields_check(admin_fields, admin_fields_n, input, err) || !ctl_db(ctl, err) ||
		!admin_create(ctl->db, ctl_actor(), input, &id, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I, s:s%}", "id", (json_int_t)id, "username",
			input->username.p, input->username.n));
	else
		(void)printf("%.*s is an administrator, with id %llu.\n", (int)input->username.n,
			input->username.p, (unsigned long long)id);
	return true;
}

bool admin_list_all(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!ctl_db(ctl, err) || !admin_list(ctl->db, &rows, err))
		return false;
	json_t *admins = json_array();
	for (int row = 0; row < rows.n; row++) {
		struct str name = row_text(&rows, row, 1);
		json_array_append_new(
			admins, json_pack("{s:I, s:s%, s:o}", "id",
					(json_int_t)row_i64(&rows, row, 0), "username", name.p,
					name.n, "created_at", out_time(row_time(&rows, row, 2))));
		if (!ctl->json)
			(void)printf("%-6lld %.*s\n", (long long)row_i64(&rows, row, 0),
				(int)name.n, name.p);
	}
	if (ctl->json)
		out_json(json_pack("{s:O}", "administrators", admins));
	else
		(void)printf("%d administrator%s.\n", rows.n, rows.n == 1 ? "" : "s");
	json_decref(admins);
	rows_free(&rows);
	return true;
}

bool admin_take(struct ctl *ctl, struct err *err)
{
	const char *name = ctl->arguments[0];

	if (!ctl_db(ctl, err) || !admin_remove(ctl->db, ctl_actor(), str_of(name), err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:s}", "username", name));
	else
		(void)printf("%s is no administrator any more, and signed out.\n", name);
	return true;
}
