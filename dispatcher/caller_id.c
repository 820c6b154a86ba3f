/* Caller ids: see caller_id.h. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dispatcher/caller_id.h"

#include "common/base.h"

struct caller_id *caller_id_hold(struct dispatcher *d, const char *digits)
{
	struct caller_id *id;
	HASH_FIND_STR(d->caller_ids, digits, id);
	if (!id) {
		id = calloc(1, sizeof(*id));
		if (!id)
			die("memory.exhausted", "bytes=%zu", sizeof(*id));
		if (!str_copy(id->digits, sizeof(id->digits), str_of(digits)))
			die("caller_id.too_long", "did=%s", log_number(digits));
		HASH_ADD_STR(d->caller_ids, digits, id);
	}
	id->held++;
	return id;
}

void caller_id_drop(struct dispatcher *d, struct caller_id *id)
{
	if (--id->held)
		return;
	if (d->audit_caller_id == id)
		d->audit_caller_id = id->hh.next;
	HASH_DEL(d->caller_ids, id);
	free(id);
}

static void use(struct dispatcher *d, struct caller_id *id)
{
	id->used = ++d->caller_id_turns;
}

void caller_id_take(struct caller_id *id)
{
	id->channels++;
	id->calls++;
}

struct caller_id *caller_id_adopt(struct dispatcher *d, const char *digits)
{
	struct caller_id *id = caller_id_hold(d, digits);
	use(d, id);
	return id;
}

void caller_id_give(struct caller_id *id)
{
	id->channels--;
}

/* A number that another list has shown since is later here, too: it moves back before it is believed. */
static struct caller_id *longest_ago(struct caller_ids *list)
{
	struct heap_node *first;
	while ((first = heap_first(&list->by_use))) {
		struct caller_id_place *place = CONTAINER(first, struct caller_id_place, node);
		if (heap_first_key(&list->by_use) == place->id->used)
			return place->id;
		heap_put(&list->by_use, &place->node, place->id->used);
	}
	return NULL;
}

struct caller_id *caller_id_pick(struct dispatcher *d, struct edge *edge, struct caller_id *asked)
{
	struct caller_id *id = asked ? asked : longest_ago(&edge->dids);
	if (!id)
		id = longest_ago(&edge->server->dids);
	if (!id)
		return caller_id_adopt(d, edge->client->facts.did);
	/* Now, and not when it takes its grant: what is armed ahead does that later, and others are picked in between. */
	use(d, id);
	id->held++;
	return id;
}

static bool is_among(const struct caller_ids *list, const struct caller_id *id)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->v[i].id == id)
			return true;
	return false;
}

bool caller_id_allowed(const struct client *client, const struct caller_id *id)
{
	for (const struct edge *e = client->edges; e; e = e->next_of_client)
		if (is_among(e->dids.n ? &e->dids : &e->server->dids, id))
			return true;
	return strcmp(client->facts.did, id->digits) == 0;
}

void caller_ids_drop(struct dispatcher *d, struct caller_ids *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		caller_id_drop(d, list->v[i].id);
	heap_free(&list->by_use);
	free(list->v);
	*list = (struct caller_ids){0};
}

void caller_ids_read(
	struct dispatcher *d, const struct rows *rows, int row, int column, struct caller_ids *list)
{
	struct row_list texts = row_list(rows, row, column);
	struct caller_ids fresh = {0};
	struct str text;
	char digits[CALLER_ID_BYTES];

	fresh.v = texts.left ? calloc((size_t)texts.left, sizeof(*fresh.v)) : NULL;
	if (texts.left && !fresh.v)
		die("memory.exhausted", "dids=%d", texts.left);
	while (row_list_next(&texts, &text)) {
		if (!str_copy(digits, sizeof(digits), text))
			die("caller_id.too_long", "why=\"the schema's check is narrower\"");
		struct caller_id_place *place = &fresh.v[fresh.n++];
		place->id = caller_id_hold(d, digits);
		heap_put(&fresh.by_use, &place->node, place->id->used);
	}
	caller_ids_drop(d, list);
	*list = fresh;
}
