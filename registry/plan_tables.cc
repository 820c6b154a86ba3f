// The numbering plans as tables: see plan_tables.h. What is done here follows the library's Parse, GetRegionCodeForNumber and
// GetNumberType step by step; the comments name its functions.
#include "registry/plan_tables.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

#include <phonenumbers/phonemetadata.pb.h>

#include "registry/digit_machine.h"

using i18n::phonenumbers::PhoneMetadata;
using i18n::phonenumbers::PhoneMetadataCollection;
using i18n::phonenumbers::PhoneNumberDesc;
using i18n::phonenumbers::PhoneNumberUtil;

// The library's metadata, as it is compiled into it. Its header is not installed; should a later release hide them, the tables
// stay empty and a test says so.
namespace i18n::phonenumbers
{
int metadata_size() __attribute__((weak));
const void *metadata_get() __attribute__((weak));
} // namespace i18n::phonenumbers

namespace
{

enum Description {
	GENERAL,
	PREMIUM,
	TOLL_FREE,
	SHARED_COST,
	VOIP,
	PERSONAL,
	PAGER,
	UAN,
	VOICEMAIL,
	FIXED,
	MOBILE,
	DESCRIPTIONS
};

struct Plan {
	std::string region;
	int country;
	std::string country_text;
	bool is_sound = true; // every expression could be read
	bool has_transform;
	bool same_fixed_and_mobile;
	DigitMachine numbers; // a bit for each description
	std::array<uint32_t, DESCRIPTIONS>
		lengths{}; // a bit for each possible one; 0: all that the general ones have
	size_t longest = 0;
	std::unique_ptr<DigitMachine> trunk, abroad, leading; // null: the region has none

	explicit Plan(const PhoneMetadata &data);
	void add(Description description, const PhoneNumberDesc &desc);
	std::unique_ptr<DigitMachine> front(const std::string &expression);

	bool is_general(std::string_view national) const
	{
		return numbers.match(national) >> GENERAL & 1;
	}
	PhoneNumberUtil::PhoneNumberType type_of(std::string_view national) const;
	bool strip_trunk(std::string_view *national) const;
};

struct Tables {
	std::map<std::string, Plan, std::less<>> plans;	    // by region
	std::map<int, std::vector<const Plan *>> countries; // by code, in the library's order
};

Tables &tables()
{
	static Tables made;
	return made;
}

// ---- from metadata ----

void Plan::add(Description description, const PhoneNumberDesc &desc)
{
	for (int length : desc.possible_length())
		if (length > 0 && length < 32)
			lengths[description] |= 1u << length;
	bool is_absent = desc.possible_length_size() > 0 && lengths[description] == 0; // -1
	if (!is_absent && !desc.national_number_pattern().empty())
		is_sound &= numbers.add(desc.national_number_pattern(), description);
}

std::unique_ptr<DigitMachine> Plan::front(const std::string &expression)
{
	if (expression.empty())
		return nullptr;
	auto machine = std::make_unique<DigitMachine>();
	is_sound &= machine->add(expression, 0);
	if (is_sound)
		machine->build();
	return machine;
}

Plan::Plan(const PhoneMetadata &data)
    : region(data.id()), country(data.country_code()), country_text(std::to_string(country)),
      has_transform(!data.national_prefix_transform_rule().empty()),
      same_fixed_and_mobile(data.same_mobile_and_fixed_line_pattern())
{
	add(GENERAL, data.general_desc());
	add(PREMIUM, data.premium_rate());
	add(TOLL_FREE, data.toll_free());
	add(SHARED_COST, data.shared_cost());
	add(VOIP, data.voip());
	add(PERSONAL, data.personal_number());
	add(PAGER, data.pager());
	add(UAN, data.uan());
	add(VOICEMAIL, data.voicemail());
	add(FIXED, data.fixed_line());
	add(MOBILE, data.mobile());
	for (size_t length = 0; length < 32; length++)
		if (lengths[GENERAL] >> length & 1)
			longest = length;
	trunk = front(data.national_prefix_for_parsing());
	abroad = front(data.international_prefix());
	leading = front(data.leading_digits());
	if (is_sound)
		numbers.build();
}

// ---- one plan ----

// GetNumberTypeHelper.
PhoneNumberUtil::PhoneNumberType Plan::type_of(std::string_view national) const
{
	static constexpr struct {
		Description description;
		PhoneNumberUtil::PhoneNumberType type;
	} special[] = {{PREMIUM, PhoneNumberUtil::PREMIUM_RATE},
		{TOLL_FREE, PhoneNumberUtil::TOLL_FREE},
		{SHARED_COST, PhoneNumberUtil::SHARED_COST}, {VOIP, PhoneNumberUtil::VOIP},
		{PERSONAL, PhoneNumberUtil::PERSONAL_NUMBER}, {PAGER, PhoneNumberUtil::PAGER},
		{UAN, PhoneNumberUtil::UAN}, {VOICEMAIL, PhoneNumberUtil::VOICEMAIL}};

	uint32_t matched = numbers.match(national);
	auto is = [&](Description d) { // IsNumberMatchingDesc
		return matched >> d & 1 && (lengths[d] == 0 || lengths[d] >> national.size() & 1);
	};
	if (!is(GENERAL))
		return PhoneNumberUtil::UNKNOWN;
	for (const auto &one : special)
		if (is(one.description))
			return one.type;
	if (is(FIXED))
		return same_fixed_and_mobile || is(MOBILE) ? PhoneNumberUtil::FIXED_LINE_OR_MOBILE
							   : PhoneNumberUtil::FIXED_LINE;
	return !same_fixed_and_mobile && is(MOBILE) ? PhoneNumberUtil::MOBILE
						    : PhoneNumberUtil::UNKNOWN;
}

// MaybeStripNationalPrefixAndCarrierCode. False where it would do more than take digits away.
bool Plan::strip_trunk(std::string_view *national) const
{
	size_t n = trunk ? trunk->match_front(*national) : 0;
	if (n == 0)
		return true;
	if (n == DigitMachine::AMBIGUOUS || has_transform)
		return false;
	std::string_view stripped = national->substr(n);
	if (!is_general(*national) || is_general(stripped))
		*national = stripped;
	return true;
}

// ---- reading a number: ParseHelper ----

const Plan *plan_of(std::string_view region)
{
	const auto &plans = tables().plans;
	auto found = plans.find(region);
	return found != plans.end() && found->second.is_sound ? &found->second : nullptr;
}

// ExtractCountryCode: no code begins another.
const Plan *main_plan(std::string_view digits, size_t *code_digits)
{
	int code = 0;
	for (*code_digits = 1; *code_digits <= 3 && *code_digits <= digits.size(); ++*code_digits) {
		code = code * 10 + (digits[*code_digits - 1] - '0');
		auto found = tables().countries.find(code);
		if (found != tables().countries.end())
			return found->second.front();
	}
	return nullptr;
}

// A number without '+' that has its country code all the same loses it (MaybeExtractCountryCode). False: ask the library.
bool strip_own_code(const Plan &home, std::string_view *national, bool *is_stripped)
{
	*is_stripped = false;
	if (national->substr(0, home.country_text.size()) != home.country_text)
		return true;
	std::string_view rest = national->substr(home.country_text.size());
	if (!home.strip_trunk(&rest))
		return false;
	bool is_better = !home.is_general(*national) && home.is_general(rest);
	*is_stripped = is_better || national->size() > home.longest;
	if (*is_stripped)
		*national = rest;
	return true;
}

// The plan that the number is read by, and what stands behind its country code. Null: ask the library.
const Plan *read_code(std::string_view number, const Plan &home, std::string_view *national)
{
	size_t code_digits;
	bool is_stripped;
	if (number[0] == '+') {
		const Plan *plan = main_plan(number.substr(1), &code_digits);
		*national = plan ? number.substr(1 + code_digits) : number;
		return plan;
	}
	*national = number;
	bool may_be_abroad = home.abroad && home.abroad->match_front(number) != 0;
	if (may_be_abroad || !strip_own_code(home, national, &is_stripped))
		return nullptr;
	return is_stripped ? tables().countries.at(home.country).front() : &home;
}

// The same, and its national digits.
const Plan *read(std::string_view number, const Plan &home, std::string_view *national)
{
	const Plan *plan = read_code(number, home, national);
	std::string_view stripped = *national;
	if (!plan || !plan->is_sound || !plan->strip_trunk(&stripped))
		return nullptr;
	// What would be left of it may be too short or too long: TestNumberLength.
	bool is_long_enough = plan->lengths[GENERAL] >> std::min<size_t>(stripped.size(), 31) & 1;
	if (stripped.size() != national->size() && !is_long_enough)
		return nullptr;
	*national = stripped;
	return plan;
}

// GetRegionCodeForNumber; null: none, or ask the library.
const Plan *plan_of_number(int country, std::string_view national)
{
	const auto &plans = tables().countries.at(country);
	if (plans.size() == 1)
		return plans.front();
	for (const Plan *plan : plans) {
		if (!plan->is_sound)
			return nullptr;
		if (plan->leading ? plan->leading->match_front(national) != 0
				  : plan->type_of(national) != PhoneNumberUtil::UNKNOWN)
			return plan;
	}
	return nullptr;
}

} // namespace

bool plan_tables_find(std::string_view number, std::string_view region, PlanAnswer *out)
{
	const Plan *home = plan_of(region);
	std::string_view national;
	const Plan *plan = home ? read(number, *home, &national) : nullptr;
	if (!plan)
		return false;
	const Plan *owner = plan_of_number(plan->country, national);
	PhoneNumberUtil::PhoneNumberType type =
		owner ? owner->type_of(national) : PhoneNumberUtil::UNKNOWN;
	if (type == PhoneNumberUtil::UNKNOWN)
		return false;
	*out = {plan->country, std::string(national), type, owner->region,
		owner == home || (home->country == plan->country &&
					 home->type_of(national) != PhoneNumberUtil::UNKNOWN)};
	return true;
}

void plan_tables_load()
{
	using namespace i18n::phonenumbers;
	PhoneMetadataCollection all;
	if (!tables().plans.empty() || !metadata_get || !metadata_size ||
		!all.ParseFromArray(metadata_get(), metadata_size()))
		return;
	for (const PhoneMetadata &data : all.metadata())
		if (data.id() != "001")
			tables().plans.try_emplace(data.id(), data);
	const PhoneNumberUtil &library = *PhoneNumberUtil::GetInstance();
	for (const auto &[region, plan] : tables().plans) {
		auto &country = tables().countries[plan.country];
		if (!country.empty())
			continue;
		std::list<std::string> regions;
		library.GetRegionCodesForCountryCallingCode(plan.country, &regions);
		for (const std::string &one : regions)
			country.push_back(&tables().plans.at(one));
	}
}
