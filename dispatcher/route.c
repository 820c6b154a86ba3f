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

void route_pick(struct server *server, struct shm_call *call)
{
	uint64_t turn = server->routes++;
	put(call->endpoint, sizeof(call->endpoint), next_of(&server->endpoints, &turn));
	put(call->prefix, sizeof(call->prefix), next_of(&server->prefixes, &turn));
	put(call->context, sizeof(call->context), next_of(&server->contexts, &turn));
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
