/* The id of an attempt as ActionID and ChannelId: "ccs-", 14 hex digits of the entry, 2 of the attempt. */
#ifndef CCS_DISPATCHER_CALL_ID_H
#define CCS_DISPATCHER_CALL_ID_H

#include "common/str.h"
#include "dispatcher/ami_text.h"

void call_id_of(uint64_t entry_id, uint32_t n, char out[AMI_CALL_ID_CHARS + 1]);

/* False: it is not one of ours. */
bool call_id_parse(struct str id, uint64_t *entry_id, uint32_t *n);

#endif
