/* Rules of calling again: see retry_rules.h. */
#include "registry/retry_rules.h"

#include "shm/redial.h"

#include "common/base.h"

bool retry_rules_differ(const struct str_list *rules, struct err *err)
{
	struct redial_rule rule;
	bool seen[REDIAL__N] = {false};
	for (int i = 0; i < rules->n; i++) {
		enum redial_outcome outcome;
		if (!redial_read_rule(rules->v[i], &outcome, &rule))
			return fail(err, ERR_INTERNAL, "an unchecked rule");
		if (seen[outcome])
			return fail_code(err, ERR_INPUT, "invalid_field",
				"retry[%d] speaks of an outcome that another rule has spoken of: "
				"one rule each",
				i);
		seen[outcome] = true;
	}
	return true;
}
