// Expressions over digits to a table: see digit_machine.h.
#include "registry/digit_machine.h"

#include <algorithm>
#include <map>

// Recursive descent over one expression. `ok` turns false at what we do not know, and stays so.
struct DigitMachine::Parser {
	std::vector<Node> &nodes;
	const std::string &text;
	size_t at = 0;
	bool ok = true;

	int node()
	{
		nodes.emplace_back();
		return static_cast<int>(nodes.size()) - 1;
	}

	void link(int from, int to)
	{
		nodes[from].empty.push_back(to);
	}

	bool at_end() const
	{
		return at == text.size();
	}

	bool take(char c)
	{
		if (at_end() || text[at] != c)
			return false;
		at++;
		return true;
	}

	unsigned number()
	{
		unsigned n = 0;
		ok &= !at_end() && text[at] >= '0' && text[at] <= '9';
		while (!at_end() && text[at] >= '0' && text[at] <= '9' && n < 100)
			n = n * 10 + static_cast<unsigned>(text[at++] - '0');
		return n;
	}

	Part symbols(uint32_t set)
	{
		Part part{node(), node()};
		nodes[part.first].symbols = set;
		nodes[part.first].next = part.last;
		return part;
	}

	// "2-57": behind the bracket.
	uint32_t bracket()
	{
		uint32_t set = 0;
		while (ok && !take(']')) {
			unsigned from = digit(), to = take('-') ? digit() : from;
			for (unsigned d = from; ok && d <= to; d++)
				set |= 1u << d;
		}
		return set;
	}

	unsigned digit()
	{
		ok &= !at_end() && text[at] >= '0' && text[at] <= '9';
		return ok ? static_cast<unsigned>(text[at++] - '0') : 0;
	}

	Part atom()
	{
		static constexpr uint32_t ANY_DIGIT = (1u << 10) - 1;
		if (take('(')) {
			if (take('?'))
				ok &= take(':');
			Part part = choice();
			ok &= take(')');
			return part;
		}
		if (take('['))
			return symbols(bracket());
		if (take('$'))
			return symbols(1u << END);
		if (take('\\')) {
			ok &= take('d');
			return symbols(ANY_DIGIT);
		}
		return symbols(1u << digit());
	}

	// How often: least, and most (0: without end).
	void repeats(unsigned *least, unsigned *most)
	{
		*least = *most = 1;
		if (take('?')) {
			*least = 0;
		} else if (take('*')) {
			*least = *most = 0;
		} else if (take('+')) {
			*most = 0;
		} else if (take('{')) {
			*least = *most = number();
			if (take(','))
				*most = number();
			ok &= take('}') && *most >= *least && *most > 0;
		}
	}

	// An atom that is repeated is read again for each of its copies.
	Part repeated()
	{
		size_t from = at;
		unsigned least, most;
		Part part = atom();
		repeats(&least, &most);
		size_t behind = at;
		Part whole{node(), node()};
		int end = whole.first;
		for (unsigned i = 0; ok && i < std::max(std::max(least, most), 1u); i++) {
			if (i > 0) {
				at = from;
				part = atom();
			}
			if (i >= least)
				link(end, whole.last);
			link(end, part.first);
			end = part.last;
		}
		if (most == 0)
			link(part.last, part.first);
		link(end, whole.last);
		at = behind;
		return whole;
	}

	Part sequence()
	{
		Part whole{node(), 0};
		int end = whole.first;
		while (ok && !at_end() && text[at] != '|' && text[at] != ')') {
			Part part = repeated();
			link(end, part.first);
			end = part.last;
		}
		whole.last = end;
		return whole;
	}

	Part choice()
	{
		Part whole{node(), node()};
		do {
			Part part = sequence();
			link(whole.first, part.first);
			link(part.last, whole.last);
		} while (ok && take('|'));
		return whole;
	}
};

bool DigitMachine::add(const std::string &expression, unsigned bit)
{
	Parser parser{nodes, expression};
	Part whole = parser.choice();
	nodes[whole.last].accepts |= 1u << bit;
	starts.push_back(whole.first);
	return parser.ok && parser.at_end();
}

void DigitMachine::build()
{
	std::map<std::vector<int>, uint16_t> known;
	std::vector<std::vector<int>> sets;

	auto state_of = [&](std::vector<int> set) -> uint16_t {
		for (size_t i = 0; i < set.size(); i++) // closure over empty links
			for (int to : nodes[set[i]].empty)
				if (std::find(set.begin(), set.end(), to) == set.end())
					set.push_back(to);
		std::sort(set.begin(), set.end());
		auto [it, is_new] = known.emplace(set, static_cast<uint16_t>(sets.size()));
		if (is_new) {
			states.emplace_back();
			for (int n : set)
				states.back().accepts |= nodes[n].accepts;
			sets.push_back(set);
		}
		return it->second;
	};

	state_of({});
	state_of(starts);
	for (size_t i = 1; i < sets.size(); i++)
		for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
			std::vector<int> reached;
			for (int n : sets[i])
				if (nodes[n].symbols >> symbol & 1)
					reached.push_back(nodes[n].next);
			uint16_t next = state_of(std::move(reached));
			states[i].next[symbol] = next;
		}
	nodes.clear();
	nodes.shrink_to_fit();
}

uint32_t DigitMachine::match(std::string_view digits) const
{
	uint16_t state = 1;
	for (char c : digits)
		state = states[state].next[c - '0'];
	return states[state].accepts | states[states[state].next[END]].accepts;
}

size_t DigitMachine::match_front(std::string_view digits) const
{
	uint16_t state = 1;
	size_t found = states[state].accepts & 1 ? AMBIGUOUS : 0; // of nothing: we need not know
	for (size_t i = 0; i <= digits.size() && state; i++) {
		unsigned symbol = i < digits.size() ? static_cast<unsigned>(digits[i] - '0') : END;
		state = states[state].next[symbol];
		if (states[state].accepts & 1)
			found = found ? AMBIGUOUS : std::min(i + 1, digits.size());
	}
	return found;
}
