/* The encoder: see ami_action.h. */
#include <inttypes.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "common/token.h"
#include "dispatcher/ami_action.h"

#include "common/base.h"

/* Asterisk takes 1,022 bytes a line and 128 lines an action; nothing we send comes near either. */
enum { LINE_MAX_BYTES = 900, LINES_MAX = 100 };

enum field {
#define AMI_FIELD(constant, beginning, type) FIELD_##constant,
#include "dispatcher/ami_fields.def"
#undef AMI_FIELD
	FIELD__N
};

static const struct {
	struct str beginning;
	enum ami_type type;
} fields[FIELD__N] = {
#define AMI_FIELD(constant, beginning, type)                                                       \
	[FIELD_##constant] = {{beginning, sizeof(beginning) - 1}, AMI_TYPE_##type},
#include "dispatcher/ami_fields.def"
#undef AMI_FIELD
};

#define AMI_FIELD(constant, beginning, type)                                                       \
	_Static_assert(sizeof(beginning) - 1 + AMI_MAX_##type <= LINE_MAX_BYTES, #constant);
#include "dispatcher/ami_fields.def"
#undef AMI_FIELD
_Static_assert((int)FIELD__N <= LINES_MAX, "no action has a field twice");

/* An action under construction at the end of out. The first refusal fills err; what is added after
 * it is ignored. */
struct action {
	struct strbuf *out;
	size_t start; /* length of out before it */
	bool refused;
	struct err *err;
};

static void add(struct action *action, enum field field, struct str value)
{
	struct str beginning = fields[field].beginning;

	if (action->refused)
		return;
	if (!ami_fits(fields[field].type, value)) {
		action->refused = true;
		(void)fail(action->err, ERR_INPUT, "cannot be sent to Asterisk: \"%.*s\" takes %s",
			(int)beginning.n, beginning.p, ami_type_words(fields[field].type));
		return;
	}
	strbuf_str(action->out, beginning);
	strbuf_str(action->out, value);
	strbuf_puts(action->out, "\r\n");
}

static void add_count(struct action *action, enum field field, uint32_t count)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%" PRIu32, count);
	add(action, field, (struct str){text, (size_t)n});
}

static struct action begin(
	struct strbuf *out, struct str name, struct str action_id, struct err *err)
{
	struct action action = {.out = out, .start = out->n, .err = err};
	add(&action, FIELD_ACTION, name);
	add(&action, FIELD_ACTION_ID, action_id);
	return action;
}

/* Ends the action, or takes it back. */
static bool end(struct action *action)
{
	if (action->refused) {
		action->out->n = action->start;
		if (action->out->p)
			action->out->p[action->start] = '\0';
		return false;
	}
	strbuf_puts(action->out, "\r\n");
	return true;
}

bool ami_originate(struct strbuf *out, const struct ami_originate *originate, struct err *err)
{
	struct action action = begin(out, STR("Originate"), originate->call_id, err);
	add(&action, FIELD_CHANNEL_ID, originate->call_id);
	add(&action, FIELD_CHANNEL, originate->channel);
	add(&action, FIELD_CONTEXT, originate->context);
	add(&action, FIELD_EXTEN, originate->exten);
	add_count(&action, FIELD_PRIORITY, 1);
	add_count(&action, FIELD_TIMEOUT, originate->ring_ms);
	add(&action, FIELD_CALLER_ID, originate->caller_number);
	add(&action, FIELD_ACCOUNT, originate->account);
	add(&action, FIELD_CALL_ID_VARIABLE, originate->call_id);
	if (originate->record.n)
		add(&action, FIELD_RECORD_VARIABLE, originate->record);
	if (originate->amd)
		add_count(&action, FIELD_AMD_VARIABLE, 1);
	add_count(&action, FIELD_LIMIT_VARIABLE, originate->max_call_s);
	add(&action, FIELD_ASYNC, STR("true"));
	return end(&action);
}

bool ami_hangup(struct strbuf *out, struct str call_id, uint32_t cause, struct err *err)
{
	char id[sizeof("hangup-") + AMI_CALL_ID_CHARS];

	if (!ami_is_call_id(call_id))
		return fail(err, ERR_INPUT, "no call id: it must be %s",
			ami_type_words(AMI_TYPE_CALL_ID));
	(void)snprintf(id, sizeof(id), "hangup-%.*s", AMI_CALL_ID_CHARS, call_id.p);
	struct action action = begin(out, STR("Hangup"), str_of(id), err);
	add(&action, FIELD_CHANNEL_OF_CALL, call_id);
	add_count(&action, FIELD_CAUSE, cause);
	return end(&action);
}

bool ami_challenge(struct strbuf *out, struct str action_id, struct err *err)
{
	struct action action = begin(out, STR("Challenge"), action_id, err);
	add(&action, FIELD_AUTH_TYPE, STR("MD5"));
	return end(&action);
}

/* What we want to hear: the fate of calls, Asterisk's records of them, its start and end, what dialplans tell. */
static void add_user(struct action *action, struct str user)
{
	add(action, FIELD_USERNAME, user);
	add(action, FIELD_EVENTS, STR("call,cdr,system,user"));
}

bool ami_login_plain(struct strbuf *out, struct str action_id, struct str user, struct str secret,
	struct err *err)
{
	struct action action = begin(out, STR("Login"), action_id, err);
	add_user(&action, user);
	add(&action, FIELD_SECRET, secret);
	return end(&action);
}

static bool md5_hex(struct str first, struct str second, char out[2 * 16 + 1])
{
	unsigned char digest[16];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) &&
		    EVP_DigestUpdate(ctx, first.p, first.n) &&
		    EVP_DigestUpdate(ctx, second.p, second.n) &&
		    EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	if (done)
		hex_encode(digest, sizeof(digest), out);
	return done;
}

bool ami_login_md5(struct strbuf *out, struct str action_id, struct str user, struct str secret,
	struct str challenge, struct err *err)
{
	char key[2 * 16 + 1];

	if (!md5_hex(challenge, secret, key))
		return fail(err, ERR_INTERNAL,
			"OpenSSL refuses MD5; set the server to ami_md5 = false");
	struct action action = begin(out, STR("Login"), action_id, err);
	add(&action, FIELD_AUTH_TYPE, STR("MD5"));
	add_user(&action, user);
	add(&action, FIELD_KEY, str_of(key));
	return end(&action);
}

static bool plain_action(struct strbuf *out, struct str name, struct str action_id, struct err *err)
{
	struct action action = begin(out, name, action_id, err);
	return end(&action);
}

bool ami_ping(struct strbuf *out, struct str action_id, struct err *err)
{
	return plain_action(out, STR("Ping"), action_id, err);
}

bool ami_core_show_channels(struct strbuf *out, struct str action_id, struct err *err)
{
	return plain_action(out, STR("CoreShowChannels"), action_id, err);
}

bool ami_logoff(struct strbuf *out, struct str action_id, struct err *err)
{
	return plain_action(out, STR("Logoff"), action_id, err);
}
