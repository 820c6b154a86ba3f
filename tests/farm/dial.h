/* What an Originate asks for, checked in Asterisk's order and with its words. */
#ifndef CCS_TESTS_FARM_DIAL_H
#define CCS_TESTS_FARM_DIAL_H

#include "tests/farm/server.h"

/* Fills asked with whatever could be read. NULL, or the message of the error. */
const char *dial_read(
	struct server *server, const struct request *request, struct originate *asked);

#endif
