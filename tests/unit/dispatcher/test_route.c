/* Which way a call goes out of its server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "sched_world.h"

#include "dispatcher/route.h"

#include <cmocka.h> /* last: it has a macro fail() */

static struct texts texts_of(unsigned n, ...)
{
	struct texts texts = {calloc(n, sizeof(*texts.text)), n};
	va_list args;
	va_start(args, n);
	for (unsigned i = 0; i < n; i++)
		assert_true(
			str_copy(texts.text[i], ROUTE_TEXT_BYTES, str_of(va_arg(args, char *))));
	va_end(args);
	return texts;
}

/* The next call of the client. */
static const struct shm_call *call_of(struct rig *w, uint32_t client)
{
	static uint64_t number = UINT64_C(20000000000);
	uint64_t entry = w->next_chunk << 10;
	announce(w, client, 1, number++);
	sched_pass(&w->d);
	return slot_of_entry(&w->d, entry)->call;
}

/* Two prefixes, three endpoints, two contexts: twelve calls use each combination once. */
static void prefixes_endpoints_and_contexts_are_used_in_all_combinations(void **state)
{
	struct rig *w = *state;
	struct server *s = &w->servers[0];
	bool used[12] = {false};
	s->prefixes = texts_of(2, "00", "01");
	s->endpoints = texts_of(3, "a", "b", "c");
	s->contexts = texts_of(2, "x", "y");
	for (int i = 0; i < 12; i++) {
		const struct shm_call *call = call_of(w, 0);
		int which = call->endpoint[0] - 'a' + 3 * (call->prefix[1] - '0') +
			    6 * (call->context[0] - 'x');
		assert_in_range(which, 0, 11);
		assert_false(used[which]);
		used[which] = true;
	}
	texts_free(&s->prefixes);
	texts_free(&s->endpoints);
	texts_free(&s->contexts);
}

static void free_texts(struct server *s, struct client *c)
{
	texts_free(&s->contexts);
	texts_free(&s->offered);
	texts_free(&c->contexts);
}

/* The server's own text, of those used in turn or of those only for who asks, and its extension where none is asked for. */
static void a_context_that_is_asked_for_is_an_element_of_the_servers_lists(void **state)
{
	struct rig *w = *state;
	struct server *s = &w->servers[0];
	struct client *c = &w->clients[0];
	struct terms none = {.weight = 1}, asks = {.context = "survey", .extension = "100"};
	struct shm_call call = {.queue_master_id = 0};

	assert_true(str_copy(s->extension, sizeof(s->extension), STR("s")));
	s->contexts = texts_of(2, "x", "y");
	s->offered = texts_of(1, "survey");
	assert_true(route_offers(s, &none) && route_offers(s, &asks));
	route_pick(s, &asks, &call);
	assert_string_equal(call.context, "survey");
	assert_string_equal(call.extension, "100");
	*asks.extension = '\0';
	route_pick(s, &asks, &call);
	assert_string_equal(call.extension, "s");
	for (int i = 0; i < 4; i++) { /* nobody is sent there who does not ask */
		route_pick(s, &none, &call);
		assert_true(*call.context == 'x' || *call.context == 'y');
	}

	assert_false(route_known(c, &asks)); /* the client may not */
	c->contexts = texts_of(2, "survey", "elsewhere");
	assert_true(route_known(c, &asks) && route_known(c, &none));
	assert_true(str_copy(asks.context, sizeof(asks.context), STR("elsewhere")));
	assert_false(route_offers(s, &asks) || route_known(c, &asks));
	free_texts(s, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(prefixes_endpoints_and_contexts_are_used_in_all_combinations),
		WORLD_TEST(a_context_that_is_asked_for_is_an_element_of_the_servers_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
