/* A phone number as a client wrote it: made ready for dialling and for comparing, and judged.
 *
 * What stands between the digits (blanks, dashes, dots, parentheses) goes; a leading '+' stays,
 * because it says that the country is written. Three to fifteen digits remain, or the number is
 * refused. Checked in full, it must also be valid in the numbering plan of the client's region (or,
 * with a country, in that country's), or be a short number there, and the client's policy must allow
 * its kind and its region (shm/policy.h). Then its E.164 form is known, and +91 98765 43210 and
 * 9876543210 are one number. Checked by syntax only, it is dialled as it was given, and nothing else
 * is known of it. Emergency numbers are refused in any case.
 */
#ifndef CCS_REGISTRY_NUMBER_H
#define CCS_REGISTRY_NUMBER_H

#include "common/err.h"
#include "common/str.h"
#include "shm/policy.h"

enum {
	NUMBER_MIN_DIGITS = 3,
	NUMBER_MAX_DIGITS = 15,
	NUMBER_GIVEN_BYTES = 39, /* the longest spelling that is accepted */
};

struct number {
	char number[NUMBER_MAX_DIGITS + 2]; /* '+' and digits, terminated */
	char e164[NUMBER_MAX_DIGITS + 1];   /* digits only; "" when it is not known */
	struct shm_plan plan;		    /* type UNCHECKED: not looked up */
};

/* Whose number it is. */
struct number_rules {
	const char *region;	 /* where a number without '+' belongs: ISO 3166, "IN" */
	enum number_check check; /* FULL or SYNTAX */
	const struct shm_policy *policy;
};

/* All of the above. On failure err is INPUT with code invalid_number or number_denied, its text the
 * end of a sentence about the number ("is empty; send 3 to 15 digits"), and out is unchanged. */
MUST_USE bool number_accept(
	const struct number_rules *rules, struct str given, struct number *out, struct err *err);

/* ---- the parts ---- */

enum number_fault {
	NUMBER_FINE,
	NUMBER_EMPTY,
	NUMBER_SPELT_LONG,
	NUMBER_STRANGE, /* a character that belongs in no number */
	NUMBER_FEW,	/* digits */
	NUMBER_MANY,
	NUMBER_FAULT__N
};

/* Reads given into out->number, and leaves the rest of out empty. Fills out only if fine. */
MUST_USE enum number_fault number_read(struct str given, struct number *out);

/* The end of a sentence about the number. */
const char *number_fault_text(enum number_fault fault);

/* What the plans say about number ('+' and digits, terminated), seen from region: false when it is
 * not valid. Its region is the given one if it is valid there, else where it belongs. In
 * number_plan.cc, over libphonenumber. */
MUST_USE bool number_plan_find(const char *number, const char *region,
	char e164[NUMBER_MAX_DIGITS + 1], struct shm_plan *plan);

/* Is number (digits only) a short number of region; does it call the police there? */
bool number_plan_is_short(const char *number, const char *region);
bool number_plan_is_emergency(const char *number, const char *region);

/* Loads the plans (3 MB), so that processes forked later share them. */
void number_plan_load(void);

#endif
