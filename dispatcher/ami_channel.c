/* Channel templates: see ami_channel.h. */
#include "dispatcher/ami_channel.h"

#include "common/base.h"

struct placeholder {
	struct str name;
	struct str plus; /* "+" or nothing */
	struct str value;
};

enum { PLACEHOLDERS = 6 };

static void fill(struct placeholder out[PLACEHOLDERS], const struct ami_target *t)
{
	bool signed_number = t->number.p[0] == '+';
	struct str digits = {t->number.p + signed_number, t->number.n - signed_number};
	struct str e164 = t->e164.n ? t->e164 : digits;
	struct str none = STR(""), plus = t->e164.n || signed_number ? STR("+") : none;
	struct str national = digits;
	if (t->country_digits < t->e164.n)
		national = (struct str){e164.p + t->country_digits, e164.n - t->country_digits};

	out[0] = (struct placeholder){STR("number"), none, t->number};
	out[1] = (struct placeholder){STR("national"), none, national};
	out[2] = (struct placeholder){STR("e164"), none, e164};
	out[3] = (struct placeholder){STR("+e164"), plus, e164};
	out[4] = (struct placeholder){STR("prefix"), none, t->prefix};
	out[5] = (struct placeholder){STR("endpoint"), none, t->endpoint};
}

/* All that goes into a template is checked here; the rest is the template's own text. */
static bool target_ok(const struct ami_target *t, struct err *err)
{
	if (!ami_fits(AMI_TYPE_NUMBER, t->number))
		return fail(err, ERR_INPUT, "the number to dial must be %s",
			ami_type_words(AMI_TYPE_NUMBER));
	if (t->e164.n && !ami_fits(AMI_TYPE_DIGITS, t->e164))
		return fail(err, ERR_INPUT, "the E.164 form of the number must be digits");
	if (t->prefix.n && !ami_fits(AMI_TYPE_DIGITS, t->prefix))
		return fail(err, ERR_INPUT, "a server's provided_prefix must be digits");
	if (t->endpoint.n && !ami_fits(AMI_TYPE_ID, t->endpoint))
		return fail(err, ERR_INPUT, "a server's provided_endpoints must be %s",
			ami_type_words(AMI_TYPE_ID));
	return true;
}

struct text {
	char p[AMI_CHANNEL_BYTES];
	size_t n;
	bool full; /* something did not fit */
};

static void append(struct text *text, struct str piece)
{
	text->full |= piece.n > AMI_CHANNEL_BYTES - 1 - text->n;
	if (text->full)
		return;
	memcpy(text->p + text->n, piece.p, piece.n);
	text->n += piece.n;
}

/* rest stands behind a '{': appends what the placeholder means and moves behind its '}'. */
static bool append_value(struct text *text, struct str *rest,
	const struct placeholder values[PLACEHOLDERS], struct err *err)
{
	struct str name;

	if (!memchr(rest->p, '}', rest->n) || !str_split(rest, '}', &name))
		return fail(err, ERR_INPUT, "a channel template has a { without its }");
	for (size_t i = 0; i < PLACEHOLDERS; i++)
		if (str_eq(values[i].name, name)) {
			append(text, values[i].plus);
			append(text, values[i].value);
			return true;
		}
	return fail(err, ERR_INPUT, "a channel template may not have the placeholder {%.*s}",
		(int)MIN(name.n, (size_t)40), name.p);
}

bool ami_channel_expand(struct str template, const struct ami_target *target,
	char out[AMI_CHANNEL_BYTES], struct err *err)
{
	struct placeholder values[PLACEHOLDERS];
	struct text text = {.n = 0};
	struct str rest = template, piece;

	if (!target_ok(target, err))
		return false;
	fill(values, target);
	while (str_split(&rest, '{', &piece)) {
		append(&text, piece);
		if (rest.p && !append_value(&text, &rest, values, err))
			return false;
	}
	if (text.full || !ami_fits(AMI_TYPE_CHANNEL, (struct str){text.p, text.n}))
		return fail(err, ERR_INPUT, "channel template %.*s gives no channel; it must be %s",
			(int)MIN(template.n, (size_t)120), template.p,
			ami_type_words(AMI_TYPE_CHANNEL));
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return true;
}
