// What the tables say of a number is what libphonenumber says: numbers of all regions and kinds, changed at random and spelt in
// every way. test_number_agree [HOW MANY]; make check-long asks for a million.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "registry/plan_tables.h"

extern "C" {
#include <cmocka.h>
}

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

static size_t how_many = 50000;

namespace
{

struct Example {
	std::string region, code, national, trunk;
};

class Numbers
{
      public:
	Numbers();
	std::string any(std::string *home);

      private:
	std::mt19937_64 dice{20261122};
	std::vector<std::string> regions;
	std::vector<Example> examples;

	size_t below(size_t n)
	{
		return dice() % n;
	}
	char digit()
	{
		return static_cast<char>('0' + below(10));
	}
	std::string changed(const std::string &national);
	void add(const PhoneNumber &number, const std::string &region);
};

void Numbers::add(const PhoneNumber &number, const std::string &region)
{
	const PhoneNumberUtil &library = *PhoneNumberUtil::GetInstance();
	Example example{region, std::to_string(number.country_code()), "", ""};
	library.GetNationalSignificantNumber(number, &example.national);
	library.GetNddPrefixForRegion(region, true, &example.trunk);
	examples.push_back(example);
}

Numbers::Numbers()
{
	const PhoneNumberUtil &library = *PhoneNumberUtil::GetInstance();
	std::set<std::string> known;
	std::set<int> global;
	library.GetSupportedRegions(&known);
	library.GetSupportedGlobalNetworkCallingCodes(&global);
	regions.assign(known.begin(), known.end());
	PhoneNumber number;
	for (const std::string &region : regions)
		for (int type = 0; type < PhoneNumberUtil::UNKNOWN; type++)
			if (library.GetExampleNumberForType(region,
				    static_cast<PhoneNumberUtil::PhoneNumberType>(type), &number))
				add(number, region);
	for (int code : global)
		if (library.GetExampleNumberForNonGeoEntity(code, &number))
			add(number, "001");
}

// Some digits in front stay, which is what plans look at; sometimes one more or less.
std::string Numbers::changed(const std::string &national)
{
	std::string made = national;
	for (size_t i = below(made.size() + 1); i < made.size(); i++)
		made[i] = digit();
	if (below(12) == 0)
		made += digit();
	if (below(12) == 0 && made.size() > 3)
		made.pop_back();
	return made;
}

std::string Numbers::any(std::string *home)
{
	const Example &example = examples[below(examples.size())];
	std::string national = changed(example.national), whole = example.code + national;
	*home = example.region == "001" || below(4) == 0 ? regions[below(regions.size())]
							 : example.region;
	switch (below(8)) {
	case 0:
		return "+" + whole;
	case 1:
		return whole;
	case 2:
		return "00" + whole;
	case 3:
		return example.trunk + national;
	case 4:
		return "0" + national;
	case 5:
		return "+" + example.code + example.trunk + national;
	default:
		return national;
	}
}

std::string text(const PlanAnswer &answer)
{
	return "+" + std::to_string(answer.country) + " " + answer.national + " type " +
	       std::to_string(answer.type) + " of " + answer.region +
	       (answer.is_valid_at_home ? ", valid at home" : ", not of home");
}

} // namespace

static void the_tables_say_what_the_library_says(void **)
{
	Numbers numbers;
	size_t valid = 0, by_tables = 0;
	for (size_t i = 0; i < how_many; i++) {
		std::string home, number = numbers.any(&home);
		PlanAnswer tables, library;
		bool is_valid = plan_library_find(number, home, &library);
		valid += is_valid;
		if (!plan_tables_find(number, home, &tables))
			continue;
		by_tables++;
		if (!is_valid)
			fail_msg("%s in %s is not valid; the tables say %s", number.c_str(),
				home.c_str(), text(tables).c_str());
		if (text(tables) != text(library))
			fail_msg("%s in %s is %s; the tables say %s", number.c_str(), home.c_str(),
				text(library).c_str(), text(tables).c_str());
	}
	(void)std::printf("# %zu numbers, %zu valid, %zu of them answered by the tables\n",
		how_many, valid, by_tables);
	assert_true(
		by_tables * 4 > valid * 3); // the rest is written with 00, or belongs to no country
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_tables_say_what_the_library_says)};
	if (argc == 2)
		how_many = std::strtoul(argv[1], nullptr, 10);
	plan_tables_load();
	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
