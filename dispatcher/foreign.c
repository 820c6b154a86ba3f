/* Channels of others: see foreign.h. */
#include "dispatcher/foreign.h"

#include "common/clock.h"
#include "dispatcher/call_id.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"

#include "common/base.h"

#define ACTION_ID STR("ccs-foreign")

static void show(struct server *server, uint32_t n)
{
	atomic_store_explicit(&server->row->health.foreign, n, memory_order_relaxed);
	sched_server_freed(server->d, server);
}

void foreign_tick(struct server *server)
{
	struct dispatcher *d = server->d;
	struct strbuf out = STRBUF_INIT;
	struct err err;

	if (!server->facts.counts_foreign || !server_is_up(server)) {
		if (atomic_load_explicit(&server->row->health.foreign, memory_order_relaxed))
			show(server, 0);
		return;
	}
	if (d->now_mono_us < server->foreign_next_us)
		return;
	server->foreign_next_us = d->now_mono_us + d->conf->dispatcher_foreign_ms * US_PER_MS;
	server->foreign_n = 0;
	server->foreign_asked = ami_core_show_channels(&out, ACTION_ID, &err) &&
				ami_conn_send(server->conn, strbuf_view(&out));
	strbuf_free(&out);
	ami_conn_flush(server->conn);
}

/* Ours by its own id or, the far half of a Local pair, by that of the call it belongs to. */
static bool is_ours(struct server *server, struct str id)
{
	uint64_t entry_id;
	uint32_t n;
	const struct slot *slot =
		call_id_parse(id, &entry_id, &n) ? slot_of_entry(server->d, entry_id) : NULL;
	return slot && slot->server == server;
}

bool foreign_take(struct server *server, const struct ami_message *msg)
{
	if (msg->event != AMI_E_CORE_SHOW_CHANNEL &&
		msg->event != AMI_E_CORE_SHOW_CHANNELS_COMPLETE)
		return false;
	if (!server->foreign_asked) /* asked by an earlier life */
		return true;
	if (msg->event == AMI_E_CORE_SHOW_CHANNEL) {
		server->foreign_n += !is_ours(server, ami_header(msg, AMI_H_UNIQUEID)) &&
				     !is_ours(server, ami_header(msg, AMI_H_LINKEDID));
	} else {
		server->foreign_asked = false;
		show(server, server->foreign_n);
	}
	return true;
}
