/* What commands about do-not-call lists share: cmd_dnc.c, cmd_dnc_file.c. */
#ifndef CCS_CTL_DNC_FILE_H
#define CCS_CTL_DNC_FILE_H

#include "ctl/ctl.h"
#include "registry/dnc.h"

/* Whose list: what was said, and what it means. */
struct ctl_dnc {
	struct str client;
	int64_t batch_id; /* FIELD_NOT_GIVEN: none */
	int64_t all;	  /* 1: everybody's */
	struct shm_client owner;
	struct dnc_list list;
	struct number_rules rules;
};

/* Connects, and fills in the rest. */
MUST_USE bool ctl_dnc_find(struct ctl *ctl, struct ctl_dnc *dnc, struct err *err);

#endif
