/* Fields as parameters of a statement: what is not given is null. */
#ifndef CCS_REGISTRY_FIELD_ARGS_H
#define CCS_REGISTRY_FIELD_ARGS_H

#include "registry/field.h"
#include "sql/args.h"

void arg_number(struct sql_args *args, int64_t value);
void arg_truth(struct sql_args *args, int64_t value);
void arg_list(struct sql_args *args, const struct str_list *list);

#endif
