/* The only place where bytes for Asterisk are made. Every header line has a fixed name and its
 * value a type with a list of allowed bytes (ami_fields.def, ami_types.def); what does not fit is
 * refused, never repaired, so no value can start a line, a header or a variable of its own. Each
 * function appends one whole action to out, or nothing and says why.
 *
 * There is no way to send an Application, a variable's name or early media from here.
 */
#ifndef CCS_DISPATCHER_AMI_ACTION_H
#define CCS_DISPATCHER_AMI_ACTION_H

#include "common/err.h"
#include "common/strbuf.h"
#include "dispatcher/ami_text.h"

struct ami_originate {
	struct str call_id; /* becomes ActionID, ChannelId and the variable CCS_CALL_ID */
	struct str channel; /* from ami_channel_expand */
	struct str context,
		exten; /* where the answered call goes, priority 1: the server's configuration */
	struct str caller_number; /* the DID, digits, perhaps a '+' before them */
	struct str account;	  /* the client's accountcode */
	struct str record;   /* the file that the dialplan is to record into; n 0: it is not to */
	bool amd;	     /* the dialplan is to find out who answers */
	uint32_t ring_ms;    /* at least 1: Asterisk takes 0 as for ever */
	uint32_t max_call_s; /* at least 1: Asterisk hangs up after so long, ringing included */
};

/* Response and OriginateResponse carry call_id as ActionID, all channel events as Uniqueid. */
MUST_USE bool ami_originate(
	struct strbuf *out, const struct ami_originate *originate, struct err *err);

/* Response carries "hangup-<call_id>" as ActionID; "No such channel" also means: not yet. */
MUST_USE bool ami_hangup(struct strbuf *out, struct str call_id, uint32_t cause, struct err *err);

/* The rest is for ami_conn.c, and for tests. */
MUST_USE bool ami_challenge(struct strbuf *out, struct str action_id, struct err *err);
MUST_USE bool ami_login_plain(struct strbuf *out, struct str action_id, struct str user,
	struct str secret, struct err *err);
MUST_USE bool ami_login_md5(struct strbuf *out, struct str action_id, struct str user,
	struct str secret, struct str challenge, struct err *err);
MUST_USE bool ami_ping(struct strbuf *out, struct str action_id, struct err *err);
MUST_USE bool ami_core_show_channels(struct strbuf *out, struct str action_id, struct err *err);
MUST_USE bool ami_logoff(struct strbuf *out, struct str action_id, struct err *err);

#endif
