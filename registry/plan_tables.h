// The numbering plans as tables, made at start from libphonenumber's own metadata.
//
// Most numbers are answered here, in a hundredth of the time that the library takes with its regular expressions. What is said
// here is what the library says: where a number could be read in two ways, is not valid, or belongs to no country, nothing is
// said, and the library is asked. tests/unit/registry/test_number_agree.cc compares both.
#ifndef CCS_REGISTRY_PLAN_TABLES_H
#define CCS_REGISTRY_PLAN_TABLES_H

#include <string>
#include <string_view>

#include <phonenumbers/phonenumberutil.h>

struct PlanAnswer {
	int country;	      // code
	std::string national; // with its leading zeros
	i18n::phonenumbers::PhoneNumberUtil::PhoneNumberType type;
	std::string region;
	bool is_valid_at_home; // that is, as a number of the region from which it is seen
};

// number is '+' and digits, seen from region home. False: ask the library.
bool plan_tables_find(std::string_view number, std::string_view home, PlanAnswer *out);

// The same by the library alone, for every number; false: it is not valid. In number_plan.cc.
bool plan_library_find(const std::string &number, const std::string &home, PlanAnswer *out);

// Makes the tables: 70 ms, 5 MB. Without metadata there are none, and every number is asked of the library.
void plan_tables_load();

#endif
