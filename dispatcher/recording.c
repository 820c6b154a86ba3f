/* Names of recordings: see recording.h. */
#include "dispatcher/recording.h"

#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "dispatcher/call_id.h"

#include "common/base.h"

/* The day in UTC on which it was planned. An accountcode may begin with a dot, a folder here may not. */
static const char *path_of(const struct slot *slot, char out[RECORDING_PATH_BYTES])
{
	const char *account = slot->client ? slot->client->facts.accountcode : "";
	char id[AMI_CALL_ID_CHARS + 1], day[16];
	time_t at = (time_t)(slot->call->armed_us / US_PER_S);
	struct tm utc;

	call_id_of(slot->entry_id, slot->head->n, id);
	(void)strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&at, &utc));
	(void)snprintf(out, RECORDING_PATH_BYTES, "%s%s/%s/%s.wav", *account == '.' ? "_" : "",
		account, day, id);
	return out;
}

const char *recording_path(const struct slot *slot, char out[RECORDING_PATH_BYTES])
{
	return (slot->call->seen & SEEN_RECORD) && slot->call->answered_us ? path_of(slot, out)
									   : NULL;
}

const char *recording_file(
	const struct server *server, const struct slot *slot, char out[RECORDING_FILE_BYTES])
{
	char path[RECORDING_PATH_BYTES];

	if (!(slot->call->seen & SEEN_RECORD))
		return NULL;
	(void)snprintf(out, RECORDING_FILE_BYTES, "%s/%s", server->recording_directory,
		path_of(slot, path));
	return out;
}
