/* ccsctl jwt-key: init, rotate, list, retire: the keys that sign tokens. */
#include <stdio.h>

#include "common/clock.h"
#include "common/jwt_ring.h"
#include "ctl/ctl.h"

#include "common/base.h"

static json_t *key_json(const struct jwt_ring *ring, int i, const char *state, int64_t needed_us)
{
	return json_pack("{s:s, s:o, s:s, s:o}", "kid", ring->key[i].kid, "made_at",
		out_time(ring->key[i].made_s * US_PER_S), "state", state, "needed_until",
		needed_us ? out_time(needed_us) : json_null());
}

/* A key signs until its successor is made; the last of its tokens is good for a session longer. */
static int64_t needed_until_us(const struct ctl *ctl, const struct jwt_ring *ring, int i)
{
	if (i + 1 == ring->n)
		return 0;
	return (ring->key[i + 1].made_s + ctl->conf.api_session_seconds) * US_PER_S;
}

static void print_key(const struct jwt_ring *ring, int i, const char *state, int64_t needed_us)
{
	char made[CLOCK_TEXT_BYTES], needed[CLOCK_TEXT_BYTES] = "";

	(void)clock_utc(ring->key[i].made_s * US_PER_S, made);
	if (needed_us)
		(void)clock_utc(needed_us, needed);
	(void)printf("%-10s %-21s %-9s %s\n", ring->key[i].kid, made, state, needed);
}

bool jwt_key_list(struct ctl *ctl, struct err *err)
{
	json_t *keys = ctl->json ? json_array() : NULL;
	struct jwt_ring ring;

	if (!jwt_ring_load(&ring, ctl->conf.common_jwt_key_file, err)) {
		json_decref(keys);
		return false;
	}
	if (!keys)
		(void)printf("%-10s %-21s %-9s %s\n", "KEY", "MADE", "", "NEEDED UNTIL");
	for (int i = 0; i < ring.n; i++) {
		const char *state = i + 1 == ring.n ? "signs" : "verifies";
		int64_t needed_us = needed_until_us(ctl, &ring, i);
		if (keys)
			json_array_append_new(keys, key_json(&ring, i, state, needed_us));
		else
			print_key(&ring, i, state, needed_us);
	}
	jwt_ring_wipe(&ring);
	if (keys)
		out_json(json_pack("{s:o}", "keys", keys));
	return true;
}

static void say(const struct ctl *ctl, const char *sentence)
{
	if (ctl->json)
		out_json(json_pack("{s:s}", "file", ctl->conf.common_jwt_key_file));
	else
		(void)printf("%s %s\n", ctl->conf.common_jwt_key_file, sentence);
}

bool jwt_key_init(struct ctl *ctl, struct err *err)
{
	if (!jwt_ring_create(ctl->conf.common_jwt_key_file, err))
		return false;
	say(ctl, "is made. Users can sign in.");
	return true;
}

bool jwt_key_rotate(struct ctl *ctl, struct err *err)
{
	if (!jwt_ring_rotate(ctl->conf.common_jwt_key_file, err))
		return false;
	say(ctl, "has a new key, which signs from now on. Those before it still verify: `ccsctl "
		 "jwt-key list` says until when they are needed.");
	return true;
}

bool jwt_key_retire(struct ctl *ctl, struct err *err)
{
	if (!jwt_ring_retire(ctl->conf.common_jwt_key_file, str_of(ctl->arguments[0]), err))
		return false;
	say(ctl, "has one key less. Tokens that it has signed are void within a second.");
	return true;
}
