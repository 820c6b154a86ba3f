/* What is in the way: see put_why.h. */
#include "fcgi/put_why.h"
#include "fcgi/put.h"

#include "common/base.h"

static void put_gate(struct strbuf *sb, const char *key, const struct explained *e)
{
	put_object(sb, key);
	put_text(sb, "gate", str_of(gate_texts[e->gate].name));
	put_bool(sb, "blocks", e->blocks);
	put_text(sb, "detail", str_of(*e->detail ? e->detail : NULL));
	put_text(sb, "server_code", str_of(*e->server_code ? e->server_code : NULL));
	put_text(sb, "who", str_of(gate_texts[e->gate].who));
	put_time_ms(sb, "since", e->since_us);
	put_time_ms(sb, "next_at", e->next_us);
	put_end(sb, '}');
}

void put_explained(struct strbuf *sb, const char *key, const struct explained *e)
{
	if (e->blocks)
		put_gate(sb, key, e);
	else
		put_null(sb, key);
}

static void put_gates(struct strbuf *sb, const struct explained *gates, uint32_t n)
{
	put_array(sb, "gates");
	for (uint32_t i = 0; i < n; i++)
		put_gate(sb, NULL, &gates[i]);
	put_end(sb, ']');
}

static void put_servers(struct strbuf *sb, const struct explain *ex)
{
	struct explained_server server;
	put_array(sb, "servers");
	for (uint32_t at = 0; explain_next_server(ex, &at, &server);) {
		put_object(sb, NULL);
		put_text(sb, "server_code", str_of(server.server_code));
		put_bool(sb, "blocks", server.first.blocks);
		put_gates(sb, server.gates, server.n);
		put_end(sb, '}');
	}
	put_end(sb, ']');
}

void put_why(struct strbuf *sb, const struct why *why, int64_t now_us)
{
	struct explained gates[GATE__N];
	char text[WHY_TEXT_BYTES];
	bool waits = why->stage == WHY_WAITS;

	put_time_ms(sb, "as_of", now_us);
	put_text(sb, "explanation", str_of(why_text(why, text)));
	put_explained(sb, "blocked_by", &why->verdict);
	put_gates(sb, gates, waits ? explain_gates(&why->explain, gates) : 0);
	if (waits) {
		put_servers(sb, &why->explain);
	} else {
		put_array(sb, "servers");
		put_end(sb, ']');
	}
}
