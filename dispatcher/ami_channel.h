/* What is dialled: the server's channel template with its placeholders filled in. Neither a
 * client's text nor anything but digits gets into it, and the result is checked as a whole. */
#ifndef CCS_DISPATCHER_AMI_CHANNEL_H
#define CCS_DISPATCHER_AMI_CHANNEL_H

#include "common/err.h"
#include "dispatcher/ami_text.h"

enum { AMI_CHANNEL_BYTES = AMI_MAX_CHANNEL + 1 };

struct ami_target {
	struct str number;	 /* entry.number: 3-15 digits, perhaps a '+' before them */
	struct str e164;	 /* digits without '+'; empty = the number plan does not know it */
	uint32_t country_digits; /* how many of e164 are the country code */
	struct str prefix;	 /* digits, may be empty; from the server, never from a request */
	struct str endpoint;	 /* of the server's configuration; may be empty when unused */
};

/* Fills the placeholders of a template such as "PJSIP/{prefix}{number}@{endpoint}":
 *
 *   {number}    as given        {e164}    919876543210     {prefix}
 *   {national}  9876543210      {+e164}   +919876543210    {endpoint}
 *
 * Where e164 is not known, {national} and {e164} are the digits of number and {+e164} is number as
 * given. Fails with INPUT on any other placeholder and when the result is no plain
 * Technology/resource (AMI_TYPE_CHANNEL). */
MUST_USE bool ami_channel_expand(struct str template, const struct ami_target *target,
	char out[AMI_CHANNEL_BYTES], struct err *err);

#endif
