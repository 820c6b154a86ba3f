/* How an attempt ended, as SQL, the API and the segment name it. */
#ifndef CCS_DISPATCHER_DISPOSITION_H
#define CCS_DISPATCHER_DISPOSITION_H

#include "common/base.h"

enum disposition {
#define DISPOSITION(constant, name, help) DISPOSITION_##constant,
#include "dispatcher/disposition.def"
#undef DISPOSITION
	DISPOSITION__N
};

/* "no_answer": the label of SQL's enum. */
const char *disposition_name(enum disposition disposition);

#endif
