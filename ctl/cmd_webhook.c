/* ccsctl webhook: a client's callbackurl, from the operator's side. */
#include <stdio.h>

#include "ctl/ctl.h"
#include "registry/webhook.h"

#include "common/base.h"

static bool find(struct ctl *ctl, struct str accountcode, struct shm_client *client,
	struct webhook_of *of, struct err *err)
{
	if (!ctl_db(ctl, err) || !client_by_accountcode(ctl->db, accountcode, client, err))
		return false;
	*of = (struct webhook_of){client->id, client->accountcode, ctl_actor()};
	return true;
}

static void print_text(const json_t *state, const char *member, const char *label)
{
	const json_t *value = json_object_get(state, member);
	if (json_is_string(value))
		(void)printf("%-16s %s\n", label, json_string_value(value));
	else if (json_is_integer(value))
		(void)printf("%-16s %lld\n", label, (long long)json_integer_value(value));
}

static void print_state(const json_t *state)
{
	print_text(state, "callbackurl", "Address");
	print_text(state, "state", "State");
	print_text(state, "disabled_why", "Why");
	print_text(state, "delivered_to", "Delivered to");
	print_text(state, "last_seq", "Last event");
	print_text(state, "waiting", "Sent again");
	print_text(state, "next_attempt_at", "Next attempt");
	print_text(state, "dead", "Given up");
	size_t secrets = json_array_size(json_object_get(state, "secrets"));
	(void)printf("%-16s %zu%s\n", "Secrets", secrets, secrets ? "" : ": nothing is signed");
}

bool webhook_show_one(struct ctl *ctl, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	struct shm_client client;
	struct webhook_of of;

	if (!find(ctl, str_of(ctl->arguments[0]), &client, &of, err) ||
		!webhook_show(ctl->db, &of, &text, err))
		return false;
	json_t *state = json_loadb(text.p, text.n, 0, NULL);
	strbuf_free(&text);
	if (ctl->json) {
		out_json(state);
		return true;
	}
	print_state(state);
	json_decref(state);
	return true;
}

bool webhook_secret_new(struct ctl *ctl, struct err *err)
{
	const struct webhook_secret_input *input = &ctl->input.webhook_secret;
	char secret[WEBHOOK_SECRET_CHARS + 1];
	struct shm_client client;
	struct webhook_of of;
	struct secret_key key;
	int64_t old_until_us;

	if (!fields_check(webhook_secret_fields, webhook_secret_fields_n, input, err) ||
		!secret_load_key(ctl->conf.common_secret_key_file, &key, err))
		return false;
	bool ok = find(ctl, input->accountcode, &client, &of, err) &&
		  webhook_secret_make(ctl->db, &key, &of, input, secret, &old_until_us, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	if (ctl->json)
		out_json(json_pack("{s:s, s:o}", "secret", secret, "old_secret_valid_until",
			out_time(old_until_us)));
	else
		(void)printf("The secret that signs callbacks of %s, shown only this once: %s\n",
			of.accountcode, secret);
	secret_wipe(secret, sizeof(secret));
	return true;
}

bool webhook_send_test(struct ctl *ctl, struct err *err)
{
	struct shm_client client;
	struct webhook_of of;
	uint64_t number;

	if (!find(ctl, str_of(ctl->arguments[0]), &client, &of, err) ||
		!webhook_test(ctl->db, &of, &number, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I}", "test", (json_int_t)number));
	else
		(void)printf("Test %llu is on its way; GET /webhooks/deliveries tells how it "
			     "went.\n",
			(unsigned long long)number);
	return true;
}

bool webhook_send_again(struct ctl *ctl, struct err *err)
{
	const struct webhook_replay_input *input = &ctl->input.webhook_replay;
	struct shm_client client;
	struct webhook_of of;
	uint64_t queued;

	if (!fields_check(webhook_replay_fields, webhook_replay_fields_n, input, err) ||
		!find(ctl, input->accountcode, &client, &of, err) ||
		!webhook_replay(ctl->db, &of, input, &queued, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I}", "queued", (json_int_t)queued));
	else
		(void)printf("%llu events are sent again.\n", (unsigned long long)queued);
	return true;
}
