/* What is known of a number: see put_plan.h. */
#include "fcgi/put_plan.h"

#include "fcgi/put.h"
#include "registry/number.h"

#include "common/base.h"

void put_plan(struct strbuf *sb, const struct rows *rows, int row, int first)
{
	int64_t type = row_i64(rows, row, first + 1); /* null is 0: not looked up */
	char e164[NUMBER_MAX_DIGITS + 2] = "+";
	bool is_known = row_copy(rows, row, first, e164 + 1, sizeof(e164) - 1) && e164[1];

	put_text(sb, "e164", str_of(is_known ? e164 : NULL));
	put_text(sb, "number_type", str_of(number_type_name((uint32_t)type)));
	put_text(sb, "region", row_text(rows, row, first + 2));
}
