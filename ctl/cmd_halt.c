/* ccsctl halt, resume: the emergency stop, and its end. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/halt.h"

#include "common/base.h"

static bool has_one_target(const struct halt_input *input, struct err *err)
{
	bool all = input->all == 1;
	return all != (input->client.p != NULL) ||
	       fail(err, ERR_INPUT, "say whose dialling: --all, or --client and an account code");
}

static bool carry_out(struct ctl *ctl, bool halt, struct err *err)
{
	const struct halt_input *input = &ctl->input.halt;
	struct halt_told told;
	int64_t took_us;

	if (!fields_check(halt_fields, halt_fields_n, input, err) || !has_one_target(input, err) ||
		!ctl_db(ctl, err))
		return false;
	bool ok = halt ? halt_set(ctl->db, ctl_actor(), input->client, input->reason, &told, err)
		       : halt_lift(ctl->db, ctl_actor(), input->client, &told, err);
	if (!ok || !ctl_wait(ctl, told.control_id, &took_us, err))
		return false;
	struct str who = input->client.p ? input->client : STR("everybody");
	if (ctl->json)
		out_json(json_pack("{s:s%, s:b, s:b, s:f}", "who", who.p, who.n, "halted",
			(int)halt, "changed", (int)told.changed, "confirmed_ms",
			(double)took_us / US_PER_MS));
	else
		(void)printf("Dialling for %.*s %s%s; the dispatcher confirmed it after %" PRId64
			     " ms.\n",
			(int)who.n, who.p, halt ? "is halted" : "is no longer halted",
			told.changed ? "" : ", as before", took_us / US_PER_MS);
	return true;
}

bool dialling_halt(struct ctl *ctl, struct err *err)
{
	return carry_out(ctl, true, err);
}

bool dialling_resume(struct ctl *ctl, struct err *err)
{
	return carry_out(ctl, false, err);
}
