/* Admission of connections: see admit.h. */
#include "relay/admit.h"

#include "common/clock.h"
#include "common/log.h"
#include "relay/conn.h"
#include "relay/neighbours.h"
#include "relay/refuse.h"

#include "common/base.h"

/* No credential is longer; nor is a request's Origin that is on a list of ours. */
enum { VALUE_BYTES = JWT_MAX_BYTES + sizeof("Bearer "), SOCKET_KEY_CHARS = 24 };

/* A value that does not fit is none that we know. */
static struct str value_of(int n, const char *buffer)
{
	return n > 0 ? (struct str){buffer, (size_t)n} : STR("");
}

static struct str header_named(struct lws *wsi, const char *name, char out[VALUE_BYTES])
{
	return value_of(lws_hdr_custom_copy(wsi, out, VALUE_BYTES, name, (int)strlen(name)), out);
}

static struct str header(struct lws *wsi, enum lws_token_indexes which, char out[VALUE_BYTES])
{
	return value_of(lws_hdr_copy(wsi, out, VALUE_BYTES, which), out);
}

static bool check_handshake(struct lws *wsi, struct err *err)
{
	char version[4];
	if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0)
		return fail(err, ERR_METHOD, "a WebSocket is opened with GET");
	if (lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_VERSION) < 0 ||
		!str_eq(str_of(version), STR("13")) ||
		lws_hdr_total_length(wsi, WSI_TOKEN_KEY) != SOCKET_KEY_CHARS)
		return fail_code(err, ERR_INPUT, "bad_handshake",
			"a WebSocket handshake has Sec-WebSocket-Version: 13 and a "
			"Sec-WebSocket-Key of 16 bytes in base64");
	return true;
}

/* A page of anybody's may connect when no list is configured: it needs a key all the same. */
static bool check_origin(const struct relay *relay, struct lws *wsi, struct err *err)
{
	char buffer[VALUE_BYTES];
	struct str one, allowed = str_of(relay->conf->relay_allowed_origins);
	bool present = lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0;
	if (!present || allowed.n == 0)
		return true;
	struct str origin = header(wsi, WSI_TOKEN_ORIGIN, buffer);
	while (str_split(&allowed, ' ', &one))
		if (one.n && str_case_eq(one, origin))
			return true;
	return fail_code(err, ERR_FORBIDDEN, "origin_refused",
		"pages of this origin may not connect; relay.allowed_origins lists those that may");
}

static bool check_room(
	const struct relay *relay, uint64_t client_id, struct str address, struct err *err)
{
	const struct conf *conf = relay->conf;
	if (relay->stopping || relay->conns_n >= conf->relay_connections)
		return fail(err, ERR_BUSY, "there is no room for another connection; try again");
	if (feed_visitors(&relay->feed, client_id) >= conf->relay_connections_per_client)
		return fail_code(err, ERR_LIMIT, "too_many_connections",
			"you have %lld connections, which is the limit; close one first",
			(long long)conf->relay_connections_per_client);
	if (neighbours_count(relay->places, address) >= conf->relay_connections_per_address)
		return fail_code(err, ERR_LIMIT, "too_many_connections",
			"there are %lld connections from this address, which is the limit; close "
			"one first",
			(long long)conf->relay_connections_per_address);
	return true;
}

static bool identify(struct relay *relay, struct lws *wsi, struct str address,
	struct identity *identity, struct err *err)
{
	static char buffers[5][VALUE_BYTES];
	int64_t now_us = clock_wall_us();
	struct credentials credentials = {
		.header = header_named(wsi, "x-api-key:", buffers[0]),
		.authorization = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, buffers[1]),
		.query = header_named(wsi, "x-query-key:", buffers[2]), /* nginx has cut it out */
		.certificate = header_named(wsi, "x-certificate:", buffers[3]),
		.ticket = header_named(wsi, "x-ticket:", buffers[4]),
		.address = address,
	};
	if (credentials.ticket.n)
		return auth_by_ticket(&relay->seg, &relay->ring, relay->conf->common_node,
			&relay->used, &credentials, now_us, identity, err);
	return auth_identify(&relay->seg, &relay->ring, &credentials, now_us, identity, err);
}

static void refuse_request(struct lws *wsi, const struct err *err)
{
	char request_id[VALUE_BYTES];
	refuse(wsi, header_named(wsi, "x-request-id:", request_id), err);
}

bool admit(struct relay *relay, struct lws *wsi)
{
	char buffer[VALUE_BYTES];
	struct str address = header_named(wsi, "x-client-address:", buffer);
	struct identity identity;
	struct err err;
	(void)segment_check(&relay->seg);
	if (check_handshake(wsi, &err) && check_origin(relay, wsi, &err) &&
		identify(relay, wsi, address, &identity, &err) &&
		check_room(relay, identity.client_id, address, &err)) {
		lws_set_opaque_user_data(wsi, conn_new(relay, wsi, &identity, address));
		return true;
	}
	log_debug("relay.refused", "code=%s why=%s", err.code ? err.code : err_kind_name(err.kind),
		log_q(err.text));
	refuse_request(wsi, &err);
	return false;
}

void admit_nothing_else(struct lws *wsi)
{
	struct err err;
	(void)fail_code(&err, ERR_INPUT, "upgrade_required",
		"this address speaks WebSocket; connect with wss://");
	refuse_request(wsi, &err);
}
