/* See dial.h. */
#include <stdio.h>

#include "common/clock.h"
#include "tests/farm/dial.h"

#include "common/base.h"

enum { DEFAULT_TIMEOUT_MS = 30000 };

static void cut(char *out, size_t size, struct str text)
{
	size_t n = MIN(text.n, size - 1);
	memcpy(out, text.p, n);
	out[n] = '\0';
}

/* One variable: a line may hold several, with commas between them. */
static struct str variable(const struct request *request, const char *name)
{
	struct str line, one, key;
	size_t at = 0;

	while (request_next(request, "Variable", &at, &line))
		while (str_split(&line, ',', &one))
			if (str_split(&one, '=', &key) && str_case_eq(key, str_of(name)))
				return one.p ? one : STR("");
	return STR("");
}

/* "911140000001", or the number in: "Name" <911140000001> */
static struct str caller_number(struct str caller)
{
	struct str before, number = caller;

	if (str_split(&number, '<', &before) && number.p)
		(void)str_split(&number, '>', &number);
	return number.p ? number : caller;
}

/* number@endpoint of our own trunk. Any other has no channel. */
static void read_number(struct str channel, struct originate *asked)
{
	struct str rest = channel, technology, number;

	(void)str_split(&rest, '/', &technology);
	(void)str_split(&rest, '@', &number);
	if (str_case_eq(technology, STR("PJSIP")) && rest.p && str_eq(rest, STR(FARM_ENDPOINT)))
		cut(asked->number, sizeof(asked->number), number);
}

static bool read_timeout(struct str text, struct originate *asked)
{
	uint64_t ms = DEFAULT_TIMEOUT_MS;

	if (text.n && !str_to_u64(text, 0, INT32_MAX, &ms))
		return false;
	asked->timeout_us = (int64_t)ms * US_PER_MS;
	return true;
}

static bool is_extension(struct str context, struct str exten)
{
	bool is_survey = str_eq(context, STR(FARM_SURVEY));
	return (is_survey || str_eq(context, STR(FARM_CONTEXT))) &&
	       (str_eq(exten, STR("s")) || (is_survey && str_eq(exten, STR("100"))));
}

/* What Asterisk does not look at, it does not refuse either: see there. */
static const char *refusal(struct server *server, const struct request *request, bool timeout_ok)
{
	static const char *const any_day[] = {
		"Asterisk is shutting down", "Permission denied", "Extension does not exist."};
	struct str channel = request_header(request, "Channel");
	bool application = request_header(request, "Application").n;

	if (server->mood.on[MOOD_REJECT])
		return any_day[dice_roll(&server->dice, ARRAY_LEN(any_day))];
	if (server->stopping)
		return any_day[0];
	if (channel.n == 0)
		return "Channel not specified";
	if (!timeout_ok)
		return "Invalid timeout";
	if (!memchr(channel.p, '/', channel.n))
		return "Invalid channel";
	if (application)
		return server->asterisk->forbidden;
	if (request_header(request, "ChannelId").n > CHANNEL_ID_BYTES)
		return "Uniqueid length exceeds maximum of 149";
	if (!is_extension(request_header(request, "Context"), request_header(request, "Exten")))
		return "Extension does not exist.";
	if (!str_case_eq(request_header(request, "Async"), STR("true")))
		return "the farm plays asynchronous Originates only";
	return NULL;
}

const char *dial_read(struct server *server, const struct request *request, struct originate *asked)
{
	struct str channel = request_header(request, "Channel");
	struct str id = request_header(request, "ChannelId");
	uint64_t limit_s;

	*asked = (struct originate){0};
	bool timeout_ok = read_timeout(request_header(request, "Timeout"), asked);
	cut(asked->id, sizeof(asked->id), id);
	if (!id.n)
		(void)snprintf(asked->id, sizeof(asked->id), "%s-%lld.%u", server->name,
			(long long)(clock_wall_us() / US_PER_S), server->channels_made);
	cut(asked->action_id, sizeof(asked->action_id), request_header(request, "ActionID"));
	cut(asked->dialled, sizeof(asked->dialled), channel);
	read_number(channel, asked);
	cut(asked->context, sizeof(asked->context), request_header(request, "Context"));
	cut(asked->exten, sizeof(asked->exten), request_header(request, "Exten"));
	cut(asked->caller, sizeof(asked->caller),
		caller_number(request_header(request, "CallerID")));
	cut(asked->account, sizeof(asked->account), request_header(request, "Account"));
	if (str_to_u64(variable(request, "TIMEOUT(absolute)"), 1, INT32_MAX, &limit_s))
		asked->limit_us = (int64_t)limit_s * US_PER_S;
	return refusal(server, request, timeout_ok);
}
