/* Exports: answers of any length, one at a time of a client and so many of all ([api] exports_at_once). The locks are the
 * connection's, so that what a killed worker began has ended. */
#ifndef CCS_FCGI_EXPORT_H
#define CCS_FCGI_EXPORT_H

#include "fcgi/app.h"

/* LIMIT when there is no place for another. */
MUST_USE bool export_begin(struct app *app, struct err *err);

/* What cannot be told to PostgreSQL ends with the connection. */
void export_end(struct app *app);

#endif
