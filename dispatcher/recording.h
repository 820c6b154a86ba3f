/* Where a call's recording lies: below its server's recording_directory, by client and day, named after the attempt, so that no two
 * calls share a file and nothing in its name is anybody's text. Asterisk's dialplan makes it (CCS_RECORD); what it holds, and whether
 * it is there, only that server knows. */
#ifndef CCS_DISPATCHER_RECORDING_H
#define CCS_DISPATCHER_RECORDING_H

#include "dispatcher/dispatcher.h"

enum { RECORDING_PATH_BYTES = 96, RECORDING_FILE_BYTES = RECORDING_PATH_BYTES + PATH_BYTES + 1 };

/* "ACME/2026-11-22/ccs-002d000000040001.wav" of a call that is recorded and was answered, else NULL. Returns out. */
const char *recording_path(const struct slot *slot, char out[RECORDING_PATH_BYTES]);

/* The same from / on, of a call that is to be recorded if it is answered, else NULL. */
const char *recording_file(
	const struct server *server, const struct slot *slot, char out[RECORDING_FILE_BYTES]);

#endif
