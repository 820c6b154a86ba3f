// The numbering plans of the world, by libphonenumber: see number.h. The library is C++, so what speaks to it is, too: this file,
// plan_tables.cc and digit_machine.cc.
#include <cstdlib>
#include <string>

#include <phonenumbers/phonenumberutil.h>
#include <phonenumbers/shortnumberinfo.h>

#include "registry/plan_tables.h"

extern "C" {
#include "registry/number.h"
}

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;
using i18n::phonenumbers::ShortNumberInfo;

static const PhoneNumberUtil &plans()
{
	return *PhoneNumberUtil::GetInstance();
}

static const ShortNumberInfo &short_numbers()
{
	static const ShortNumberInfo info;
	return info;
}

static number_type type_of(int country, PhoneNumberUtil::PhoneNumberType type)
{
	switch (country) { // Inmarsat, the other satellites, international networks
	case 870:
	case 881:
	case 882:
	case 883:
		return NUMBER_TYPE_SATELLITE;
	}
	switch (type) {
	case PhoneNumberUtil::FIXED_LINE:
		return NUMBER_TYPE_FIXED_LINE;
	case PhoneNumberUtil::MOBILE:
		return NUMBER_TYPE_MOBILE;
	case PhoneNumberUtil::FIXED_LINE_OR_MOBILE:
		return NUMBER_TYPE_FIXED_OR_MOBILE;
	case PhoneNumberUtil::TOLL_FREE:
		return NUMBER_TYPE_TOLL_FREE;
	case PhoneNumberUtil::PREMIUM_RATE:
		return NUMBER_TYPE_PREMIUM;
	case PhoneNumberUtil::SHARED_COST:
		return NUMBER_TYPE_SHARED_COST;
	case PhoneNumberUtil::VOIP:
		return NUMBER_TYPE_VOIP;
	case PhoneNumberUtil::PERSONAL_NUMBER:
		return NUMBER_TYPE_PERSONAL;
	case PhoneNumberUtil::PAGER:
		return NUMBER_TYPE_PAGER;
	case PhoneNumberUtil::UAN:
		return NUMBER_TYPE_UAN;
	case PhoneNumberUtil::VOICEMAIL:
		return NUMBER_TYPE_VOICEMAIL;
	case PhoneNumberUtil::UNKNOWN:
		break;
	}
	return NUMBER_TYPE_UNCHECKED;
}

bool plan_library_find(const std::string &number, const std::string &home, PlanAnswer *out)
{
	PhoneNumber found;
	if (plans().Parse(number, home, &found) != PhoneNumberUtil::NO_PARSING_ERROR ||
		!plans().IsValidNumber(found))
		return false;
	out->country = found.country_code();
	plans().GetNationalSignificantNumber(found, &out->national);
	out->type = plans().GetNumberType(found);
	plans().GetRegionCodeForNumber(found, &out->region);
	out->is_valid_at_home = out->region == home || plans().IsValidNumberForRegion(found, home);
	return true;
}

// Numbers that several countries share, as +1 800, belong to the first of them in the plans; to a client they are of its own
// region if they can be called there as such.
extern "C" bool number_plan_find(
	const char *number, const char *region, char *e164, struct shm_plan *plan)
{
	PlanAnswer found;
	if (!plan_tables_find(number, region, &found) && !plan_library_find(number, region, &found))
		return false;
	const std::string country = std::to_string(found.country);
	const std::string whole = country + found.national;
	if (whole.size() > NUMBER_MAX_DIGITS)
		return false;
	whole.copy(e164, whole.size());
	e164[whole.size()] = '\0';
	plan->country_digits = static_cast<uint8_t>(country.size());
	plan->type = static_cast<uint8_t>(type_of(found.country, found.type));
	plan->region = found.is_valid_at_home
			       ? region_code(str_of(region))
			       : region_code({found.region.data(), found.region.size()});
	return true;
}

// The library asks for a parsed number and then looks only at its digits.
extern "C" bool number_plan_is_short(const char *number, const char *region)
{
	const std::string home(region);
	PhoneNumber parsed;
	return plans().Parse(number, home, &parsed) == PhoneNumberUtil::NO_PARSING_ERROR &&
	       short_numbers().IsValidShortNumberForRegion(parsed, home);
}

extern "C" bool number_plan_is_emergency(const char *number, const char *region)
{
	return short_numbers().IsEmergencyNumber(number, region);
}

extern "C" void number_plan_load(void)
{
	plans();
	short_numbers();
	plan_tables_load();
}
