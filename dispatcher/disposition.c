/* Names of dispositions: see disposition.h. */
#include "dispatcher/disposition.h"

#include "common/base.h"

static const char *const names[] = {
#define DISPOSITION(constant, name, help) [DISPOSITION_##constant] = #name,
#include "dispatcher/disposition.def"
#undef DISPOSITION
};

const char *disposition_name(enum disposition disposition)
{
	return disposition < DISPOSITION__N ? names[disposition] : "unknown";
}
