/* From what Asterisk said about an attempt to how it ended. Pure; the table is outcome.def. */
#ifndef CCS_DISPATCHER_AMI_OUTCOME_H
#define CCS_DISPATCHER_AMI_OUTCOME_H

#include "common/str.h"
#include "dispatcher/disposition.h"

enum ami_dial_status {
	AMI_DIAL_NONE,
	AMI_DIAL_ANSWER,
	AMI_DIAL_BUSY,
	AMI_DIAL_CONGESTION,
	AMI_DIAL_NOANSWER,
	AMI_DIAL_OTHER,
	AMI_DIAL_STATUS__N
};

/* The value of DialEnd's header DialStatus. */
enum ami_dial_status ami_dial_status(struct str text);

/* What was seen of an attempt by the time it is over, or is given up. */
struct ami_fate {
	bool refused;	    /* the Originate's Response was Error ... */
	struct str refusal; /* ... with this Message */
	bool answered; /* OriginateResponse Success, or Newstate or Hangup with ChannelState 6 */
	bool originate_seen; /* OriginateResponse */
	uint32_t reason;     /* its Reason */
	bool channel_seen;   /* any event of the channel: Newchannel, Newstate, Hangup ... */
	bool hangup_seen;
	uint32_t cause;		     /* Hangup's Cause */
	enum ami_dial_status dialed; /* DialEnd's, if there was one */
	bool ring_expired;	     /* our own deadline for an answer has passed */
};

struct ami_outcome {
	enum disposition disposition;
	const char *reason; /* a few words for people, at most 47 bytes, static */
	bool elsewhere;	    /* the way failed, not the called party: another server may try */
};

struct ami_outcome ami_outcome(const struct ami_fate *fate);

#endif
