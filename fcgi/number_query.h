/* The query's phone_number, for lists: however it is written, it finds what is the same number. */
#ifndef CCS_FCGI_NUMBER_QUERY_H
#define CCS_FCGI_NUMBER_QUERY_H

#include "fcgi/req.h"
#include "registry/number.h"

struct number_query {
	struct str given; /* p NULL: any number */
	/* as stored: E.164 digits, or what is dialled, for numbers that were not looked up */
	struct str e164, dialled;
	struct number read;
};

/* Fails with INPUT. The texts lie in out itself, or in the request. */
MUST_USE bool number_query_read(const struct req *req, struct number_query *out, struct err *err);

#endif
