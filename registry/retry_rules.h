/* What clients and batches say of calling again: the list `retry` of registry/client.def and registry/batch.def. */
#ifndef CCS_REGISTRY_RETRY_RULES_H
#define CCS_REGISTRY_RETRY_RULES_H

#include "registry/field.h"

/* One rule at most for each outcome. Of rules that are fine (fine_retry). */
MUST_USE bool retry_rules_differ(const struct str_list *rules, struct err *err);

#endif
