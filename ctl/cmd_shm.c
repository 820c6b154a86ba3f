/* ccsctl shm: check, show; ccsctl status. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/fine.h"
#include "shm/calls.h"
#include "shm/check.h"
#include "shm/counters.h"
#include "shm/directory.h"
#include "shm/latency.h"
#include "sql/migrate.h"

#include "common/base.h"

static const char *const ami_states[AMI_STATE__N] = {
	[AMI_DOWN] = "down",
	[AMI_CONNECTING] = "connecting",
	[AMI_LOGIN] = "logging in",
	[AMI_RESYNC] = "resynchronising",
	[AMI_UP] = "up",
};

static const char *ami_state(enum shm_ami_state state)
{
	return state < AMI_STATE__N ? ami_states[state] : "unknown";
}

/* ---- check ---- */

static void report(void *arg, const char *invariant, const char *text)
{
	json_array_append_new(arg, json_pack("{s:s, s:s}", "invariant", invariant, "text", text));
}

bool shm_check_all(struct ctl *ctl, struct err *err)
{
	struct segment seg;
	json_t *findings = json_array(), *finding;
	size_t i;

	bool ok = ctl_state(ctl, &seg, err);
	/* The other two may be missing: .in until a worker has run. What is there is looked at. */
	bool has_in = ok && segment_attach_in(&seg, NULL),
	     has_events = ok && segment_attach_events(&seg, NULL);
	if (ok)
		(void)shm_check(&seg, report, findings);
	segment_close(&seg);
	bool is_sound = ok && json_array_size(findings) == 0;
	if (ok && ctl->json)
		out_json(json_pack("{s:b, s:O}", "sound", is_sound, "findings", findings));
	json_array_foreach (findings, i, finding)
		if (!ctl->json)
			(void)printf("%s: %s\n",
				json_string_value(json_object_get(finding, "invariant")),
				json_string_value(json_object_get(finding, "text")));
	if (ok && !ctl->json)
		(void)printf("The shared memory of node %s is %s%s%s.\n", ctl->conf.common_node,
			is_sound ? "sound" : "not sound", has_in ? "" : "; there is no .in",
			has_events ? "" : "; there is no .ev");
	json_decref(findings);
	return is_sound;
}

/* ---- show ---- */

static json_t *counters_json(const struct segment *seg)
{
	json_t *counters = json_object();
	for (int i = 0; i < COUNTER__N; i++)
		json_object_set_new(counters, counter_texts[i].name,
			json_integer((json_int_t)counter_read(seg, (enum shm_counter)i)));
	return counters;
}

static const struct shm_latency *latency_of(const struct segment *seg, int kind)
{
	uint32_t n;
	const struct shm_latency *rows = seg_latency(seg, &n);
	return (uint32_t)kind < n ? &rows[kind] : NULL;
}

/* [highest microsecond, samples] of each step that has any: two looks give what was between them. */
static json_t *steps_json(const struct shm_latency *latency)
{
	json_t *steps = json_array();
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t n = atomic_load_explicit(&latency->count[i], memory_order_relaxed);
		if (n)
			json_array_append_new(
				steps, json_pack("[I, I]", (json_int_t)latency_bucket_end(i),
					       (json_int_t)n));
	}
	return steps;
}

static json_t *latencies_json(const struct segment *seg)
{
	json_t *latencies = json_object();
	for (int i = 0; i < LATENCY__N; i++) {
		const struct shm_latency *l = latency_of(seg, i);
		if (l)
			json_object_set_new(latencies, latency_name((enum shm_latency_kind)i),
				json_pack("{s:I, s:I, s:I, s:I, s:o}", "n",
					(json_int_t)latency_count(l), "p50_us",
					(json_int_t)latency_percentile(l, 0.5), "p99_us",
					(json_int_t)latency_percentile(l, 0.99), "max_us",
					(json_int_t)latency_percentile(l, 1), "steps",
					steps_json(l)));
	}
	return latencies;
}

static void print_segment(const struct segment *seg)
{
	for (int i = 0; i < COUNTER__N; i++)
		(void)printf("%-16s %12" PRIu64 " %-13s %s\n", counter_texts[i].name,
			counter_read(seg, (enum shm_counter)i), counter_texts[i].unit,
			counter_texts[i].help);
	(void)printf("\n%-16s %12s %10s %10s %10s  (microseconds)\n", "latency", "n", "p50", "p99",
		"max");
	for (int i = 0; i < LATENCY__N; i++) {
		const struct shm_latency *l = latency_of(seg, i);
		if (l)
			(void)printf("%-16s %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
				     "\n",
				latency_name((enum shm_latency_kind)i), latency_count(l),
				latency_percentile(l, 0.5), latency_percentile(l, 0.99),
				latency_percentile(l, 1));
	}
}

bool shm_show(struct ctl *ctl, struct err *err)
{
	struct segment seg;

	bool ok = ctl_state(ctl, &seg, err);
	if (ok && ctl->json)
		out_json(json_pack("{s:I, s:o, s:o}", "epoch", (json_int_t)segment_epoch(&seg),
			"counters", counters_json(&seg), "latencies", latencies_json(&seg)));
	else if (ok)
		print_segment(&seg);
	segment_close(&seg);
	return ok;
}

/* ---- status ---- */

struct health {
	bool dispatcher, database, servers;
	char dispatcher_text[160], database_text[512];
	json_t *server_list; /* an object for each server */
	json_t *halts;	     /* of {who, since, actor, reason} */
	uint32_t live_calls;
	uint64_t repaired; /* grants, by the auditor */
};

static void look_at_dispatcher(const struct segment *seg, struct health *h)
{
	const struct shm_status *status = seg_status(seg, NULL);
	int64_t now = clock_mono_us();
	int64_t silent_ms = (now - atomic_load(&status->heartbeat_mono_us)) / US_PER_MS;

	h->dispatcher = segment_fresh(seg, now);
	(void)snprintf(h->dispatcher_text, sizeof(h->dispatcher_text),
		"%s, process %u, last sign of life %" PRId64 " ms ago, %" PRIu64 " respawns",
		h->dispatcher			   ? "running"
		: atomic_load(&status->ready) == 0 ? "starting or stopped"
						   : "silent",
		atomic_load(&status->child_pid), silent_ms,
		(uint64_t)atomic_load(&status->respawns));
	h->live_calls = call_count(seg, 0, 0);
	h->repaired = counter_read(seg, COUNTER_drift);
}

/* What it is paused for, and until when; what it was not paused for has no cause. */
static json_t *breaker_json(const struct health_facts *health)
{
	bool is_closed = health->breaker == BREAKER_CLOSED;
	return json_pack("{s:s, s:o, s:o, s:o}", "state", breaker_state_name(health->breaker),
		"since", out_time(health->since_us ? health->since_us : INT64_MIN), "why",
		is_closed ? json_null() : json_string(fault_words(health->fault)), "next_try",
		out_time(is_closed ? INT64_MIN : health->next_us));
}

static void look_at_servers(const struct segment *seg, struct health *h)
{
	struct server_facts facts;
	uint32_t n;

	h->servers = true;
	(void)seg_servers(seg, &n);
	for (uint32_t i = 0; i < n; i++) {
		if (!dir_server_at(seg, i, &facts))
			continue;
		bool is_wanted = facts.server.status != SERVER_DISABLED;
		h->servers = h->servers && (!is_wanted || facts.ami.state == AMI_UP);
		json_array_append_new(h->server_list,
			json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:i, s:s}", "server_code",
				facts.server.server_code, "status",
				server_status_name(facts.server.status), "ami",
				ami_state(facts.ami.state), "channels", (int)facts.usage.channels,
				"allowed_active_calls", (int)facts.server.allowed_active_calls,
				"breaker", breaker_json(&facts.health), "pace",
				facts.health.pace ? json_integer(facts.health.pace) : json_null(),
				"foreign_channels", (int)facts.health.foreign, "last_error",
				facts.error.text));
	}
}

static void look_at_database(struct ctl *ctl, struct health *h)
{
	struct err err = {0};
	int version = 0;

	h->database = ctl_db(ctl, &err) && migrate_check(ctl->db, &err);
	if (h->database && migrate_version(ctl->db, &version, &err))
		(void)snprintf(h->database_text, sizeof(h->database_text),
			"reachable, schema version %d", version);
	else
		(void)snprintf(h->database_text, sizeof(h->database_text), "%s%s%s", err.text,
			*db_words(ctl->db) ? ": " : "", db_words(ctl->db));
}

static void look_at_halts(struct ctl *ctl, struct health *h)
{
	struct rows rows = ROWS_INIT;
	struct err err = {0};

	if (h->database && halt_list(ctl->db, &rows, &err))
		for (int i = 0; i < rows.n; i++) {
			struct str who = row_text(&rows, i, 0), by = row_text(&rows, i, 2),
				   why = row_text(&rows, i, 3);
			json_array_append_new(h->halts,
				json_pack("{s:s%, s:o, s:s%, s:s%}", "who", who.n ? who.p : "*",
					who.n ? who.n : 1, "since", out_time(row_time(&rows, i, 1)),
					"actor", by.p, by.n, "reason", why.p, why.n));
		}
	rows_free(&rows);
}

static void print_halts(const json_t *halts)
{
	const json_t *halt;
	size_t i;

	json_array_foreach (halts, i, halt) {
		const char *who = json_string_value(json_object_get(halt, "who"));
		(void)printf("halted      %s since %s by %s%s%s\n",
			str_eq(str_of(who), STR("*")) ? "everybody" : who,
			json_string_value(json_object_get(halt, "since")),
			json_string_value(json_object_get(halt, "actor")),
			*json_string_value(json_object_get(halt, "reason")) ? ": " : "",
			json_string_value(json_object_get(halt, "reason")));
	}
}

static void print_server_health(const json_t *server)
{
	const char *state, *since, *why, *next;
	const json_t *pace = json_object_get(server, "pace");
	json_int_t foreign = json_integer_value(json_object_get(server, "foreign_channels"));
	json_t *breaker = json_object_get(server, "breaker");

	if (json_unpack(breaker, "{s:s, s?s, s:s, s:s}", "state", &state, "since", &since, "why",
		    &why, "next_try", &next) == 0)
		(void)printf("            breaker %s since %s: %s; next call at %s\n", state, since,
			why, next);
	if (json_is_integer(pace))
		(void)printf("            its trunk is given %" JSON_INTEGER_FORMAT
			     " calls at once\n",
			json_integer_value(pace));
	if (foreign)
		(void)printf("            %" JSON_INTEGER_FORMAT " channels of others\n", foreign);
}

static void print_health(const struct health *h)
{
	json_t *server;
	size_t i;

	(void)printf("dispatcher  %s\ndatabase    %s\n", h->dispatcher_text, h->database_text);
	json_array_foreach (h->server_list, i, server) {
		const char *error = json_string_value(json_object_get(server, "last_error"));
		const char *ami = json_string_value(json_object_get(server, "ami"));
		bool is_up = str_eq(str_of(ami), str_of(ami_states[AMI_UP]));
		(void)printf("server      %s %s, %s, %" JSON_INTEGER_FORMAT
			     " of %" JSON_INTEGER_FORMAT " channels%s%s\n",
			json_string_value(json_object_get(server, "server_code")), ami,
			json_string_value(json_object_get(server, "status")),
			json_integer_value(json_object_get(server, "channels")),
			json_integer_value(json_object_get(server, "allowed_active_calls")),
			!is_up && *error ? ": " : "", !is_up ? error : "");
		print_server_health(server);
	}
	print_halts(h->halts);
	(void)printf("calls       %u in progress\n", h->live_calls);
	if (h->repaired)
		(void)printf("grants      %" PRIu64
			     " repaired: a bug; the log says where, at=grant.drift\n",
			h->repaired);
}

bool status_show(struct ctl *ctl, struct err *err)
{
	struct health h = {.server_list = json_array(), .halts = json_array()};
	struct segment seg;

	if (ctl_state(ctl, &seg, err)) {
		look_at_dispatcher(&seg, &h);
		look_at_servers(&seg, &h);
	} else {
		(void)snprintf(h.dispatcher_text, sizeof(h.dispatcher_text), "%.150s", err->text);
	}
	segment_close(&seg);
	look_at_database(ctl, &h);
	look_at_halts(ctl, &h);
	bool is_healthy = h.dispatcher && h.database && h.servers;
	if (ctl->json)
		out_json(json_pack("{s:b, s:{s:b, s:s}, s:{s:b, s:s}, s:O, s:O, s:i, s:{s:I}}",
			"healthy", is_healthy, "dispatcher", "healthy", h.dispatcher, "text",
			h.dispatcher_text, "database", "healthy", h.database, "text",
			h.database_text, "servers", h.server_list, "halts", h.halts, "live_calls",
			(int)h.live_calls, "grants", "repaired", (json_int_t)h.repaired));
	else
		print_health(&h);
	json_decref(h.server_list);
	json_decref(h.halts);
	err->kind = ERR_NONE; /* all has been said */
	return is_healthy;
}
