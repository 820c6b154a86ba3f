/* How fast is the insert body read? Prints a line of JSON: our scanner, the same with numbers
 * checked by the numbering plan, and jansson (parse, walk, custom_data back to text) on one body,
 * best of several rounds.
 *
 * bench_scan ENTRIES
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/log.h"
#include "registry/batch_scan.h"
#include "registry/number.h"

#include "common/base.h"

enum { ROUNDS = 7 };

static size_t sink;

static bool count(void *arg, const struct batch_entry *entry, struct err *err)
{
	(void)arg;
	(void)err;
	sink += entry->phone_number.n + entry->custom_data.n;
	return true;
}

static bool read_number(void *arg, const struct batch_entry *entry, struct err *err)
{
	struct number number;
	if (!number_accept(arg, entry->phone_number, &number, err))
		return false;
	sink += number.plan.country_digits;
	return true;
}

static void scan_with(struct str body, batch_entry_fn *fn, void *arg)
{
	struct arena *arena = arena_new(1 << 20);
	struct batch_head head;
	struct err err;
	if (!batch_scan(body, UINT32_MAX, arena, fn, arg, &head, &err))
		die("bench.failed", "why=%s", log_q(err.text));
	arena_free(arena);
}

static void run_scan(struct str body)
{
	scan_with(body, count, NULL);
}

static void run_scan_and_numbers(struct str body)
{
	struct shm_policy policy = {.check = 0};
	struct number_rules rules = {"IN", NUMBER_CHECK_FULL, &policy};
	if (!policy_read(&policy, STR("IN"), STR("default")))
		die("bench.policy", "why=\"its words are ours\"");
	scan_with(body, read_number, &rules);
}

static void run_jansson(struct str body)
{
	json_t *root = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *data = json_object_get(root, "data");
	for (size_t i = 0; i < json_array_size(data); i++) {
		const json_t *entry = json_array_get(data, i);
		char *custom = json_dumps(json_object_get(entry, "custom_data"), JSON_COMPACT);
		sink += json_string_length(json_object_get(entry, "phone_number")) + strlen(custom);
		free(custom);
	}
	json_decref(root);
}

static double best_us(void (*run)(struct str), struct str body)
{
	int64_t best = INT64_MAX;
	for (int i = 0; i < ROUNDS; i++) {
		int64_t from = clock_mono_us();
		run(body);
		best = MIN(best, clock_mono_us() - from);
	}
	return (double)best;
}

int main(int argc, char **argv)
{
	uint64_t entries;
	if (argc != 2 || !str_to_u64(str_of(argv[1]), 1, 10000000, &entries))
		return 2;
	number_plan_load();
	struct strbuf body = STRBUF_INIT;
	strbuf_puts(&body, "{\"batch_id\": 12345, \"data\": [");
	for (uint64_t i = 0; i < entries; i++)
		strbuf_printf(&body,
			"%s{\"phone_number\": \"98765%05llu\", \"custom_data\": {\"customer_id\": "
			"\"CUST%05llu\", \"campaign_id\": "
			"\"CAMP001\"}}",
			i ? ", " : "", (unsigned long long)i % 100000, (unsigned long long)i);
	strbuf_puts(&body, "]}");
	double scan = best_us(run_scan, strbuf_view(&body));
	double numbers = best_us(run_scan_and_numbers, strbuf_view(&body));
	double jansson = best_us(run_jansson, strbuf_view(&body));
	printf("{\"entries\": %llu, \"bytes\": %zu, \"scan_us\": %.0f, \"scan_mb_s\": %.0f, "
	       "\"jansson_us\": %.0f, \"ratio\": %.1f, "
	       "\"number_us_each\": %.2f}\n",
		(unsigned long long)entries, body.n, scan, (double)body.n / scan, jansson,
		jansson / scan, (numbers - scan) / (double)entries);
	strbuf_free(&body);
	return sink == 0;
}
