/* nginx's location blocks, made from routes.def: which pool answers which path, and how large its
 * body may be. */
#ifndef CCS_FCGI_NGINX_PRINT_H
#define CCS_FCGI_NGINX_PRINT_H

#include "common/conf.h"
#include "common/strbuf.h"

void nginx_print(const struct conf *conf, struct strbuf *out);

#endif
