/* A phone number as a client wrote it, made ready for dialling and for comparing.
 *
 * What stands between the digits (blanks, dashes, dots, parentheses) goes; a leading '+' stays,
 * because it says that the country is written. Three to fifteen digits remain, or the number is
 * refused. If the numbering plan of the client's region knows the number, its E.164 form is filled
 * in too: +91 98765 43210 and 9876543210 are then one number. A number that no plan knows (an
 * extension, a test number) is dialled as it was given.
 */
#ifndef CCS_REGISTRY_NUMBER_H
#define CCS_REGISTRY_NUMBER_H

#include "common/str.h"

enum {
	NUMBER_MIN_DIGITS = 3,
	NUMBER_MAX_DIGITS = 15,
	NUMBER_GIVEN_BYTES = 39, /* the longest spelling that is accepted */
};

struct number {
	char number[NUMBER_MAX_DIGITS + 2]; /* '+' and digits, terminated */
	char e164[NUMBER_MAX_DIGITS + 1];   /* digits only; "" when no plan knows the number */
	uint32_t country_digits;	    /* how many digits of e164 are the country code */
};

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

/* Asks the numbering plan for e164 and country_digits; region (ISO 3166, "IN") is where a number
 * without '+' belongs. Some 7 us, a hundred times what number_read takes: apart, so that a batch can
 * be refused without it, and be looked up while PostgreSQL stores what came before. */
void number_look_up(struct number *number, const char *region);

/* The end of a sentence about the number: "is empty; send 3 to 15 digits". */
const char *number_fault_text(enum number_fault fault);

/* What the numbering plan of region says about number ('+' and digits, terminated): false when it
 * is not a valid number. In number_plan.cc, over libphonenumber. */
MUST_USE bool number_plan_e164(const char *number, const char *region,
	char e164[NUMBER_MAX_DIGITS + 1], uint32_t *country_digits);

/* Loads the plans (3 MB), so that processes forked later share them. */
void number_plan_load(void);

#endif
