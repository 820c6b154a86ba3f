// The numbering plans of the world, by libphonenumber: the only C++ in ccs. See number.h.
#include <cstdlib>
#include <string>

#include <phonenumbers/phonenumberutil.h>

extern "C" {
#include "registry/number.h"
}

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

// A number without trunk prefix or country code, which most are, needs no parsing, only the check:
// half the time. One that begins with 0, with 1 or with what the region dials before long-distance
// numbers could be read in two ways.
static bool read_national(const PhoneNumberUtil &util, const std::string &digits,
	const std::string &region, PhoneNumber *out)
{
	if (digits[0] == '+' || digits[0] == '0' || digits[0] == '1')
		return false;
	std::string trunk;
	util.GetNddPrefixForRegion(region, true, &trunk);
	if (!trunk.empty() && digits.compare(0, trunk.size(), trunk) == 0)
		return false;
	out->set_country_code(util.GetCountryCodeForRegion(region));
	out->set_national_number(std::strtoull(digits.c_str(), nullptr, 10));
	return util.IsValidNumberForRegion(*out, region);
}

static bool read_any(const PhoneNumberUtil &util, const std::string &digits,
	const std::string &region, PhoneNumber *out)
{
	return util.Parse(digits, region, out) == PhoneNumberUtil::NO_PARSING_ERROR &&
	       util.IsValidNumber(*out);
}

extern "C" bool number_plan_e164(
	const char *number, const char *region, char *e164, uint32_t *country_digits)
{
	const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
	const std::string digits(number), home(region);
	PhoneNumber found;
	if (!read_national(util, digits, home, &found)) {
		found.Clear();
		if (!read_any(util, digits, home, &found))
			return false;
	}
	std::string national;
	util.GetNationalSignificantNumber(found, &national);
	const std::string country = std::to_string(found.country_code());
	const std::string whole = country + national;
	if (whole.size() > NUMBER_MAX_DIGITS)
		return false;
	whole.copy(e164, whole.size());
	e164[whole.size()] = '\0';
	*country_digits = static_cast<uint32_t>(country.size());
	return true;
}

extern "C" void number_plan_load(void)
{
	PhoneNumberUtil::GetInstance();
}
