// SPDX-License-Identifier: GPL-2.0-or-later
// C++ exceptions: caught near and far, rethrown, from destructors and constructors, through C
// callbacks, through tail calls, across threads.
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "torture.h"

static unsigned long thrower_calls, descend_calls, alive, tail_calls, comparisons, leaf_calls;

struct Guard {
	int value;
	explicit Guard(int given) : value(given) { alive++; }
	~Guard() { alive--; }
};

MEASURED static int leaf(int value)
{
	leaf_calls++;
	return value * 3 + 1;
}

MEASURED static int thrower(int value)
{
	Guard guard(value);

	thrower_calls++;
	if (value % 3 == 0)
		throw value;
	if (value % 3 == 1)
		throw std::runtime_error(std::to_string(value));
	return leaf(value);
}

MEASURED static int catch_near(int value)
{
	try {
		return thrower(value);
	} catch (int thrown) {
		return thrown + 1;
	} catch (const std::exception &error) {
		return std::stoi(error.what()) + 2;
	}
}

MEASURED static int descend(int depth, int value)
{
	Guard guard(depth);

	descend_calls++;
	if (!depth)
		return thrower(value);
	return descend(depth - 1, value) + guard.value;
}

MEASURED static int catch_far(int depth, int value)
{
	try {
		return descend(depth, value);
	} catch (...) {
		return depth + value;
	}
}

MEASURED static int rethrow(int depth, int value)
{
	try {
		return depth ? rethrow(depth - 1, value) : thrower(value);
	} catch (const std::runtime_error &) {
		throw;
	} catch (int thrown) {
		throw thrown + 1;
	}
}

MEASURED static int catch_rethrown(int value)
{
	try {
		return rethrow(5, value);
	} catch (const std::exception &error) {
		return std::stoi(error.what());
	} catch (int thrown) {
		return thrown;
	}
}

struct Bomb {
	int value;
	MEASURED ~Bomb() noexcept(false)
	{
		if (!std::uncaught_exceptions())
			throw value;
	}
};

MEASURED static int scope_with_bomb(int value)
{
	Bomb bomb{value};
	Guard guard(value);

	return leaf(value);
}

MEASURED static int catch_bomb(int value)
{
	try {
		return scope_with_bomb(value);
	} catch (int thrown) {
		return thrown * 2;
	}
}

struct Member {
	Guard guard;
	MEASURED explicit Member(int value) : guard(value)
	{
		if (value % 2)
			throw std::out_of_range("member");
	}
};

struct Holder {
	Member member;
	int result;
	MEASURED explicit Holder(int value)
	try : member(value), result(leaf(value)) {
	} catch (const std::out_of_range &) {
		throw std::logic_error("holder");
	}
};

MEASURED static int catch_constructor(int value)
{
	try {
		return Holder(value).result;
	} catch (const std::logic_error &) {
		return value;
	}
}

MEASURED static int compare(const void *left, const void *right)
{
	int a = *static_cast<const int *>(left), b = *static_cast<const int *>(right);

	comparisons++;
	if (a == 13 || b == 13)
		throw std::string("thirteen");
	return (a > b) - (a < b);
}

MEASURED static int through_c(int value)
{
	int numbers[16];

	for (int i = 0; i < 16; i++)
		numbers[i] = (value * 7 + i * 5) % 17;
	try {
		qsort(numbers, 16, sizeof(*numbers), compare);
		return numbers[7];
	} catch (const std::string &text) {
		return static_cast<int>(text.size());
	}
}

/* Without a call instruction, yet unwound through. */
MEASURED static int tail_into_thrower(int value)
{
	tail_calls++;
	return thrower(value);
}

static int (*volatile indirect)(int) = thrower;

MEASURED static int tail_indirect(int value)
{
	return indirect(value);
}

MEASURED static int catch_through_tail(int value)
{
	int result = 0;

	for (int way = 0; way < 2; way++) {
		try {
			result += way ? tail_indirect(value) : tail_into_thrower(value);
		} catch (int thrown) {
			result += thrown;
		} catch (const std::exception &) {
			result += 5;
		}
	}
	return result;
}

struct Base {
	virtual ~Base() = default;
	virtual int work(int value) = 0;
};

struct Derived : Base {
	MEASURED int work(int value) override { return std::function<int(int)>(thrower)(value); }
};

MEASURED static int catch_pointer(int value)
{
	std::exception_ptr kept;
	std::unique_ptr<Base> object = std::make_unique<Derived>();

	try {
		return object->work(value);
	} catch (...) {
		kept = std::current_exception();
	}
	try {
		std::rethrow_exception(kept);
	} catch (int thrown) {
		return thrown;
	} catch (const std::exception &error) {
		return static_cast<int>(std::string(error.what()).size());
	}
}

MEASURED static int catch_from_thread(int value)
{
	auto future = std::async(std::launch::async, [value] { return descend(4, value); });

	try {
		return future.get();
	} catch (int thrown) {
		return thrown;
	} catch (const std::exception &error) {
		return std::stoi(error.what());
	}
}

MEASURED static int throw_in_catch(int value)
{
	try {
		try {
			return thrower(value);
		} catch (...) {
			Guard guard(value);
			std::throw_with_nested(std::runtime_error("outer"));
		}
	} catch (const std::exception &outer) {
		try {
			std::rethrow_if_nested(outer);
		} catch (int inner) {
			return inner;
		} catch (const std::exception &inner) {
			return static_cast<int>(inner.what()[0]);
		}
	}
	return 0;
}

/* A frame that ends by cancellation, the other way to unwind. */
MEASURED static void *wait_for_cancellation(void *)
{
	Guard guard(1);

	for (;;)
		usleep(1000);
	return nullptr;
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 60;

	for (long i = 0; i < rounds; i++) {
		int value = static_cast<int>(i % 1000);

		torture_mix(catch_near(value));
		torture_mix(catch_far(static_cast<int>(i % 30), value));
		torture_mix(catch_rethrown(value));
		torture_mix(catch_bomb(value));
		torture_mix(catch_constructor(value));
		torture_mix(through_c(value));
		torture_mix(catch_through_tail(value));
		torture_mix(catch_pointer(value));
		torture_mix(throw_in_catch(value));
		if (i % 20 == 0)
			torture_mix(catch_from_thread(value));
		CHECK(alive == 0);
		if (i % 60 == 0) {
			pthread_t thread;

			CHECK(pthread_create(&thread, nullptr, wait_for_cancellation, nullptr) == 0);
			CHECK(pthread_cancel(thread) == 0);
			CHECK(pthread_join(thread, nullptr) == 0);
		}
	}
	CHECK(alive == 0);
	torture_calls("thrower", thrower_calls);
	torture_calls("descend", descend_calls);
	torture_calls("leaf", leaf_calls);
	torture_calls("compare", comparisons);
	torture_calls("tail_into_thrower", tail_calls);
	torture_calls("catch_near", rounds);
	torture_calls("rethrow", rounds * 6);
	return torture_end();
}
