/* That an API key was used, told to the dispatcher, which writes it down (dispatcher/used.h): at most once a minute for each key and
 * worker, and a few a second of each worker at most, so that neither a request nor the ring has to pay for it. */
#ifndef CCS_FCGI_USED_H
#define CCS_FCGI_USED_H

#include "fcgi/app.h"

/* key_id 0 (a token, a certificate) is none. */
void key_used(struct app *app, uint64_t key_id, int64_t now_us);

#endif
