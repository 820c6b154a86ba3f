/* Phone numbers as clients write them: see number.h. */
#include "registry/number.h"

#include "common/base.h"

/* Short numbers have at most six digits (longer ones are in the plans). */
enum { SHORT_MAX_DIGITS = 6 };

static const char *const fault_text[NUMBER_FAULT__N] = {
	[NUMBER_FINE] = "is fine",
	[NUMBER_EMPTY] = "is empty; send 3 to 15 digits",
	[NUMBER_SPELT_LONG] = "is longer than 39 bytes; send 3 to 15 digits",
	[NUMBER_STRANGE] = "holds more than digits, blanks, dashes, dots and parentheses (and one "
			   "+ in front); send 3 to 15 digits",
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
	struct number made = {.e164 = ""};
	if (given.n > NUMBER_GIVEN_BYTES)
		return NUMBER_SPELT_LONG;
	enum number_fault fault = strip(given, made.number);
	if (fault == NUMBER_FINE)
		*out = made;
	return fault;
}

/* 112 and 911 are emergency numbers to every mobile network, whatever the country. Longer numbers that
 * begin like one are not: they may be extensions, and no plan knows them. */
static bool is_emergency(const char *number, const char *region)
{
	const char *digits = number + (*number == '+');
	return strcmp(digits, "112") == 0 || strcmp(digits, "911") == 0 ||
	       (strlen(digits) <= SHORT_MAX_DIGITS && number_plan_is_emergency(digits, region));
}

static bool judge(const struct number_rules *rules, struct shm_plan plan, struct err *err)
{
	const char *type = number_type_name(plan.type);
	char region[REGION_TEXT_BYTES];

	(void)region_text(plan.region, region);
	switch (policy_judge(rules->policy, plan)) {
	case POLICY_FINE:
		return true;
	case POLICY_TYPE_DENIED:
		return fail_code(err, ERR_INPUT, "number_denied",
			"is a %s number of %s; this account may not call %s numbers", type, region,
			type);
	case POLICY_REGION_DENIED:
		return fail_code(err, ERR_INPUT, "number_denied",
			"is a number of region %s; this account may not call there", region);
	}
	return false;
}

/* By the numbering plans and the client's policy. */
static bool look_up(const struct number_rules *rules, struct number *number, struct err *err)
{
	if (!number_plan_find(number->number, rules->region, number->e164, &number->plan)) {
		if (*number->number == '+' || strlen(number->number) > SHORT_MAX_DIGITS ||
			!number_plan_is_short(number->number, rules->region))
			return fail_code(err, ERR_INPUT, "invalid_number",
				"is not a valid number%s%s", *number->number == '+' ? "" : " in ",
				*number->number == '+' ? "" : rules->region);
		number->plan = (struct shm_plan){
			.type = NUMBER_TYPE_SHORT, .region = region_code(str_of(rules->region))};
	}
	return judge(rules, number->plan, err);
}

bool number_accept(
	const struct number_rules *rules, struct str given, struct number *out, struct err *err)
{
	struct number made;
	enum number_fault fault = number_read(given, &made);
	if (fault != NUMBER_FINE)
		return fail_code(err, ERR_INPUT, "invalid_number", "%s", number_fault_text(fault));
	if (is_emergency(made.number, rules->region))
		return fail_code(err, ERR_INPUT, "number_denied",
			"is an emergency number, which is never called");
	if (rules->check == NUMBER_CHECK_FULL && !look_up(rules, &made, err))
		return false;
	*out = made;
	return true;
}
