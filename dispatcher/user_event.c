/* Events of the dialplan: see user_event.h. */
#include "dispatcher/user_event.h"

#include "common/base.h"

static const struct str names[USER_EVENT__N] = {
	[USER_EVENT_OTHER] = {"", 0},
	[USER_EVENT_RESULT] = {"CcsResult", 9},
	[USER_EVENT_OPT_OUT] = {"CcsOptOut", 9},
};

static enum user_event_kind kind_of(struct str name)
{
	for (enum user_event_kind kind = USER_EVENT_OTHER + 1; kind < USER_EVENT__N; kind++)
		if (str_case_eq(name, names[kind]))
			return kind;
	return USER_EVENT_OTHER;
}

struct user_event user_event_read(const struct ami_message *msg)
{
	struct user_event event = {.kind = kind_of(ami_header(msg, AMI_H_USER_EVENT)),
		.call_id = ami_header(msg, AMI_H_CALL_ID),
		.rest = msg->text};
	struct str line, name, value;

	while (ami_next_line(&event.rest, &line))
		if (ami_split_line(line, &name, &value) && str_case_eq(name, STR("UserEvent")))
			break;
	return event;
}

bool user_event_next(struct user_event *event, struct str *name, struct str *value)
{
	struct str line;

	while (ami_next_line(&event->rest, &line))
		if (ami_split_line(line, name, value) && !str_case_eq(*name, STR("CallId")))
			return true;
	return false;
}
