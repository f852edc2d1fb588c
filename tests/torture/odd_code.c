// SPDX-License-Identifier: GPL-2.0-or-later
// Calls the functions of odd_code.S and checks what they return.
#include <string.h>

#include "torture.h"

#define EACH(ODD)              \
	ODD(odd_ret_imm)       \
	ODD(odd_call_first)    \
	ODD(odd_call_pop)      \
	ODD(odd_push_ret)      \
	ODD(odd_retpoline)     \
	ODD(odd_pop_jump)      \
	ODD(odd_front)         \
	ODD(odd_back)          \
	ODD(odd_fall)          \
	ODD(odd_fallen)        \
	ODD(odd_data)          \
	ODD(odd_prefixes)      \
	ODD(odd_flags)         \
	ODD(odd_stack_pointer) \
	ODD(odd_enter_leave)

#define DECLARE(name) uint64_t name(uint64_t);
EACH(DECLARE)
uint64_t odd_lock(uint64_t *counter, uint64_t more);
char *odd_repeat(char *to, int unused, int unused2, size_t count);
uint64_t odd_jrcxz(int, int, int, uint64_t);
uint64_t odd_loop_from(uint64_t count, uint64_t start);
uint64_t odd_loop_rcx(int, uint64_t start, int, uint64_t count);
void odd_ret(void);
void odd_rep_ret(void);
int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 120;
	uint64_t counter = 0;
	char text[64];

	for (long i = 0; i < rounds; i++) {
		uint64_t value = (uint64_t)i;

#define CALL(name) torture_mix(name(value));
		EACH(CALL)
		CHECK(odd_flags(value) == 1);
		CHECK(odd_call_pop(value) == value);
		CHECK(odd_lock(&counter, 1) == value);
		CHECK(odd_repeat(text, 0, 0, 40) == text + 40);
		CHECK(odd_jrcxz(0, 0, 0, value % 2) == value % 2 + 1);
		CHECK(odd_loop_from(5, value) == value + 15);
		CHECK(odd_loop_rcx(0, value, 0, 6) == value + 18);
		CHECK(odd_front(value) == value * 7 && odd_back(value) == (value + 1) * 7);
		CHECK(odd_fall(value) == (value + 2) * 3 && odd_data(value) == value + 9);
		odd_ret();
		odd_rep_ret();
	}
	torture_calls("odd_lock", (unsigned long)rounds);
	torture_calls("odd_ret", (unsigned long)rounds);
	torture_calls("odd_jrcxz", (unsigned long)rounds);
	torture_calls("odd_call_first", (unsigned long)rounds);
	torture_calls("odd_data", 2ul * (unsigned long)rounds);
	torture_calls("odd_flags", 2ul * (unsigned long)rounds);
	torture_calls("odd_pop_jump", (unsigned long)rounds);
	torture_calls("odd_prefixes", (unsigned long)rounds);
	torture_calls("odd_enter_leave", (unsigned long)rounds);
	torture_calls("odd_stack_pointer", (unsigned long)rounds);
	return torture_end();
}
