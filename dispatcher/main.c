/* ccs-dispatcher: reads the segment, drives Asterisk over AMI. This process is the holder; it forks the one that works. */
#include <sysexits.h>

#include "common/service.h"
#include "dispatcher/holder.h"

int main(int argc, char **argv)
{
	struct service service = {.name = "ccs-dispatcher",
		.about = "Dials queued calls through Asterisk servers. Runs in the foreground; "
			 "SIGTERM "
			 "stops it without leaving a call in doubt."};
	static struct conf conf;
	int status = service_open(&service, argc, argv, &conf);
	return status == EX_OK ? holder_run(&conf) : status;
}
