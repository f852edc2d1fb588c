// SPDX-License-Identifier: GPL-2.0-or-later
// C++20 coroutines: generators, exceptions out of them, chains that resume one another, and some
// destroyed half-way or resumed by another thread.
#include <coroutine>
#include <exception>
#include <thread>
#include <utility>

#include "torture.h"

static unsigned long step_calls;
static long alive;

struct Generator {
	struct promise_type {
		int value = 0;
		std::exception_ptr failure;
		promise_type() { alive++; }
		~promise_type() { alive--; }
		Generator get_return_object()
		{
			return Generator{std::coroutine_handle<promise_type>::from_promise(*this)};
		}
		std::suspend_always initial_suspend() noexcept { return {}; }
		std::suspend_always final_suspend() noexcept { return {}; }
		std::suspend_always yield_value(int given) noexcept
		{
			value = given;
			return {};
		}
		void return_void() {}
		void unhandled_exception() { failure = std::current_exception(); }
	};
	std::coroutine_handle<promise_type> handle;
	explicit Generator(std::coroutine_handle<promise_type> given) : handle(given) {}
	Generator(Generator &&other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
	Generator(const Generator &) = delete;
	~Generator()
	{
		if (handle)
			handle.destroy();
	}
	bool next()
	{
		handle.resume();
		if (handle.promise().failure)
			std::rethrow_exception(std::exchange(handle.promise().failure, nullptr));
		return !handle.done();
	}
	int value() const { return handle.promise().value; }
};

MEASURED static int step(int value)
{
	step_calls++;
	if (value % 11 == 10)
		throw value;
	return value * 5 + 1;
}

static Generator count(int from, int to)
{
	for (int i = from; i < to; i++)
		co_yield step(i);
}

static Generator tree(int depth, int value)
{
	if (!depth) {
		co_yield step(value % 10);
		co_return;
	}
	for (int side = 0; side < 2; side++) {
		Generator below = tree(depth - 1, value * 2 + side);

		while (below.next())
			co_yield below.value();
	}
}

MEASURED static int drain(int from, int to)
{
	Generator numbers = count(from, to);
	int sum = 0;

	try {
		while (numbers.next())
			sum += numbers.value();
	} catch (int thrown) {
		sum += thrown;
	}
	return sum;
}

MEASURED static int abandon(int value)
{
	Generator numbers = count(0, 9);

	for (int i = 0; i < value % 5; i++)
		numbers.next();
	return numbers.value();
}

MEASURED static int walk(int depth)
{
	Generator leaves = tree(depth, 1);
	int sum = 0;

	while (leaves.next())
		sum += leaves.value();
	return sum;
}

/* Each half of a coroutine runs on another stack. */
MEASURED static int change_thread(void)
{
	Generator numbers = count(0, 6);
	int sum = 0;

	numbers.next();
	sum += numbers.value();
	std::thread([&] {
		numbers.next();
		sum += numbers.value();
	}).join();
	numbers.next();
	return sum + numbers.value();
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 40;

	for (long i = 0; i < rounds; i++) {
		int value = static_cast<int>(i % 100);

		torture_mix(drain(value % 10, value % 20));
		torture_mix(abandon(value));
		torture_mix(walk(value % 4));
		torture_mix(change_thread());
	}
	CHECK(alive == 0);
	torture_calls("step", step_calls);
	torture_calls("drain", rounds);
	torture_calls("walk", rounds);
	return torture_end();
}
