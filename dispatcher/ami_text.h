/* The types of all values that are sent to Asterisk: ami_types.def. A value fits its type or is
 * refused; nothing is ever stripped or escaped. */
#ifndef CCS_DISPATCHER_AMI_TEXT_H
#define CCS_DISPATCHER_AMI_TEXT_H

#include "common/str.h"

/* "ccs-", 14 hex digits of the entry, 2 of the attempt. Of fixed width, because Asterisk 22
 * compares ChannelIds by prefix. */
enum { AMI_CALL_ID_CHARS = 20 };

enum ami_type {
#define AMI_TYPE(constant, allowed, max, rule, words) AMI_TYPE_##constant,
#include "dispatcher/ami_types.def"
#undef AMI_TYPE
	AMI_TYPE__N
};

/* Most bytes of a value of each type, for the arithmetic of those who have a limit. */
enum {
#define AMI_TYPE(constant, allowed, max, rule, words) AMI_MAX_##constant = max,
#include "dispatcher/ami_types.def"
#undef AMI_TYPE
};

/* At least one byte, at most the type's number, only of the allowed ones, and its further rule. */
bool ami_fits(enum ami_type type, struct str value);

/* The rule in words, for error messages. */
const char *ami_type_words(enum ami_type type);

static inline bool ami_is_call_id(struct str text)
{
	return ami_fits(AMI_TYPE_CALL_ID, text);
}

#endif
