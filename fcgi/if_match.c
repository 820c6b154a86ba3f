/* If-Match: see if_match.h. */
#include "fcgi/if_match.h"

#include "common/base.h"

bool if_match_read(const struct req *req, uint64_t *expected, struct err *err)
{
	struct str match = str_trim(req_header(req, "HTTP_IF_MATCH"));

	*expected = 0;
	if (match.n == 0)
		return fail(err, ERR_UNSEEN,
			"say which version you mean: send If-Match with the ETag that GET answers, "
			"or \"*\" to change whatever is there");
	if (str_eq(match, STR("*")))
		return true;
	if (match.n > 2 && match.p[0] == '"' && match.p[match.n - 1] == '"' &&
		str_to_u64((struct str){match.p + 1, match.n - 2}, 1, INT64_MAX, expected))
		return true;
	return fail(err, ERR_INPUT, "If-Match must be an ETag as GET answers it, \"7\", or *");
}
