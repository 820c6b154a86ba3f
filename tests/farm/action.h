/* What an AMI account may do here: actions.def. */
#ifndef CCS_TESTS_FARM_ACTION_H
#define CCS_TESTS_FARM_ACTION_H

#include "tests/farm/session.h"

/* Does the action and says its response, and what comes of it. */
void action_do(struct session *session, const struct request *request);

#endif
