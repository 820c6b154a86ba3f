/* Calling hours now: see hours.h. */
#include "shm/hours.h"

#include "common/base.h"

bool hours_read(struct shm_client *client, const struct hours_text *text, int64_t now_us)
{
	bool ok = calling_rule_read(&client->calling, text->opens_s, text->closes_s,
		text->calling_days, text->holidays, now_us);
	client->calling.in_callee_zone = text->callee_zone;
	hours_look(client, now_us);
	return ok;
}

void hours_look(struct shm_client *client, int64_t now_us)
{
	struct calling_time now = {.is_open = true, .until_us = INT64_MAX};
	if (!client->calling.in_callee_zone)
		now = calling_time(&client->calling, zone_find(str_of(client->timezone)), now_us);
	client->window_open_us = now.is_open ? INT64_MIN : now.until_us;
	client->window_close_us = now.until_us;
}
