/* Messages of clients: see ask.h. */
#include "relay/ask.h"

#include <jansson.h>

#include "common/base.h"

enum { NAMES_BYTES = 500 }; /* of those that an answer repeats */

static bool refuse(struct strbuf *refusal, const char *code, const char *detail)
{
	say_error(refusal, code, str_of(detail), STR(""));
	return false;
}

static bool find_type(const char *name, event_set *bit)
{
	for (int type = 0; type < EVENT_TYPE__N; type++) {
		if (!str_eq(str_of(name), str_of(event_type_name((enum event_type)type))))
			continue;
		*bit = 1U << type;
		return true;
	}
	return false;
}

/* Names them (the first, when there are many) and those that exist: for people in detail, for programs in members of
 * their own. */
static bool refuse_names(struct strbuf *refusal, const json_t *unknown)
{
	struct strbuf detail = STRBUF_INIT, members = STRBUF_INIT;
	size_t i;
	json_t *name;

	strbuf_puts(&detail, "there is no event ");
	strbuf_puts(&members, ",\"unknown\":[");
	json_array_foreach (unknown, i, name) {
		struct str text = str_of(json_string_value(name));
		if (detail.n + text.n > NAMES_BYTES)
			break;
		strbuf_puts(&members, i ? "," : "");
		strbuf_json(&members, text);
		strbuf_puts(&detail, i ? ", " : "");
		strbuf_str(&detail, text);
	}
	strbuf_puts(&detail, "; the subscription is as it was");
	strbuf_puts(&members, "],\"known\":");
	say_names(&members, every_event());
	say_error(refusal, "unknown_event", strbuf_view(&detail), strbuf_view(&members));
	strbuf_free(&detail);
	strbuf_free(&members);
	return false;
}

static bool read_events(const json_t *list, event_set *events, struct strbuf *refusal)
{
	json_auto_t *unknown = json_array();
	event_set found = 0, bit;
	size_t i;
	json_t *name;

	if (!json_is_array(list))
		return refuse(refusal, "invalid_events",
			"subscribe needs \"events\": a list of names of events");
	json_array_foreach (list, i, name) {
		if (!json_is_string(name))
			return refuse(
				refusal, "invalid_events", "every member of \"events\" is a name");
		if (find_type(json_string_value(name), &bit))
			found |= bit;
		else
			(void)json_array_append(unknown, name);
	}
	if (json_array_size(unknown) > 0)
		return refuse_names(refusal, unknown);
	*events = found;
	return true;
}

bool ask_read(struct str message, event_set *events, struct strbuf *refusal)
{
	json_error_t error;
	json_auto_t *root = json_loadb(message.p, message.n, JSON_REJECT_DUPLICATES, &error);
	const char *type = json_string_value(json_object_get(root, "type"));

	if (!root)
		return refuse(refusal, "invalid_json", "a message is one JSON object");
	if (!type)
		return refuse(refusal, "invalid_message",
			"a message is a JSON object with \"type\", as in "
			"{\"type\":\"subscribe\",\"events\":[\"call_started\"]}");
	if (!str_eq(str_of(type), STR("subscribe")))
		return refuse(refusal, "unknown_type", "the type that we know is \"subscribe\"");
	return read_events(json_object_get(root, "events"), events, refusal);
}
