// SPDX-License-Identifier: GPL-2.0-or-later
// A fixed job of C++'s shapes: templates, virtual calls, lambdas, containers, constructors and
// destructors, exceptions through several frames. The same argument gives the same output and the
// same instructions. Usage: objects [SCALE]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline))

static uint64_t checksum;

static inline void check(uint64_t value)
{
	checksum *= 31;
	checksum += value;
}

namespace shapes
{

class Shape
{
      public:
	explicit Shape(int size) : size(size)
	{
		check(static_cast<uint64_t>(size));
	}
	virtual ~Shape()
	{
		check(1);
	}
	virtual int area() const = 0;
	int doubled() const
	{
		return area() * 2;
	}

      protected:
	int size;
};

class Square : public Shape
{
      public:
	using Shape::Shape;
	int area() const override
	{
		return size * size;
	}
};

class Strip : public Shape
{
      public:
	explicit Strip(int size) : Shape(size), width(2)
	{
	}
	~Strip() override
	{
		check(static_cast<uint64_t>(width));
	}
	int area() const override
	{
		return size * width;
	}

      private:
	int width;
};

} // namespace shapes

template <typename T> NOINLINE T largest(const std::vector<T> &values)
{
	T best = values.front();

	for (const T &value : values) {
		if (best < value)
			best = value;
	}
	return best;
}

template <typename T, int N> class Ring
{
      public:
	void push(T value)
	{
		items[at] = value;
		at = (at + 1) % N;
	}
	T sum() const
	{
		T total = 0;

		for (const T &item : items)
			total += item;
		return total;
	}

      private:
	T items[N] = {};
	int at = 0;
};

struct Guard {
	explicit Guard(int value) : value(value)
	{
	}
	~Guard()
	{
		check(static_cast<uint64_t>(value));
	}
	int value;
};

NOINLINE int parse_digit(char letter)
{
	if (letter < '0' || letter > '9')
		throw std::invalid_argument("not a digit");
	return letter - '0';
}

NOINLINE int parse_number(const std::string &text)
{
	Guard guard(static_cast<int>(text.size()));
	int value = 0;

	for (char letter : text)
		value = value * 10 + parse_digit(letter);
	if (value > 500)
		throw value;
	return value;
}

NOINLINE int parse_or(const std::string &text, int otherwise)
{
	try {
		return parse_number(text);
	} catch (const std::invalid_argument &) {
		check(2);
		return otherwise;
	}
}

NOINLINE int parse_list(const std::vector<std::string> &texts)
{
	int total = 0;

	for (const std::string &text : texts) {
		try {
			total += parse_or(text, 7);
		} catch (int value) {
			total -= value;
		}
	}
	return total;
}

NOINLINE void work_on_shapes(int round)
{
	std::vector<std::unique_ptr<shapes::Shape>> all;

	for (int i = 1; i < 9; i++) {
		if ((i + round) % 3)
			all.push_back(std::make_unique<shapes::Square>(i));
		else
			all.push_back(std::make_unique<shapes::Strip>(i));
	}
	for (const auto &shape : all)
		check(static_cast<uint64_t>(shape->doubled()));
}

NOINLINE void work_on_templates(int round)
{
	std::vector<int> numbers;
	std::vector<double> fractions;
	Ring<int, 5> ring;
	Ring<long, 3> other;

	for (int i = 0; i < 20; i++) {
		numbers.push_back((i * 7 + round) % 20);
		fractions.push_back(i / 4.0);
		ring.push(i);
		other.push(i * round);
	}
	std::sort(numbers.begin(), numbers.end(), [](int a, int b) { return a > b; });
	check(static_cast<uint64_t>(largest(numbers)));
	check(static_cast<uint64_t>(largest(fractions)));
	check(static_cast<uint64_t>(ring.sum()));
	check(static_cast<uint64_t>(other.sum()));
	check(static_cast<uint64_t>(numbers[3]));
}

NOINLINE void work_on_maps(int round)
{
	std::map<std::string, int> counts;
	const char *words[] = {"one", "two", "three", "two", "one", "six"};

	for (const char *word : words)
		counts[word] += round + 1;
	for (const auto &entry : counts)
		check(static_cast<uint64_t>(entry.second) + entry.first.size());
}

int main(int argc, char **argv)
{
	const int scale = argc > 1 ? std::atoi(argv[1]) : 3;

	for (int round = 0; round < scale; round++) {
		work_on_shapes(round);
		work_on_templates(round);
		work_on_maps(round);
		check(static_cast<uint64_t>(parse_list({"12", "x", "77", "501", "4y", "999"})));
	}
	std::printf("objects: %016llx\n", static_cast<unsigned long long>(checksum));
	return 0;
}
