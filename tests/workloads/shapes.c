// SPDX-License-Identifier: GPL-2.0-or-later
// A fixed job whose functions have the shapes that compilers rework most: loops of each kind,
// switches, recursion, inlined helpers, constant arguments, function pointers, tail calls. The same
// argument gives the same output and the same instructions. Usage: shapes [SCALE]
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

struct node {
	struct node *left, *right;
	uint32_t key;
	uint32_t count;
};

static uint32_t state = 12345;
static uint64_t checksum;

static inline uint32_t rotate(uint32_t value, int by)
{
	return value << by | value >> (32 - by);
}

static uint32_t next_random(uint32_t limit)
{
	state = state * 1103515245u + 12345u;
	state = rotate(state, 7);
	return state % limit;
}

static inline void check(uint64_t value)
{
	checksum *= 31;
	checksum += value;
}

/* Loops that get vectorised, unrolled and versioned. */
NOINLINE uint32_t sum_array(const uint32_t *array, size_t count)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += array[i];
	return sum;
}

NOINLINE void scale_array(float *restrict to, const float *restrict from, int count, float factor)
{
	for (int i = 0; i < count; i++)
		to[i] = from[i] * factor;
}

NOINLINE size_t count_words(const char *text)
{
	size_t words = 0;
	bool inside = false;

	while (*text) {
		bool letter = *text != ' ' && *text != '\n';

		if (letter && !inside)
			words++;
		inside = letter;
		text++;
	}
	return words;
}

/* A loop whose body is left early in each of the ways. */
NOINLINE int find_prime(int from)
{
	int divisor;

	do {
		from++;
		if (from % 2 == 0)
			continue;
		for (divisor = 3; divisor * divisor <= from; divisor += 2) {
			if (from % divisor == 0)
				break;
		}
		if (divisor * divisor > from)
			return from;
	} while (from < 100000);
	return -1;
}

NOINLINE void multiply(double to[6][6], double left[6][6], double right[6][6])
{
	for (int row = 0; row < 6; row++) {
		for (int column = 0; column < 6; column++) {
			double sum = 0;

			for (int at = 0; at < 6; at++)
				sum += left[row][at] * right[at][column];
			to[row][column] = sum;
		}
	}
}

/* Recursion: deep, double, mutual, and of the kind that becomes a loop. */
static uint32_t fibonacci(uint32_t n)
{
	if (n < 2)
		return n;
	return fibonacci(n - 1) + fibonacci(n - 2);
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	if (b == 0)
		return a;
	return gcd(b, a % b);
}

static bool is_odd(uint32_t n);

NOINLINE bool is_even(uint32_t n)
{
	if (n == 0)
		return true;
	return is_odd(n - 1);
}

NOINLINE bool is_odd(uint32_t n)
{
	if (n == 0)
		return false;
	return is_even(n - 1);
}

static struct node *insert(struct node *node, uint32_t key)
{
	if (!node) {
		node = calloc(1, sizeof(*node));
		node->key = key;
		node->count = 1;
		return node;
	}
	if (key < node->key)
		node->left = insert(node->left, key);
	else if (key > node->key)
		node->right = insert(node->right, key);
	else
		node->count++;
	return node;
}

static void walk(const struct node *node, int depth, void (*visit)(const struct node *, int))
{
	if (!node)
		return;
	walk(node->left, depth + 1, visit);
	visit(node, depth);
	walk(node->right, depth + 1, visit);
}

static void visit_sum(const struct node *node, int depth)
{
	check(node->key * 7 + node->count);
	check((uint64_t)depth);
}

static void destroy(struct node *node)
{
	if (!node)
		return;
	destroy(node->left);
	destroy(node->right);
	free(node);
}

/* A dense switch becomes a jump table, a sparse one a tree, a small one conditional moves. */
enum operation { PUSH, ADD, SUBTRACT, MULTIPLY, SWAP, DUPLICATE, DROP, JUMP_UNLESS, HALT };

NOINLINE uint32_t interpret(const uint8_t *code)
{
	uint32_t stack[16] = {0}, top = 0, kept;

	for (;;) {
		switch (*code++) {
		case PUSH:
			stack[++top] = *code++;
			break;
		case ADD:
			stack[top - 1] += stack[top];
			top--;
			break;
		case SUBTRACT:
			stack[top - 1] -= stack[top];
			top--;
			break;
		case MULTIPLY:
			stack[top - 1] *= stack[top];
			top--;
			break;
		case SWAP:
			kept = stack[top];
			stack[top] = stack[top - 1];
			stack[top - 1] = kept;
			break;
		case DUPLICATE:
			stack[top + 1] = stack[top];
			top++;
			break;
		case DROP:
			top--;
			break;
		case JUMP_UNLESS:
			code += stack[top] ? 1 : *code;
			break;
		default:
			return stack[top];
		}
	}
}

NOINLINE const char *name_status(int status)
{
	switch (status) {
	case 200:
		return "ok";
	case 301:
	case 302:
		return "moved";
	case 404:
		return "not found";
	case 500:
		check(500);
		return "failed";
	default:
		return status < 300 ? "fine" : "unknown";
	}
}

/* Function pointers and tail calls. */
static uint32_t add_one(uint32_t value)
{
	return value + 1;
}

static uint32_t twice(uint32_t value)
{
	return value * 2;
}

NOINLINE uint32_t invert(uint32_t value)
{
	return ~value;
}

typedef uint32_t transform(uint32_t);

NOINLINE uint32_t apply(transform *function, uint32_t value)
{
	return function(value);
}

NOINLINE uint32_t apply_checked(transform *function, uint32_t value)
{
	if (!function)
		return 0;
	check(value);
	return apply(function, value);
}

/* Copies with constant arguments, a part split off behind an early return, a cold part. */
static NOINLINE uint32_t hash_bytes(const char *bytes, size_t length, uint32_t seed, bool fold)
{
	uint32_t hash = seed;

	for (size_t i = 0; i < length; i++) {
		hash ^= (uint8_t)bytes[i];
		hash *= 16777619u;
		if (fold)
			hash ^= hash >> 15;
	}
	return hash;
}

static void remember(uint32_t value)
{
	static uint32_t kept[64];
	static size_t used;

	if (value & 1)
		return;
	if (used == 64) {
		check(sum_array(kept, used));
		used = 0;
	}
	kept[used] = value;
	used++;
	check(used);
}

NOINLINE int compare_keys(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	if (a < b)
		return -1;
	return a > b;
}

__attribute__((cold)) NOINLINE void complain(int value)
{
	check((uint64_t)value);
}

NOINLINE int guard(int value)
{
	if (__builtin_expect(value < 0, 0)) {
		complain(value);
		value = -value;
	}
	return value + 1;
}

static void work_on_arrays(void)
{
	uint32_t keys[50];
	float from[37], to[37];

	for (size_t i = 0; i < 50; i++)
		keys[i] = next_random(1000);
	qsort(keys, 50, sizeof(keys[0]), compare_keys);
	check(sum_array(keys, 50));
	check(sum_array(keys, 3));
	for (int i = 0; i < 37; i++)
		from[i] = (float)(i + 1);
	scale_array(to, from, 37, 0.5f);
	check((uint64_t)to[36]);
}

static void work_on_trees(void)
{
	struct node *root = NULL;

	for (int i = 0; i < 60; i++)
		root = insert(root, next_random(40));
	walk(root, 0, visit_sum);
	destroy(root);
}

static void work_on_matrices(void)
{
	double left[6][6], right[6][6], to[6][6];

	for (int i = 0; i < 36; i++) {
		left[i / 6][i % 6] = next_random(10);
		right[i / 6][i % 6] = next_random(10);
	}
	multiply(to, left, right);
	check((uint64_t)to[5][5]);
}

static void work_on_code(void)
{
	/* Counts down from 9, multiplying. */
	static const uint8_t code[] = {PUSH, 3, PUSH, 9, SWAP, PUSH, 2, ADD, DUPLICATE, DROP, SWAP,
	    JUMP_UNLESS, 2, MULTIPLY, HALT};
	static const int statuses[] = {200, 201, 301, 302, 404, 500, 999};

	check(interpret(code));
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		check(strlen(name_status(statuses[i])));
}

static void work_on_calls(uint32_t round)
{
	static transform *const transforms[] = {add_one, twice, invert, NULL};

	for (uint32_t i = 0; i < 12; i++)
		check(apply_checked(transforms[(i + round) % 4], i));
	for (int i = -2; i < 9; i++)
		check((uint64_t)guard(i));
}

static void work_on_text(void)
{
	static const char text[] = "the quick brown fox  jumps\nover the lazy dog ";

	check(count_words(text));
	check(hash_bytes(text, sizeof(text) - 1, 2166136261u, false));
	check(hash_bytes(text, 7, 2166136261u, true));
	for (uint32_t i = 0; i < 100; i++)
		remember(next_random(100));
}

int main(int argc, char **argv)
{
	uint32_t scale = argc > 1 ? (uint32_t)atoi(argv[1]) : 3;

	for (uint32_t round = 0; round < scale; round++) {
		work_on_arrays();
		work_on_trees();
		work_on_matrices();
		work_on_code();
		work_on_calls(round);
		work_on_text();
		check(fibonacci(10));
		check(gcd(1071 + round, 462));
		check(is_even(101 + round));
		check((uint64_t)find_prime(200 + (int)round));
	}
	printf("shapes: %016llx\n", (unsigned long long)checksum);
	return 0;
}
