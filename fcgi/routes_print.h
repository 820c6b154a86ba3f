/* The route table as JSON, for tests that go through every endpoint and for documentation. */
#ifndef CCS_FCGI_ROUTES_PRINT_H
#define CCS_FCGI_ROUTES_PRINT_H

#include "common/strbuf.h"

/* An array of objects with method, path, pool, who, name and summary. */
void routes_print(struct strbuf *out);

#endif
