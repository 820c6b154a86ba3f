/* ccs-relay: tells clients over WebSocket what happens to their calls. */
#include <sysexits.h>

#include "common/service.h"
#include "relay/serve.h"

int main(int argc, char **argv)
{
	struct service service = {.name = "ccs-relay",
		.about =
			"Tells clients over WebSocket what happens to their calls, behind nginx, "
			"on "
			"<run_dir>/relay.sock. Runs in the foreground; SIGTERM says goodbye to all "
			"clients and ends it."};
	static struct conf conf;
	int status = service_open(&service, argc, argv, &conf);
	return status == EX_OK ? serve(&conf) : status;
}
