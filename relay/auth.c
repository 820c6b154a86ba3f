/* API keys against the directory: see auth.h. */
#include "relay/auth.h"

#include "common/clock.h"
#include "shm/directory.h"

#include "common/base.h"

/* Another scheme than Bearer is somebody else's (a proxy's), not ours. */
static struct str from_bearer(struct str authorization)
{
	struct str scheme;
	if (str_split(&authorization, ' ', &scheme) && str_case_eq(scheme, STR("Bearer")))
		return str_trim(authorization);
	return STR("");
}

bool auth_choose(const struct credentials *from, struct str *credential, struct err *err)
{
	const struct str all[] = {from->header, from_bearer(from->authorization), from->query};
	struct str found = STR("");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].n == 0)
			continue;
		if (found.n && !str_eq(found, all[i]))
			return fail_code(err, ERR_INPUT, "two_identities",
				"the request carries two different API keys; send one");
		found = all[i];
	}
	if (found.n == 0)
		return fail_code(err, ERR_AUTH, "key_missing",
			"no API key: send it as ?x-api-key= or in the header X-API-KEY");
	*credential = found;
	return true;
}

static bool is_admitted(
	const struct shm_client *client, int64_t expires_us, int64_t now_us, struct err *err)
{
	if (expires_us && expires_us <= now_us)
		return fail_code(err, ERR_AUTH, "key_expired", "the API key has expired");
	if (!client->is_active || client->status == CLIENT_SUSPENDED)
		return fail_code(err, ERR_FORBIDDEN, "client_inactive", "the client is inactive");
	return true;
}

/* The directory is complete and current as a whole, so a key that it lacks is nobody's. A key that it has, of a
 * client that has been changed since, is being read again at this moment. */
static bool look_up(const struct segment *seg, const struct digest *digest, int64_t now_us,
	uint64_t *client_id, struct err *err)
{
	struct shm_key key;
	struct shm_client client;
	bool fresh = segment_fresh(seg, clock_mono_us());
	if (fresh && dir_identify(seg, digest, &key, &client)) {
		*client_id = client.id;
		return is_admitted(&client, key.expires_us, now_us, err);
	}
	if (fresh && !dir_key(seg, digest, &key))
		return fail_code(err, ERR_AUTH, "key_unknown", "nobody has this API key");
	return fail(err, ERR_BUSY, "API keys cannot be checked at the moment; try again");
}

bool auth_identify(const struct segment *seg, struct str credential, int64_t now_us,
	struct identity *identity, struct err *err)
{
	if (!token_is_key(credential))
		return fail_code(err, ERR_AUTH, "key_malformed",
			"this is no API key: characters are missing or mistyped");
	identity->key = digest_of(credential);
	return look_up(seg, &identity->key, now_us, &identity->client_id, err);
}

enum auth_standing auth_still(
	const struct segment *seg, int64_t now_us, const struct identity *identity, struct err *err)
{
	uint64_t client_id;
	if (look_up(seg, &identity->key, now_us, &client_id, err))
		return STANDING_GOOD;
	return err->kind == ERR_BUSY ? STANDING_UNKNOWN : STANDING_LOST;
}
