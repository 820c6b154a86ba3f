/* Fields as parameters: see field_args.h. */
#include "registry/field_args.h"

#include "common/base.h"

void arg_number(struct sql_args *args, int64_t value)
{
	arg_i64_or_null(args, value, value == FIELD_NOT_GIVEN);
}

void arg_truth(struct sql_args *args, int64_t value)
{
	if (value == FIELD_NOT_GIVEN)
		arg_null(args, BOOLOID);
	else
		arg_bool(args, value != 0);
}

void arg_list(struct sql_args *args, const struct str_list *list)
{
	if (!list->is_given) {
		arg_null(args, TEXTARRAYOID);
		return;
	}
	struct sql_array array = arg_array(args, TEXTOID);
	for (int i = 0; i < list->n; i++)
		array_text(&array, list->v[i]);
	array_end(&array);
}
