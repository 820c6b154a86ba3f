/* Routes of calls: see route.h. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dispatcher/route.h"

#include "common/base.h"

/* The next of these, by the lowest digit of *turn in the base of their number; what is left of *turn counts their rounds. */
static const char *next_of(const struct texts *texts, uint64_t *turn)
{
	if (texts->n == 0)
		return "";
	const char *text = texts->text[*turn % texts->n];
	*turn /= texts->n;
	return text;
}

static void put(char *out, size_t size, const char *text)
{
	if (!str_copy(out, size, str_of(text)))
		die("route.too_long", "text=%s why=\"the schema's check is narrower\"", text);
}

/* The element of the list, so that what is written is an administrator's text and nobody else's. */
static const char *found(const struct texts *texts, const char *text)
{
	for (uint32_t i = 0; i < texts->n; i++)
		if (strcmp(texts->text[i], text) == 0)
			return texts->text[i];
	return NULL;
}

static const char *offered(const struct server *server, const char *context)
{
	const char *text = found(&server->offered, context);
	return text ? text : found(&server->contexts, context);
}

bool route_offers(const struct server *server, const struct terms *terms)
{
	return !*terms->context || offered(server, terms->context);
}

bool route_known(const struct client *client, const struct terms *terms)
{
	const struct edge *e = client->edges;
	if (!*terms->context || !e)
		return true;
	while (e && !offered(e->server, terms->context))
		e = e->next_of_client;
	return e && found(&client->contexts, terms->context);
}

void route_pick(struct server *server, const struct terms *terms, struct shm_call *call)
{
	const char *asked = *terms->context ? offered(server, terms->context) : NULL;
	bool says = asked && *terms->extension;
	uint64_t turn = server->routes++;
	put(call->endpoint, sizeof(call->endpoint), next_of(&server->endpoints, &turn));
	put(call->prefix, sizeof(call->prefix), next_of(&server->prefixes, &turn));
	put(call->context, sizeof(call->context),
		asked ? asked : next_of(&server->contexts, &turn));
	put(call->extension, sizeof(call->extension), says ? terms->extension : server->extension);
}

void texts_free(struct texts *texts)
{
	free(texts->text);
	*texts = (struct texts){0};
}

void texts_read(const struct rows *rows, int row, int column, struct texts *texts)
{
	struct row_list list = row_list(rows, row, column);
	struct str text;

	texts_free(texts);
	if (list.left == 0)
		return;
	texts->text = calloc((size_t)list.left, sizeof(*texts->text));
	if (!texts->text)
		die("memory.exhausted", "texts=%d", list.left);
	while (row_list_next(&list, &text))
		if (!str_copy(texts->text[texts->n++], ROUTE_TEXT_BYTES, text))
			die("route.too_long", "why=\"the schema's check is narrower\"");
}
