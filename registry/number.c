/* Phone numbers as clients write them: see number.h. */
#include "registry/number.h"

#include "common/base.h"

static const char *const fault_text[NUMBER_FAULT__N] = {
	[NUMBER_FINE] = "is fine",
	[NUMBER_EMPTY] = "is empty; send 3 to 15 digits",
	[NUMBER_SPELT_LONG] = "is longer than 39 bytes; send 3 to 15 digits",
	[NUMBER_STRANGE] = "holds more than digits, blanks, dashes, dots and parentheses (and one "
			   "+ in front); send 3 to 15 "
			   "digits",
	[NUMBER_FEW] = "has fewer than 3 digits; send 3 to 15",
	[NUMBER_MANY] = "has more than 15 digits; send 3 to 15",
};

const char *number_fault_text(enum number_fault fault)
{
	return fault_text[fault];
}

static bool is_decoration(char c)
{
	return c == ' ' || c == '\t' || c == '-' || c == '.' || c == '(' || c == ')';
}

/* Copies '+' and digits to out, which holds one character more than the longest number. */
static enum number_fault strip(struct str given, char out[NUMBER_MAX_DIGITS + 2])
{
	size_t n = 0, plus = 0;
	for (size_t i = 0; i < given.n; i++) {
		char c = given.p[i];
		if (is_decoration(c))
			continue;
		if (c == '+' && n == 0)
			plus = 1;
		else if (c < '0' || c > '9')
			return NUMBER_STRANGE;
		else if (n - plus == NUMBER_MAX_DIGITS)
			return NUMBER_MANY;
		out[n++] = c;
	}
	out[n] = '\0';
	if (n == 0)
		return NUMBER_EMPTY;
	return n - plus < NUMBER_MIN_DIGITS ? NUMBER_FEW : NUMBER_FINE;
}

enum number_fault number_read(struct str given, struct number *out)
{
	struct number made = {.country_digits = 0};
	if (given.n > NUMBER_GIVEN_BYTES)
		return NUMBER_SPELT_LONG;
	enum number_fault fault = strip(given, made.number);
	if (fault == NUMBER_FINE)
		*out = made;
	return fault;
}

void number_look_up(struct number *number, const char *region)
{
	if (!number_plan_e164(number->number, region, number->e164, &number->country_digits))
		number->e164[0] = '\0';
}
