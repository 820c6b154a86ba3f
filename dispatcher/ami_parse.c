/* The parser of Asterisk's side: see ami_parse.h. */
#include "dispatcher/ami_parse.h"

#include "common/base.h"

static const struct str header_names[AMI_HEADER__N] = {
#define AMI_HEADER(constant, name) [AMI_H_##constant] = {name, sizeof(name) - 1},
#include "dispatcher/ami_headers.def"
#undef AMI_HEADER
};

static const struct str event_names[AMI_EVENT__N] = {
	[AMI_E_OTHER] = {"", 0},
#define AMI_EVENT(constant, name) [AMI_E_##constant] = {name, sizeof(name) - 1},
#include "dispatcher/ami_events.def"
#undef AMI_EVENT
};

_Static_assert(AMI_HEADER__N <= 32, "one bit of ami_message.seen each");

bool ami_next_line(struct str *rest, struct str *line)
{
	const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	if (!lf)
		return false;
	*line = (struct str){rest->p, (size_t)(lf - rest->p)};
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	*rest = (struct str){lf + 1, rest->n - (size_t)(lf + 1 - rest->p)};
	return true;
}

bool ami_split_line(struct str line, struct str *name, struct str *value)
{
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
	if (!colon)
		return false;
	*name = (struct str){line.p, (size_t)(colon - line.p)};
	*value = str_trim((struct str){colon + 1, line.n - name->n - 1});
	return true;
}

/* Length and first letter tell most names apart: a line that nobody looks at costs no call. */
static bool is_name(struct str known, struct str name)
{
	return known.n == name.n && (known.n == 0 || (known.p[0] | 0x20) == (name.p[0] | 0x20)) &&
	       str_case_eq(known, name);
}

/* names[] are sorted by length. */
static size_t find(const struct str *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n && names[i].n <= name.n; i++)
		if (is_name(names[i], name))
			return i;
	return n;
}

static void read_headers(struct str rest, struct ami_message *msg)
{
	struct str line, name, value;

	while (ami_next_line(&rest, &line)) {
		if (!ami_split_line(line, &name, &value))
			continue;
		size_t header = find(header_names, AMI_HEADER__N, name);
		if (header == AMI_HEADER__N || msg->seen & UINT32_C(1) << header)
			continue;
		msg->headers[header] = value;
		msg->seen |= UINT32_C(1) << header;
	}
}

/* block: whole lines, none of them empty; perhaps no line at all. */
static void read_message(struct str block, struct ami_message *msg)
{
	struct str rest = block, line, name, value;

	msg->kind = AMI_KIND_OTHER;
	msg->event = AMI_E_OTHER;
	msg->text = block;
	msg->seen = 0;
	if (ami_next_line(&rest, &line) && ami_split_line(line, &name, &value)) {
		if (str_case_eq(name, header_names[AMI_H_RESPONSE])) {
			msg->kind = AMI_KIND_RESPONSE;
		} else if (str_case_eq(name, header_names[AMI_H_EVENT])) {
			size_t event = find(event_names, AMI_EVENT__N, value);
			msg->kind = AMI_KIND_EVENT;
			msg->event = event < AMI_EVENT__N ? (enum ami_event)event : AMI_E_OTHER;
		}
	}
	if (msg->kind != AMI_KIND_EVENT || msg->event != AMI_E_OTHER)
		read_headers(block, msg);
}

/* Bytes of the empty line at that place, 0 when there is none (yet). */
static size_t empty_line(struct str in, size_t at)
{
	if (at < in.n && in.p[at] == '\n')
		return 1;
	return at + 1 < in.n && in.p[at] == '\r' && in.p[at + 1] == '\n' ? 2 : 0;
}

/* Finds the empty line that ends a message, looking from *from on; when it is not there, *from is
 * where to go on later: two bytes back, where half of it may stand. */
static bool find_end(struct str in, size_t *from, size_t *end)
{
	const char *lf = in.p + *from;

	while ((lf = memchr(lf, '\n', (size_t)(in.p + in.n - lf)))) {
		lf++;
		if (empty_line(in, (size_t)(lf - in.p))) {
			*end = (size_t)(lf - in.p);
			return true;
		}
	}
	*from = in.n > 2 ? in.n - 2 : 0;
	return false;
}

enum ami_parsed ami_parse_next(
	struct str in, size_t *searched, struct ami_message *msg, size_t *used)
{
	size_t end = 0;

	if (in.n == 0)
		return AMI_MORE;
	if (!empty_line(in, 0) && !find_end(in, searched, &end))
		return in.n < AMI_MESSAGE_MAX ? AMI_MORE : AMI_BAD;
	if (end > AMI_MESSAGE_MAX)
		return AMI_BAD;
	read_message((struct str){in.p, end}, msg);
	*searched = 0;
	*used = end + empty_line(in, end);
	return AMI_MESSAGE;
}

enum ami_parsed ami_parse_banner(struct str in, struct str *version, size_t *used)
{
	static const struct str start = {"Asterisk Call Manager/", 22};
	enum { BANNER_MAX = 128 };
	struct str rest = in, line;

	if (in.n && memcmp(in.p, start.p, MIN(in.n, start.n)) != 0)
		return AMI_BAD;
	if (!ami_next_line(&rest, &line))
		return in.n < BANNER_MAX ? AMI_MORE : AMI_BAD;
	if (line.n < start.n)
		return AMI_BAD;
	*version = (struct str){line.p + start.n, line.n - start.n};
	*used = (size_t)(rest.p - in.p);
	return AMI_MESSAGE;
}

uint32_t ami_number(const struct ami_message *msg, enum ami_header header, uint32_t absent)
{
	uint64_t value;

	return str_to_u64(ami_header(msg, header), 0, UINT32_MAX, &value) ? (uint32_t)value
									  : absent;
}

int64_t ami_timestamp_us(const struct ami_message *msg)
{
	struct str fraction = ami_header(msg, AMI_H_TIMESTAMP), seconds;
	uint64_t s, us;

	if (!str_split(&fraction, '.', &seconds) || fraction.n != 6 ||
		!str_to_u64(seconds, 0, INT64_MAX / 2000000, &s) ||
		!str_to_u64(fraction, 0, 999999, &us))
		return 0;
	return (int64_t)(s * 1000000 + us);
}

bool ami_is_success(const struct ami_message *msg)
{
	return str_case_eq(ami_header(msg, AMI_H_RESPONSE), STR("Success"));
}
