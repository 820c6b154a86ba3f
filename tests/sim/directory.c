/* The directory as PostgreSQL has it: who may call, when, from where. The first part of tables.c. */
#include <stdio.h>

#include "sql/wire.h"
#include "tests/sim/sim.h"
#include "tests/sim/table.h"

#include "common/base.h"

const int64_t DAY_US = 86400 * US_PER_S;

static struct strbuf sealed; /* the secret of every server */

void tables_seal_secret(const struct secret_key *key)
{
	secret_seal(key, STR("secret"), &sealed);
}

bool window_open(const struct sim_client *c, int64_t at_us)
{
	int64_t minute = at_us / (60 * US_PER_S) % 1440;
	if (c->open_minute == c->close_minute)
		return true;
	bool over_midnight = c->open_minute > c->close_minute;
	return over_midnight ? minute >= c->open_minute || minute < c->close_minute
			     : minute >= c->open_minute && minute < c->close_minute;
}

void directory_clients(struct table *t)
{
	static const char *const statuses[] = {"active", "paused", "suspended"};
	for (uint32_t i = 0; i < sim.clients_n; i++) {
		const struct sim_client *c = &sim.clients[i];
		const struct limits *l = &c->limited.sql;
		table_row(t);
		put_i64(t, (int64_t)c->id);
		put_text(t, STR("client"));
		put_text(t, STR("account"));
		put_text(t, STR(CLIENT_DID));
		put_text(t, STR(CLIENT_DID));
		put_text(t, STR(""));
		put_text(t, STR("UTC"));
		put_text(t, STR("IN"));
		put_i64(t, l->channels);
		put_i64(t, l->per_hour);
		put_i64(t, l->per_second);
		put_i64(t, 0);
		put_i64(t, c->weight);
		put_text(t, str_of(statuses[c->status]));
		put_i64(t, l->active);
		put_i64(t, 1);
		put_i64(t, c->open_minute * INT64_C(60));
		put_i64(t, c->close_minute * INT64_C(60));
		put_time(t, sim.began_us);
		put_time(t, sim.began_us);
		put_text(t, STR("syntax"));
		put_text(t, STR("all"));
		put_text(t, STR("all"));
		put_text(t, STR(""));
		put_i64(t, false);
		put_text(t, STR(""));
		put_i64(t, false);
	}
}

void directory_days(struct table *t, int64_t at_us)
{
	static char caps[CLIENTS_MAX][32];
	for (uint32_t i = 0; i < sim.clients_n; i++) {
		const struct sim_client *c = &sim.clients[i];
		(void)snprintf(caps[i], sizeof(caps[i]), c->cap ? "all:%u" : "", c->cap);
		table_row(t);
		put_i64(t, (int64_t)c->id);
		put_time(t, (at_us / DAY_US + 1) * DAY_US);
		put_text(t, str_of(caps[i]));
		put_text(t, STR(""));
		put_i64(t, c->day == at_us / DAY_US ? c->day_calls : 0);
	}
}

static const char *const server_statuses[] = {"active", "draining", "disabled"};

void directory_servers(struct table *t)
{
	static const char *const codes[SERVERS_MAX] = {"s0", "s1", "s2", "s3", "s4"};
	for (uint32_t i = 0; i < sim.servers_n; i++) {
		const struct sim_server *s = &sim.servers[i];
		table_row(t);
		put_i64(t, (int64_t)s->id);
		put_text(t, str_of(codes[i]));
		put_text(t, STR("127.0.0.1"));
		put_i64(t, 5000 + i);
		put_text(t, STR("ccs"));
		put_text(t, strbuf_view(&sealed));
		put_i64(t, false);
		put_text(t, STR("PJSIP/{number}@trunk"));
		put_i64(t, s->limited.sql.channels);
		put_i64(t, s->limited.sql.per_hour);
		put_i64(t, s->limited.sql.per_second);
		put_words(t, "");
		put_words(t, "default ");
		put_text(t, STR("s"));
		put_words(t, i % 2 ? "911140000001 911140000002 " : "");
		put_words(t, "");
		put_text(t, str_of(server_statuses[s->status]));
	}
}

void directory_allocations(struct table *t)
{
	for (uint32_t i = 0; i < sim.clients_n; i++)
		for (uint32_t k = 0; k < sim.servers_n; k++) {
			const struct sim_allocation *a = &sim.allocations[i][k];
			if (!a->exists)
				continue;
			table_row(t);
			put_i64(t, (int64_t)sim.clients[i].id);
			put_i64(t, (int64_t)sim.servers[k].id);
			put_i64(t, a->limited.sql.channels);
			put_i64(t, a->limited.sql.per_hour);
			put_i64(t, a->limited.sql.per_second);
			put_words(t, k % 2 ? "" : "911140000003 911140000004 911140000005 ");
			put_text(t, STR("active"));
		}
}
