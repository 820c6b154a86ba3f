/* How a server is known again when it speaks TLS. */
#ifndef CCS_DISPATCHER_TLS_TRUST_H
#define CCS_DISPATCHER_TLS_TRUST_H

#include <stdbool.h>

enum { TLS_NAME_BYTES = 256, TLS_PATH_BYTES = 256 };

struct tls_trust {
	bool verify;		   /* false: whoever answers is believed */
	char ca[TLS_PATH_BYTES];   /* file of certificates that vouch for it; "" = the system's */
	char name[TLS_NAME_BYTES]; /* that its certificate must be for, a host name or an address */
};

#endif
