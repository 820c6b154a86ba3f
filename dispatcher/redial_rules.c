/* Is an attempt the last one of its entry: see redial_rules.h. */
#include "dispatcher/redial_rules.h"

#include "common/log.h"
#include "dispatcher/directory.h"
#include "dispatcher/disposition.h"

#include "common/base.h"

static void take_rules(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (struct client *c = d->clients; c; c = c->hh.next) {
		c->redial = (struct redial_policy){0};
		c->number_limit = 0;
	}
	for (int i = 0; i < rows->n; i++) {
		struct client *client = client_find(d, (uint64_t)row_i64(rows, i, 0));
		if (!client)
			continue;
		client->number_limit = (uint32_t)row_i64(rows, i, 2);
		if (!redial_read(row_text(rows, i, 1), &client->redial))
			log_error("directory.retry", "client=%llu why=%s",
				(unsigned long long)client->id,
				log_q("a rule that this version does not know: it is not "
				      "followed"));
	}
}

void redial_rules_load(struct dispatcher *d)
{
	stream_query(d->lookups, SQL_DIRECTORY_RETRY_RULES, NULL, take_rules, d);
}

/* Its batch's, and where that has none its client's. */
static const struct redial_policy *rules_of(const struct slot *slot)
{
	const struct terms *terms = slot->chunk ? &slot->chunk->queue->terms : NULL;
	return terms && terms->has_redial ? &terms->redial : &slot->client->redial;
}

uint32_t redial_rules_budget(const struct slot *slot)
{
	return slot->client ? redial_budget(rules_of(slot)) : 1;
}

/* What its batch wants no more of. */
static bool is_too_late(const struct slot *slot, int64_t due_us)
{
	int64_t expires_us = slot->chunk->queue->terms.expires_us;
	return expires_us && due_us >= expires_us;
}

void redial_rules_judge(const struct slot *slot, struct shm_call *facts)
{
	uint32_t n = slot->head->n, budget = redial_rules_budget(slot);
	if (n == 0 || !slot->chunk || slot->chunk->order == CHUNK_CANCEL ||
		(facts->seen & SEEN_CALLED_OFF))
		return;
	struct str name = str_of(disposition_name((enum disposition)facts->disposition));
	int64_t due_us;
	if (!(facts->seen & SEEN_NOT_FINAL) && budget > 1 &&
		redial_due(rules_of(slot), redial_outcome(name), n, facts->ended_us, &due_us) &&
		!is_too_late(slot, due_us)) {
		facts->redial_us = due_us;
		facts->seen |= SEEN_NOT_FINAL;
	}
	if (facts->seen & SEEN_NOT_FINAL)
		facts->attempts_left = MAX(budget, n + 1) - n;
}
