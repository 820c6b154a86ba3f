/* Names of states: see state.h. */
#include "fcgi/state.h"

#include "common/base.h"

static const char *const names[STATE__N] = {
#define STATE(name) #name,
#include "fcgi/state.def"
#undef STATE
};

struct str state_name(enum state state)
{
	return str_of(names[state]);
}

bool state_read(const struct req *req, enum state first, enum state *state, struct err *err)
{
	struct str asked = req_query(req, "status");
	if (!asked.p)
		return true;
	for (enum state s = first; s < STATE__N; s++)
		if (str_eq(asked, state_name(s))) {
			*state = s;
			return true;
		}
	(void)fail(err, ERR_INPUT, "status must be one of");
	for (enum state s = first; s < STATE__N; s++) {
		size_t used = strlen(err->text);
		(void)snprintf(err->text + used, sizeof(err->text) - used, "%s %s",
			s == first ? "" : ",", names[s]);
	}
	return false;
}
