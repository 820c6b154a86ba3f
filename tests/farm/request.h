/* An action as it comes from the wire, with the limits that Asterisk has. */
#ifndef CCS_TESTS_FARM_REQUEST_H
#define CCS_TESTS_FARM_REQUEST_H

#include "common/str.h"

enum {
	REQUEST_LINES = 128,
	REQUEST_LINE_BYTES = 1022, /* without its end */
};

struct request {
	struct str lines[REQUEST_LINES]; /* into the bytes that were read */
	size_t n;
	bool too_many;
};

enum request_read {
	REQUEST_MORE,	  /* its end has not come yet */
	REQUEST_WHOLE,	  /* look at it before the bytes go */
	REQUEST_TOO_LONG, /* a line was: all of it and before it is dropped */
};

/* Takes lines from the beginning of in until one of them is empty. *used bytes are done with, unless REQUEST_MORE. */
enum request_read request_read(struct request *request, struct str in, size_t *used);

/* The first header of that name, whatever its case; empty when there is none. */
struct str request_header(const struct request *request, const char *name);

/* The next value of a header that may be there several times; begin with *at = 0. */
bool request_next(const struct request *request, const char *name, size_t *at, struct str *value);

#endif
