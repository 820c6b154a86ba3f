/* ccs-courier: tells clients' receivers what happens to their calls. */
#include <sysexits.h>

#include "common/service.h"
#include "courier/life.h"

int main(int argc, char **argv)
{
	struct service service = {.name = "ccs-courier",
		.about = "Delivers events to clients' callbackurls, signed, again until they "
			 "arrive. Runs in the foreground; SIGTERM lets what is under way end, for "
			 "ten seconds at most."};
	static struct conf conf;
	int status = service_open(&service, argc, argv, &conf);
	return status == EX_OK ? courier_run(&conf) : status;
}
