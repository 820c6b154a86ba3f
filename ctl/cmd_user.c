/* ccsctl user: add, set, list, show, delete. */
#include <stdio.h>

#include "ctl/ctl.h"

#include "common/base.h"

bool user_add(struct ctl *ctl, struct err *err)
{
	const struct person_input *input = &ctl->input.person;
	uint64_t id, client_id;

	if (!fields_check(person_fields, person_fields_n, input, err) || !ctl_db(ctl, err) ||
		!person_create(ctl->db, ctl_actor(), input, &id, &client_id, err))
		return false;
	if (client_id)
		ctl_changed(ctl, client_id);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s%}", "id", (json_int_t)id, "username",
			input->username.p, input->username.n));
	else
		(void)printf("User %.*s has id %llu, and is %s%.*s.\n", (int)input->username.n,
			input->username.p, (unsigned long long)id,
			client_id ? "a user of " : "an administrator", (int)input->accountcode.n,
			input->accountcode.p ? input->accountcode.p : "");
	return true;
}

bool user_set(struct ctl *ctl, struct err *err)
{
	const struct person_input *input = &ctl->input.person;
	const struct which which = {.name = input->username};
	struct edit edit = ctl_edit(ctl);

	if (!ctl_db(ctl, err) || !person_change(ctl->db, &which, &edit, input, err))
		return false;
	if (edit.id2)
		ctl_changed(ctl, edit.id2);
	out_changed(ctl,
		json_pack("{s:I, s:s%}", "id", (json_int_t)edit.id, "username", input->username.p,
			input->username.n),
		&edit, "User", input->username);
	edit_end(&edit);
	return true;
}

bool user_delete(struct ctl *ctl, struct err *err)
{
	const struct which which = {.name = str_of(ctl->arguments[0])};
	struct edit edit = ctl_edit(ctl);

	if (!ctl_confirm(ctl, err, "User %s will be gone, and signed out", ctl->arguments[0]) ||
		!ctl_db(ctl, err) || !person_delete(ctl->db, &which, 0, &edit, err))
		return false;
	if (edit.id2)
		ctl_changed(ctl, edit.id2);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s, s:b}", "id", (json_int_t)edit.id, "username",
			ctl->arguments[0], "deleted", 1));
	else
		(void)printf("User %s is deleted.\n", ctl->arguments[0]);
	edit_end(&edit);
	return true;
}

/* A line of the list; of one user, all there is. */
static void print_user(const json_t *user)
{
	const char *account = json_string_value(json_object_get(user, "accountcode"));
	const char *seen = json_string_value(json_object_get(user, "last_seen_at"));

	(void)printf("%-6lld %-24s %-8s %-24s %s\n",
		(long long)json_integer_value(json_object_get(user, "id")),
		json_string_value(json_object_get(user, "username")),
		json_string_value(json_object_get(user, "role")), account ? account : "-",
		seen ? seen : "never");
}

static bool print_users(struct ctl *ctl, const struct listing *listing, size_t *n, struct err *err)
{
	json_t *users, *user;
	uint64_t total;
	size_t i;

	if (!ctl_db(ctl, err) || !noun_list(ctl->db, NOUN_USER, listing, &users, &total, err))
		return false;
	(void)printf(
		"%-6s %-24s %-8s %-24s %s\n", "ID", "USERNAME", "ROLE", "ACCOUNTCODE", "LAST SEEN");
	json_array_foreach (users, i, user)
		print_user(user);
	*n = json_array_size(users);
	json_decref(users);
	return true;
}

bool user_list_all(struct ctl *ctl, struct err *err)
{
	const struct listing listing = {
		.filter.name = str_of(ctl->arguments_n ? ctl->arguments[0] : NULL)};
	size_t n;

	return ctl->json ? out_nouns(ctl, NOUN_USER, &listing, "users", err)
			 : print_users(ctl, &listing, &n, err);
}

bool user_show(struct ctl *ctl, struct err *err)
{
	const struct listing listing = {.filter.name2 = str_of(ctl->arguments[0])};
	size_t n = 0;

	if (!ctl->json && !print_users(ctl, &listing, &n, err))
		return false;
	if (!ctl->json)
		return n == 1 ||
		       fail(err, ERR_MISSING, "no user has username %s", ctl->arguments[0]);
	return out_noun(ctl, NOUN_USER, &listing.filter, err);
}
