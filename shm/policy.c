/* What may be called: see policy.h. */
#include "shm/policy.h"

#include "common/base.h"

enum how { USUAL, ASKED, NEVER };

static const struct {
	const char *name;
	enum how how;
} types[NUMBER_TYPE__N] = {
#define NUMBER_TYPE(constant, name, how, help) [NUMBER_TYPE_##constant] = {#name, how},
#include "shm/number_type.def"
#undef NUMBER_TYPE
};
_Static_assert(NUMBER_TYPE__N <= 32, "shm_policy.types has a bit for each");

/* AA is 1, ZZ is 26 * 26; then numbers of no country. */
enum { LETTERS = 26, REGION_WORLD = LETTERS * LETTERS + 1 };
_Static_assert(REGION_WORLD + 1 == REGION_CODES, "the last one");
_Static_assert(REGION_CODES <= 64 * SHM_REGION_WORDS, "shm_policy.regions has a bit for each");

bool number_check_read(struct str name, uint32_t *check)
{
	static const char *const names[NUMBER_CHECK__N] = {"", "syntax", "full"};
	for (uint32_t i = 0; i < NUMBER_CHECK__N; i++)
		if (str_eq(name, str_of(names[i]))) {
			*check = i;
			return true;
		}
	return false;
}

const char *number_type_name(uint32_t type)
{
	return type == NUMBER_TYPE_UNCHECKED || type >= NUMBER_TYPE__N ? NULL : types[type].name;
}

static bool is_capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

uint16_t region_code(struct str text)
{
	if (str_eq(text, STR("001")))
		return REGION_WORLD;
	if (text.n != 2 || !is_capital(text.p[0]) || !is_capital(text.p[1]))
		return 0;
	return (uint16_t)((text.p[0] - 'A') * LETTERS + (text.p[1] - 'A') + 1);
}

const char *region_text(uint16_t code, char out[REGION_TEXT_BYTES])
{
	memset(out, 0, REGION_TEXT_BYTES);
	if (code == REGION_WORLD) {
		memcpy(out, "001", 3);
	} else if (code > 0 && code < REGION_WORLD) {
		out[0] = (char)('A' + (code - 1) / LETTERS);
		out[1] = (char)('A' + (code - 1) % LETTERS);
	}
	return out;
}

/* ---- from words ---- */

static bool add_region(struct shm_policy *policy, struct str word)
{
	uint16_t code = region_code(word);
	if (str_eq(word, STR("all")))
		memset(policy->regions, 0xff, sizeof(policy->regions));
	else if (code)
		policy->regions[code / 64] |= UINT64_C(1) << code % 64;
	return code || str_eq(word, STR("all"));
}

/* Those that may be called like this or more easily. */
static uint32_t types_up_to(enum how how)
{
	uint32_t bits = 0;
	for (uint32_t i = 0; i < NUMBER_TYPE__N; i++)
		if (types[i].how <= how)
			bits |= UINT32_C(1) << i;
	return bits;
}

static bool add_type(struct shm_policy *policy, struct str word)
{
	uint32_t bits = 0;
	if (str_eq(word, STR("all")))
		bits = types_up_to(ASKED);
	else if (str_eq(word, STR("default")))
		bits = types_up_to(USUAL);
	for (uint32_t i = NUMBER_TYPE_UNCHECKED + 1; i < NUMBER_TYPE__N; i++)
		if (types[i].how != NEVER && str_eq(word, str_of(types[i].name)))
			bits = UINT32_C(1) << i;
	policy->types |= bits;
	return bits != 0;
}

bool policy_read(struct shm_policy *policy, struct str regions, struct str type_names)
{
	struct shm_policy made = {.check = policy->check};
	struct str word;
	while (str_split(&regions, ' ', &word))
		if (!add_region(&made, word))
			return false;
	while (str_split(&type_names, ' ', &word))
		if (!add_type(&made, word))
			return false;
	*policy = made;
	return true;
}

/* ---- the question ---- */

bool policy_allows_region(const struct shm_policy *policy, uint16_t code)
{
	return code < REGION_CODES && policy->regions[code / 64] >> code % 64 & 1;
}

bool policy_allows_type(const struct shm_policy *policy, uint32_t type)
{
	return type < NUMBER_TYPE__N && policy->types >> type & 1;
}

enum policy_verdict policy_judge(const struct shm_policy *policy, struct shm_plan plan)
{
	if (plan.type == NUMBER_TYPE_UNCHECKED)
		return POLICY_FINE;
	if (!policy_allows_type(policy, plan.type))
		return POLICY_TYPE_DENIED;
	return policy_allows_region(policy, plan.region) ? POLICY_FINE : POLICY_REGION_DENIED;
}
