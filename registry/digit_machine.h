// Regular expressions over digits, several at once, as one table: what is asked of a number costs a look-up a digit.
//
// The expressions are those of numbering plans: digits, \d, [2-57], groups, |, ?, *, +, {n}, {n,m} and a $ at an end. The machine
// is made by subset construction (Aho, Sethi, Ullman: Compilers, 3.7), so all of them are matched together.
#ifndef CCS_REGISTRY_DIGIT_MACHINE_H
#define CCS_REGISTRY_DIGIT_MACHINE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

class DigitMachine
{
      public:
	// Bit `bit` of what is answered stands for this expression. False when there is something in it that we do not know:
	// the machine must not be used then.
	bool add(const std::string &expression, unsigned bit);
	void build();

	// The expressions that match all of the digits.
	uint32_t match(std::string_view digits) const;

	// How many digits in front the expression of bit 0 matches: 0 when it matches none, AMBIGUOUS when different numbers of
	// them.
	static constexpr size_t AMBIGUOUS = SIZE_MAX;
	size_t match_front(std::string_view digits) const;

      private:
	static constexpr unsigned END = 10, SYMBOLS = 11; // behind the last digit

	struct Node {
		uint32_t symbols = 0; // that lead on to next
		int next = -1;
		std::vector<int> empty; // reached without any
		uint32_t accepts = 0;
	};
	struct Part { // an expression between two nodes
		int first, last;
	};
	struct State {
		uint16_t next[SYMBOLS] = {};
		uint32_t accepts = 0;
	};
	struct Parser;

	std::vector<Node> nodes;
	std::vector<int> starts;
	std::vector<State> states; // 0: nothing matches any more; 1: the beginning
};

#endif
