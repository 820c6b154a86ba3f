/* ccsctl client: add, set, list, show. */
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/fine.h"

#include "common/base.h"

/* The key is needed only where there is something to encrypt. */
static bool load_key(
	const struct ctl *ctl, struct secret_key *key, bool *is_loaded, struct err *err)
{
	const struct client_input *input = &ctl->input.client;

	*is_loaded = input->asyncdatabaseurl.n || input->syncdatabaseurl.n;
	return !*is_loaded || secret_load_key(ctl->conf.common_secret_key_file, key, err);
}

bool client_add(struct ctl *ctl, struct err *err)
{
	const struct client_input *input = &ctl->input.client;
	struct client_created made;
	struct secret_key key;
	bool has_key;

	/* Before anything is opened: a mistake in the input is the likeliest. */
	if (!fields_check(client_fields, client_fields_n, input, err) || !ctl_db(ctl, err) ||
		!load_key(ctl, &key, &has_key, err))
		return false;
	bool ok = client_create(
		ctl->db, &ctl->conf, has_key ? &key : NULL, ctl_actor(), input, &made, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	ctl_changed(ctl, made.client_id);
	if (ctl->json)
		out_json(json_pack("{s:I, s:s%, s:s}", "id", (json_int_t)made.client_id,
			"accountcode", input->accountcode.p, input->accountcode.n, "api_key",
			made.key.key));
	else
		(void)printf("Client %.*s has id %llu.\nIts API key, shown only this once: %s\n",
			(int)input->accountcode.n, input->accountcode.p,
			(unsigned long long)made.client_id, made.key.key);
	secret_wipe(&made, sizeof(made));
	return true;
}

bool client_set(struct ctl *ctl, struct err *err)
{
	const struct client_input *input = &ctl->input.client;
	const struct which which = {.name = input->accountcode};
	struct edit edit = ctl_edit(ctl);
	struct secret_key key;
	bool has_key;

	if (!fields_check_given(client_fields, client_fields_n, input, err) || !ctl_db(ctl, err) ||
		!load_key(ctl, &key, &has_key, err))
		return false;
	bool ok = client_change(
		ctl->db, &ctl->conf, has_key ? &key : NULL, &which, &edit, input, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	ctl_changed(ctl, edit.id);
	out_changed(ctl,
		json_pack("{s:I, s:s%}", "id", (json_int_t)edit.id, "accountcode",
			input->accountcode.p, input->accountcode.n),
		&edit, "Client", input->accountcode);
	edit_end(&edit);
	return true;
}

static void print_clients(const struct rows *rows)
{
	(void)printf("%-6s %-24s %8s %10s  %-9s  %-17s  %s\n", "ID", "ACCOUNTCODE", "CHANNELS",
		"RATE/H", "STATUS", "HOURS", "NAME");
	for (int row = 0; row < rows->n; row++) {
		struct str opens = row_text(rows, row, SHOWN_OPENS),
			   closes = row_text(rows, row, SHOWN_CLOSES);
		struct str status = row_text(rows, row, 13), name = row_text(rows, row, 1);
		struct str accountcode = row_text(rows, row, 2);
		bool is_active = row_bool(rows, row, 14);
		(void)printf("%-6lld %-24.*s %8lld %10lld  %-9.*s  %.*s-%.*s  %.*s\n",
			(long long)row_i64(rows, row, 0), (int)accountcode.n, accountcode.p,
			(long long)row_i64(rows, row, 8), (long long)row_i64(rows, row, 9),
			is_active ? (int)status.n : 8, is_active ? status.p : "inactive",
			(int)opens.n, opens.p, (int)closes.n, closes.p, (int)name.n, name.p);
	}
	(void)printf("%d client%s.\n", rows->n, rows->n == 1 ? "" : "s");
}

bool client_list_all(struct ctl *ctl, struct err *err)
{
	static const struct listing all;
	struct rows rows = ROWS_INIT;
	uint64_t total;

	if (ctl->json)
		return out_nouns(ctl, NOUN_CLIENT, &all, "clients", err);
	if (!ctl_db(ctl, err) || !noun_rows(ctl->db, NOUN_CLIENT, &all, &rows, &total, err))
		return false;
	print_clients(&rows);
	rows_free(&rows);
	return true;
}

static void print_allocations(const struct rows *rows)
{
	for (int row = 0; row < rows->n; row++) {
		struct str code = row_text(rows, row, 7), status = row_text(rows, row, 5);
		(void)printf("  server %-22.*s %lld channels, %lld calls an hour, %.*s\n",
			(int)code.n, code.p, (long long)row_i64(rows, row, 2),
			(long long)row_i64(rows, row, 3), (int)status.n, status.p);
	}
	if (rows->n == 0)
		(void)printf("  no server: `ccsctl alloc set' gives it one\n");
}

/* Which numbers it may call. */
static void print_numbers(const struct rows *rows)
{
	struct str check = row_text(rows, 0, SHOWN_NUMBER_CHECK),
		   regions = row_text(rows, 0, SHOWN_REGIONS),
		   types = row_text(rows, 0, SHOWN_TYPES), caps = row_text(rows, 0, SHOWN_CAPS);

	(void)printf("  %-22s regions: %.*s; types: %.*s; checked: %.*s; a day: %.*s\n", "numbers",
		(int)regions.n, regions.p, (int)types.n, types.p, check.n ? (int)check.n : 13,
		check.n ? check.p : "as configured", caps.n ? (int)caps.n : 6,
		caps.n ? caps.p : "no cap");
}

static void print_client(const struct rows *rows, const struct shm_client *c)
{
	struct str opens = row_text(rows, 0, SHOWN_OPENS), closes = row_text(rows, 0, SHOWN_CLOSES),
		   users = row_text(rows, 0, SHOWN_USERS);
	struct str days = row_text(rows, 0, SHOWN_DAYS);
	bool is_open = c->window_open_us <= clock_wall_us() && clock_wall_us() < c->window_close_us;

	(void)printf("%s, %s, id %llu: %s%s\n", c->accountcode, c->name, (unsigned long long)c->id,
		client_status_name(c->status), c->is_active ? "" : ", not active");
	(void)printf("  %-22s %u at once, %u an hour, %u a second (0 = no limit), weight %u\n",
		"calls", c->allocated_channels, c->rate_limit, c->calls_per_second, c->weight);
	(void)printf("  %-22s %.*s to %.*s %s, %.*s; %s\n", "hours", (int)opens.n, opens.p,
		(int)closes.n, closes.p,
		c->calling.in_callee_zone ? "in the number's zone" : c->timezone,
		days.n ? (int)days.n : 9, days.n ? days.p : "every day",
		c->calling.in_callee_zone ? "each number has its own"
		: is_open		  ? "open now"
					  : "closed now");
	(void)printf("  %-22s shows %s, numbers of %s, reached at %s\n", "telephone", c->did,
		c->region, c->phone_number);
	print_numbers(rows);
	if (!row_is_null(rows, 0, SHOWN_RETENTION))
		(void)printf("  %-22s %lld days, then erased\n", "numbers are kept",
			(long long)row_i64(rows, 0, SHOWN_RETENTION));
	(void)printf("  %-22s %s\n", "batches",
		c->auto_dispatch ? "dialled as they come in" : "wait for dispatch-calls");
	(void)printf("  %-22s %s\n", "callback", *c->callbackurl ? c->callbackurl : "none");
	(void)printf(
		"  %-22s %lld\n", "version", (long long)row_i64(rows, 0, SHOWN_CLIENT_VERSION));
	(void)printf("  %-22s %.*s; valid API keys: %lld\n", "access", (int)users.n,
		users.p ? users.p : "", (long long)row_i64(rows, 0, SHOWN_KEYS));
}

static bool show(struct ctl *ctl, const struct rows *rows, struct err *err)
{
	struct rows allocations = ROWS_INIT;
	struct shm_client client;

	if (rows->n == 0)
		return fail(err, ERR_MISSING, "no client has accountcode %s", ctl->arguments[0]);
	if (!client_from_row(rows, 0, &client, err) ||
		!allocations_of_client(ctl->db, client.id, &allocations, err))
		return false;
	print_client(rows, &client);
	print_allocations(&allocations);
	rows_free(&allocations);
	return true;
}

bool client_show(struct ctl *ctl, struct err *err)
{
	const struct listing listing = {.filter.name = str_of(ctl->arguments[0]), .size = 1};
	struct rows rows = ROWS_INIT;
	uint64_t total;

	if (ctl->json)
		return out_noun(ctl, NOUN_CLIENT, &listing.filter, err);
	if (!ctl_db(ctl, err) || !noun_rows(ctl->db, NOUN_CLIENT, &listing, &rows, &total, err))
		return false;
	bool ok = show(ctl, &rows, err);
	rows_free(&rows);
	return ok;
}
