/* Lines to headers: see request.h. */
#include "tests/farm/request.h"

#include "common/base.h"

/* CR LF and LF alone both end a line. */
static bool next_line(struct str in, size_t from, struct str *line, size_t *after)
{
	const char *start = in.p + from;
	const char *end = in.n > from ? memchr(start, '\n', in.n - from) : NULL;

	if (!end)
		return false;
	*after = (size_t)(end + 1 - in.p);
	*line = (struct str){start, (size_t)(end - start)};
	if (line->n && start[line->n - 1] == '\r')
		line->n--;
	return true;
}

enum request_read request_read(struct request *request, struct str in, size_t *used)
{
	struct str line;
	size_t at = 0;

	request->n = 0;
	request->too_many = false;
	while (next_line(in, at, &line, used)) {
		if (line.n > REQUEST_LINE_BYTES)
			return REQUEST_TOO_LONG;
		if (line.n == 0)
			return REQUEST_WHOLE;
		if (request->n < REQUEST_LINES)
			request->lines[request->n++] = line;
		else
			request->too_many = true;
		at = *used;
	}
	return REQUEST_MORE;
}

bool request_next(const struct request *request, const char *name, size_t *at, struct str *value)
{
	while (*at < request->n) {
		struct str rest = request->lines[(*at)++], before;
		(void)str_split(&rest, ':', &before);
		if (!rest.p || !str_case_eq(before, str_of(name)))
			continue;
		while (rest.n && rest.p[0] == ' ') {
			rest.p++;
			rest.n--;
		}
		*value = rest;
		return true;
	}
	return false;
}

struct str request_header(const struct request *request, const char *name)
{
	struct str value = STR("");
	size_t at = 0;

	(void)request_next(request, name, &at, &value);
	return value;
}
