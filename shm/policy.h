/* Which numbers a client may call: kinds and regions, against toll fraud.
 *
 * Asked when a batch comes in, so that its owner hears of it, and again before a call is begun,
 * because what is allowed may have changed meanwhile. A region is an ISO 3166 country, not a country
 * code: Jamaica is not the US, though both are +1.
 */
#ifndef CCS_SHM_POLICY_H
#define CCS_SHM_POLICY_H

#include "common/str.h"

enum number_type {
#define NUMBER_TYPE(constant, name, how, help) NUMBER_TYPE_##constant,
#include "shm/number_type.def"
#undef NUMBER_TYPE
	NUMBER_TYPE__N
};

/* What a numbering plan says about a number, beside its E.164 digits. */
struct shm_plan {
	uint8_t country_digits; /* how many digits of e164 are the country code */
	uint8_t type;		/* enum number_type */
	uint16_t region;	/* region_code(); 0: not known */
};

/* How a client's numbers are checked: enum in shm_policy.check. */
enum number_check {
	NUMBER_CHECK_DEFAULT, /* as the configuration says */
	NUMBER_CHECK_SYNTAX,  /* digits, and not an emergency number */
	NUMBER_CHECK_FULL,    /* by numbering plan and policy */
	NUMBER_CHECK__N
};

enum { SHM_REGION_WORDS = 11 };

struct shm_policy {
	uint64_t regions[SHM_REGION_WORDS]; /* a bit for each region_code() */
	uint32_t types;			    /* a bit for each enum number_type */
	uint32_t check;			    /* enum number_check */
};

/* "syntax", "full"; p NULL or empty: the default. */
MUST_USE bool number_check_read(struct str name, uint32_t *check);

/* "mobile"; NULL for UNCHECKED and for what is no type. */
const char *number_type_name(uint32_t type);

/* The code of "IN", or of "001" for numbers of no country, as it stands in shm_plan.region; 0 for
 * what is neither. */
uint16_t region_code(struct str text);

enum { REGION_TEXT_BYTES = 4 };
/* The reverse; "" for 0. */
const char *region_text(uint16_t code, char out[REGION_TEXT_BYTES]);

/* From words with blanks between them: regions and "all"; names of types, "default" and "all". False,
 * and policy is unchanged, when a word is none of these. Emergency numbers are never in it. */
MUST_USE bool policy_read(struct shm_policy *policy, struct str regions, struct str types);

bool policy_allows_region(const struct shm_policy *policy, uint16_t code);
bool policy_allows_type(const struct shm_policy *policy, uint32_t type);

enum { REGION_CODES = 26 * 26 + 2 }; /* region_code() is below it */

enum policy_verdict { POLICY_FINE, POLICY_TYPE_DENIED, POLICY_REGION_DENIED };

/* A number that was not looked up is fine: its client is checked by syntax. */
enum policy_verdict policy_judge(const struct shm_policy *policy, struct shm_plan plan);

#endif
