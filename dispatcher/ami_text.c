/* What may be sent to Asterisk: see ami_text.h. */
#include "dispatcher/ami_text.h"

#include "common/base.h"

#define DIGITS "0123456789"
#define HEX    "0123456789abcdef"
#define ALNUM  DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool anything(struct str value)
{
	(void)value;
	return true;
}

static bool no_leading_zero(struct str value)
{
	return value.p[0] != '0';
}

static bool plus_only_first(struct str value)
{
	const char *plus = memrchr(value.p, '+', value.n);
	return !plus || (plus == value.p && value.n > 1);
}

static bool call_id(struct str value)
{
	return value.n == AMI_CALL_ID_CHARS && memcmp(value.p, "ccs-", 4) == 0 &&
	       !memchr(value.p + 4, '-', value.n - 4) && !memchr(value.p + 4, 's', value.n - 4);
}

/* The technology is letters and digits; the resource 1 to 120 of the allowed bytes. */
static bool channel(struct str value)
{
	struct str resource = value, technology;
	return str_split(&resource, '/', &technology) && ami_fits(AMI_TYPE_WORD, technology) &&
	       resource.n >= 1 && resource.n <= 120;
}

static bool path(struct str value)
{
	struct str part;
	if (value.p[0] != '/')
		return false;
	while (str_split(&value, '/', &part))
		if (str_eq(part, STR("..")))
			return false;
	return true;
}

static bool no_outer_blanks(struct str value)
{
	return str_trim(value).n == value.n;
}

static const struct {
	const char *allowed; /* NULL: every byte that is not a control byte */
	size_t max;
	bool (*rule)(struct str value);
	const char *words;
} types[AMI_TYPE__N] = {
#define AMI_TYPE(constant, allowed, max, rule, words) {allowed, max, rule, words},
#include "dispatcher/ami_types.def"
#undef AMI_TYPE
};

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

bool ami_fits(enum ami_type type, struct str value)
{
	const char *allowed = types[type].allowed;
	size_t allowed_n = allowed ? strlen(allowed) : 0;

	if (value.n == 0 || value.n > types[type].max)
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (allowed ? !memchr(allowed, value.p[i], allowed_n) : is_control(value.p[i]))
			return false;
	return types[type].rule(value);
}

const char *ami_type_words(enum ami_type type)
{
	return types[type].words;
}
