/* API keys and tokens against the directory: see auth.h. */
#include "relay/auth.h"

#include "common/clock.h"
#include "common/ticket.h"
#include "relay/used.h"
#include "shm/directory.h"
#include "shm/network.h"
#include "shm/scope.h"

#include "common/base.h"

/* Another scheme than Bearer is somebody else's (a proxy's), not ours. */
static struct str from_bearer(struct str authorization)
{
	struct str scheme;
	if (str_split(&authorization, ' ', &scheme) && str_case_eq(scheme, STR("Bearer")))
		return str_trim(authorization);
	return STR("");
}

static bool choose(const struct credentials *from, struct str *credential, struct err *err)
{
	const struct str all[] = {from->header, from_bearer(from->authorization), from->query};
	struct str found = STR("");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].n == 0)
			continue;
		if (found.n && !str_eq(found, all[i]))
			return fail_code(err, ERR_INPUT, "two_identities",
				"the request carries two different keys or tokens; send one");
		found = all[i];
	}
	if (found.n == 0)
		found = from->certificate;
	if (found.n == 0)
		return fail_code(err, ERR_AUTH, "key_missing",
			"no API key: send it as ?x-api-key=, in the header X-API-KEY, or a token "
			"in "
			"Authorization: Bearer");
	*credential = found;
	return true;
}

static bool expired(int64_t expires_us, int64_t now_us)
{
	return expires_us && expires_us <= now_us;
}

static bool busy(struct err *err)
{
	return fail(err, ERR_BUSY, "credentials cannot be checked at the moment; try again");
}

/* The directory is complete and current as a whole, so a key that it lacks is nobody's. A key that it has, of a
 * client that has been changed since, is being read again at this moment. */
static bool find_key(const struct segment *seg, const struct digest *digest, int64_t now_us,
	struct shm_client *client, struct err *err)
{
	struct shm_key key;
	if (dir_identify(seg, digest, &key, client)) {
		if (expired(key.expires_us, now_us))
			return fail_code(err, ERR_AUTH, "key_expired", "the API key has expired");
		return (key.scopes & SCOPE_READ) ||
		       fail_code(err, ERR_FORBIDDEN, "scope_missing",
			       "events need the scope read, which this API key does not have");
	}
	if (!dir_key(seg, digest, &key))
		return fail_code(err, ERR_AUTH, "key_unknown", "nobody has this API key");
	return busy(err);
}

static bool find_session(const struct segment *seg, const struct jwt_claims *token,
	struct shm_client *client, struct err *err)
{
	switch (dir_session(seg, token, client)) {
	case DIR_SESSION_GOOD:
		return true;
	case DIR_SESSION_ENDED:
		return fail_code(
			err, ERR_AUTH, "session_ended", "this session is over; sign in again");
	case DIR_SESSION_OUTDATED:
		return fail_code(err, ERR_AUTH, "token_outdated",
			"many sessions of this user have ended since; connect again with a newer "
			"token");
	case DIR_SESSION_UNSURE:
		break;
	}
	return busy(err);
}

/* What needs no directory: a connection lives no longer than the token that opened it, and no longer than the key that
 * signed that. */
static bool check_token(
	struct jwt_ring *ring, const struct jwt_claims *token, int64_t now_us, struct err *err)
{
	if (expired((token->expires_s + JWT_LEEWAY_S) * US_PER_S, now_us))
		return fail_code(err, ERR_AUTH, "token_expired",
			"the token has expired; connect again with a new one");
	return jwt_ring_holds(ring, token->kid) ||
	       fail_code(err, ERR_AUTH, "token_invalid",
		       "the key that signed the token is retired; sign in again");
}

static bool look_up(const struct segment *seg, struct jwt_ring *ring, struct identity *identity,
	int64_t now_us, struct err *err)
{
	struct shm_client client;
	if (identity->by_token && !check_token(ring, &identity->token, now_us, err))
		return false;
	if (!segment_fresh(seg, clock_mono_us()))
		return busy(err);
	if (!(identity->by_token ? find_session(seg, &identity->token, &client, err)
				 : find_key(seg, &identity->key, now_us, &client, err)))
		return false;
	if (!client.is_active || client.status == CLIENT_SUSPENDED)
		return fail_code(err, ERR_FORBIDDEN, "client_inactive", "the client is inactive");
	identity->client_id = client.id;
	return true;
}

bool auth_identify(const struct segment *seg, struct jwt_ring *ring, const struct credentials *from,
	int64_t now_us, struct identity *identity, struct err *err)
{
	struct identity found = {0};
	struct str credential;
	if (!choose(from, &credential, err))
		return false;
	if (jwt_is_token(credential) && str_eq(credential, from_bearer(from->authorization))) {
		found.by_token = true;
		if (!jwt_verify(ring, JWT_ACCESS, credential, now_us, &found.token, err))
			return false;
	} else if (token_is_key(credential)) {
		found.key = digest_of(credential);
	} else if (credential.p != from->certificate.p ||
		   !hex_decode(credential, found.key.b, DIGEST_BYTES)) {
		return fail_code(err, ERR_AUTH, "key_malformed",
			"this is no API key: characters are missing or mistyped");
	}
	if (!look_up(seg, ring, &found, now_us, err))
		return false;
	*identity = found;
	return true;
}

/* Where its key may be used from was asked when the ticket was made, and is asked again where it is used. */
static bool check_address(const struct segment *seg, const struct identity *identity,
	struct str address, struct err *err)
{
	struct shm_key key;
	return identity->by_token ||
	       (dir_key(seg, &identity->key, &key) && net_admits(&key, address)) ||
	       fail_code(err, ERR_FORBIDDEN, "address_refused",
		       "the API key of this ticket may not be used from this address");
}

bool auth_by_ticket(const struct segment *seg, struct jwt_ring *ring, const char *node,
	struct used *used, const struct credentials *from, int64_t now_us,
	struct identity *identity, struct err *err)
{
	struct ticket ticket;
	if (from->header.n || from_bearer(from->authorization).n || from->query.n)
		return fail_code(err, ERR_INPUT, "two_identities",
			"the request carries a ticket and a key or token; send one");
	if (!ticket_read(ring, node, from->ticket, now_us, &ticket, err))
		return false;
	struct identity found = {
		.by_token = ticket.by_token, .key = ticket.key, .token = ticket.token};
	if (!look_up(seg, ring, &found, now_us, err) ||
		!check_address(seg, &found, from->address, err) ||
		!used_take(used, &ticket, now_us, err))
		return false;
	*identity = found;
	return true;
}

enum auth_standing auth_still(const struct segment *seg, struct jwt_ring *ring, int64_t now_us,
	const struct identity *identity, struct err *err)
{
	struct identity again = *identity;
	if (look_up(seg, ring, &again, now_us, err))
		return STANDING_GOOD;
	return err->kind == ERR_BUSY ? STANDING_UNKNOWN : STANDING_LOST;
}
