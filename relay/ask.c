/* Messages of clients: see ask.h. */
#include "relay/ask.h"

#include <jansson.h>

#include "common/base.h"

enum { NAMES_BYTES = 500 }; /* of those that an answer repeats */
#define SEQ_MAX ((INT64_C(1) << 53) - 1)

static bool refuse(struct strbuf *refusal, const char *code, const char *detail)
{
	say_error(refusal, code, str_of(detail), STR(""));
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
	event_set found = 0;
	size_t i;
	json_t *name;

	if (!json_is_array(list))
		return refuse(refusal, "invalid_events",
			"subscribe needs \"events\": a list of names of events");
	json_array_foreach (list, i, name) {
		if (!json_is_string(name))
			return refuse(
				refusal, "invalid_events", "every member of \"events\" is a name");
		int type = event_type_find(str_of(json_string_value(name)));
		if (type >= 0)
			found |= 1U << type;
		else
			(void)json_array_append(unknown, name);
	}
	if (json_array_size(unknown) > 0)
		return refuse_names(refusal, unknown);
	*events = found;
	return true;
}

/* A batch is a number, or null for quick calls; the others are text. As JSON, as payloads have it. */
static bool read_filter(
	const json_t *value, enum wish_filter filter, struct wish *wish, struct strbuf *refusal)
{
	struct strbuf text = STRBUF_INIT, detail = STRBUF_INIT;
	bool good = filter == WISH_BATCH_ID ? json_is_null(value) || json_integer_value(value) > 0
					    : json_is_string(value);
	if (json_is_null(value))
		strbuf_puts(&text, "null");
	else if (json_is_integer(value))
		strbuf_i64(&text, json_integer_value(value));
	else if (json_is_string(value))
		strbuf_json(
			&text, (struct str){json_string_value(value), json_string_length(value)});
	good = good && str_copy(wish->value[filter], WISH_VALUE_BYTES, strbuf_view(&text));
	if (!good) {
		strbuf_printf(&detail, "\"%s\" must be %s", wish_filter_name(filter),
			filter == WISH_BATCH_ID
				? "a whole number from 1 on, or null for quick calls"
				: "a text of at most 50 characters");
		(void)refuse(refusal, "invalid_filter", strbuf_view(&detail).p);
	}
	strbuf_free(&text);
	strbuf_free(&detail);
	return good;
}

static bool read_filters(const json_t *root, struct wish *wish, struct strbuf *refusal)
{
	for (int i = 0; i < WISH_FILTER__N; i++) {
		const json_t *value = json_object_get(root, wish_filter_name((enum wish_filter)i));
		if (value && !read_filter(value, (enum wish_filter)i, wish, refusal))
			return false;
	}
	return true;
}

static bool read_position(const json_t *root, struct ask *ask, struct strbuf *refusal)
{
	const json_t *from = json_object_get(root, "resume_from");
	if (!from || json_is_null(from))
		return true;
	json_int_t seq = json_integer_value(from);
	if (!json_is_integer(from) || seq < 0 || seq > SEQ_MAX)
		return refuse(refusal, "invalid_resume_from",
			"\"resume_from\" must be the seq up to which you have all");
	ask->resume = true;
	ask->resume_from = (uint64_t)seq;
	return true;
}

static bool read_unsubscribe(const json_t *root, struct ask *ask, struct strbuf *refusal)
{
	const json_t *list = json_object_get(root, "events");
	if (list)
		return read_events(list, &ask->wish.events, refusal);
	ask->wish.events = every_event();
	return true;
}

static bool read_ask(const json_t *root, const char *type, struct ask *ask, struct strbuf *refusal)
{
	ask->subscribe = str_eq(str_of(type), STR("subscribe"));
	if (ask->subscribe)
		return read_events(json_object_get(root, "events"), &ask->wish.events, refusal) &&
		       read_filters(root, &ask->wish, refusal) && read_position(root, ask, refusal);
	if (str_eq(str_of(type), STR("unsubscribe")))
		return read_unsubscribe(root, ask, refusal);
	return refuse(refusal, "unknown_type",
		"the types that we know are \"subscribe\" and \"unsubscribe\"");
}

bool ask_read(struct str message, struct ask *ask, struct strbuf *refusal)
{
	json_error_t error;
	json_auto_t *root = json_loadb(message.p, message.n, JSON_REJECT_DUPLICATES, &error);
	const char *type = json_string_value(json_object_get(root, "type"));
	struct ask read = {0};

	if (!root)
		return refuse(refusal, "invalid_json", "a message is one JSON object");
	if (!type)
		return refuse(refusal, "invalid_message",
			"a message is a JSON object with \"type\", as in "
			"{\"type\":\"subscribe\",\"events\":[\"call_started\"]}");
	if (!read_ask(root, type, &read, refusal))
		return false;
	*ask = read;
	return true;
}
