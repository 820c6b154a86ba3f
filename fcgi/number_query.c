/* The query's phone_number: see number_query.h. */
#include "fcgi/number_query.h"

#include "common/base.h"

bool number_query_read(const struct req *req, struct number_query *out, struct err *err)
{
	struct number *number = &out->read;
	struct shm_plan plan;

	out->given = req_query(req, "phone_number");
	out->e164 = out->dialled = (struct str){NULL, 0};
	if (!out->given.p)
		return true;
	enum number_fault fault = number_read(out->given, number);
	if (fault != NUMBER_FINE)
		return fail_code(err, ERR_INPUT, "invalid_number", "phone_number %s",
			number_fault_text(fault));
	out->dialled = str_of(number->number);
	out->e164 = number_plan_find(number->number, req->client->region, number->e164, &plan)
			    ? str_of(number->e164)
			    : out->dialled;
	return true;
}
