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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(prefixes_endpoints_and_contexts_are_used_in_all_combinations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
