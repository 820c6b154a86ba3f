/* ccsctl alloc setup: the shares of a client, worked out anew. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/setup.h"

#include "common/base.h"

const struct field setup_fields[] = {
#define FLAG(member, text)	FIELD_ROW_FLAG(struct setup_input, member, text)
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct setup_input, member, need, __VA_ARGS__)
#include "ctl/setup.def"
#undef FLAG
#undef TEXT
};
const size_t setup_fields_n = ARRAY_LEN(setup_fields);

static json_t *share_json(const struct setup_share *s)
{
	return json_pack("{s:s, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}",
		"server_code", s->server_code, "channels", (json_int_t)s->channels, "rate_limit",
		(json_int_t)s->rate, "automatic", (int)s->automatic, "channels_before",
		(json_int_t)s->had_channels, "rate_limit_before", (json_int_t)s->had_rate, "live",
		(json_int_t)s->live, "draining", (json_int_t)(s->live - MIN(s->live, s->channels)),
		"server_channels", (json_int_t)s->server_channels, "shares_of_others",
		(json_int_t)s->of_others, "reason", setup_why_name(s->why), "explanation",
		setup_why_sentence(s->why));
}

static void out_setup(const struct setup *setup, bool dry_run, bool in_force)
{
	json_t *shares = json_array();

	for (size_t i = 0; i < setup->n; i++)
		json_array_append_new(shares, share_json(&setup->shares[i]));
	out_json(json_pack("{s:s, s:I, s:I, s:b, s:b, s:I, s:o}", "accountcode", setup->accountcode,
		"allocated_channels", (json_int_t)setup->allocated_channels, "rate_limit",
		(json_int_t)setup->rate_limit, "dry_run", (int)dry_run, "in_force", (int)in_force,
		"changed", (json_int_t)setup->changed, "shares", shares));
}

static void print_share(const struct setup_share *s)
{
	(void)printf("  %-24s %6" PRIu64 " of %" PRIu64 " channels, %" PRIu64
		     " calls an hour: %s\n",
		s->server_code, s->channels, s->server_channels, s->rate,
		setup_why_sentence(s->why));
	if (s->channels != s->had_channels || s->rate != s->had_rate)
		(void)printf("  %-24s before: %" PRIu64 " channels, %" PRIu64 " calls an hour\n",
			"", s->had_channels, s->had_rate);
	if (s->live > s->channels)
		(void)printf("  %-24s %" PRIu64
			     " calls in progress: nothing begins here until %" PRIu64
			     " of them have ended\n",
			"", s->live, s->live - s->channels);
}

static void print_setup(const struct setup *setup, bool dry_run, bool in_force)
{
	(void)printf("%s may hold %" PRIu64 " calls at once and start %" PRIu64 " an hour; %s.\n",
		setup->accountcode, setup->allocated_channels, setup->rate_limit,
		dry_run		      ? "nothing was changed"
		: setup->changed == 0 ? "its shares are as they were"
		: setup->changed == 1 ? "one share is new"
				      : "several shares are new");
	for (size_t i = 0; i < setup->n; i++)
		print_share(&setup->shares[i]);
	if (setup->n == 0)
		(void)puts("It has no share of any server: see ccsctl alloc set.");
	if (!dry_run && !in_force)
		(void)puts("The dispatcher does not run; it knows when it starts.");
}

/* What runs here, if anything does. */
static bool is_running(struct ctl *ctl, struct segment *segment)
{
	return ctl_state(ctl, segment, NULL) && segment_fresh(segment, clock_mono_us());
}

static bool find_client(struct ctl *ctl, struct str accountcode, uint64_t *id, struct err *err)
{
	struct shm_client client;

	if (!client_by_accountcode(ctl->db, accountcode, &client, err))
		return false;
	*id = client.id;
	return true;
}

bool alloc_setup(struct ctl *ctl, struct err *err)
{
	const struct setup_input *input = &ctl->input.setup;
	bool dry_run = input->dry_run == 1;
	struct segment segment = {0};
	struct setup setup = {0};
	uint64_t client_id;
	int64_t took_us;

	if (!fields_check(setup_fields, setup_fields_n, input, err) || !ctl_db(ctl, err) ||
		!find_client(ctl, input->accountcode, &client_id, err))
		return false;
	bool runs = is_running(ctl, &segment);
	bool ok = setup_channels(
		ctl->db, runs ? &segment : NULL, ctl_actor(), client_id, dry_run, &setup, err);
	segment_close(&segment);
	if (ok && !dry_run) {
		ctl_changed(ctl, client_id);
		ok = !runs || ctl_wait(ctl, setup.control_id, &took_us, err);
	}
	if (ok && ctl->json)
		out_setup(&setup, dry_run, runs && !dry_run);
	else if (ok)
		print_setup(&setup, dry_run, runs);
	setup_end(&setup);
	return ok;
}
