/* start_date and end_date of a request: local dates of the client, both inclusive. */
#ifndef CCS_FCGI_PERIOD_H
#define CCS_FCGI_PERIOD_H

#include "fcgi/req.h"

struct period {
	struct str start, end; /* "2026-11-22", or p NULL: not given */
};

/* Fails with INPUT when one is no date of the calendar, or the start is after the end. */
MUST_USE bool period_read(const struct req *req, struct period *period, struct err *err);

#endif
