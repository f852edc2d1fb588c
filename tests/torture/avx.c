// SPDX-License-Identifier: GPL-2.0-or-later
// AVX and AVX2 code: instructions that the kernel refuses to probe, and vector state over probes.
#include <immintrin.h>
#include <string.h>

#include "torture.h"

#define AVX2 __attribute__((target("avx2"))) MEASURED

static unsigned long sum_calls;

AVX2 static __m256i mix(__m256i left, __m256i right)
{
	__m256i both = _mm256_xor_si256(left, right);

	both = _mm256_add_epi64(both, _mm256_slli_epi64(right, 7));
	return _mm256_sub_epi64(both, _mm256_srli_epi64(left, 3));
}

AVX2 static uint64_t sum(const uint64_t *values, int count)
{
	__m256i total = _mm256_setzero_si256();
	uint64_t lanes[4] __attribute__((aligned(32)));

	sum_calls++;
	for (int i = 0; i + 4 <= count; i += 4)
		total = mix(total, _mm256_loadu_si256((const __m256i *)(values + i)));
	_mm256_store_si256((__m256i *)lanes, total);
	return lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3];
}

AVX2 static double dot(const double *left, const double *right, int count)
{
	__m256d total = _mm256_setzero_pd();
	double lanes[4];

	for (int i = 0; i + 4 <= count; i += 4)
		total = _mm256_add_pd(
		    total, _mm256_mul_pd(_mm256_loadu_pd(left + i), _mm256_loadu_pd(right + i)));
	_mm256_storeu_pd(lanes, total);
	return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

/* Whatever stands in the vector registers must be there still after each probe. */
AVX2 static int keeps_registers(uint64_t value)
{
	uint64_t out[8];

	__asm__ volatile("vmovq %1, %%xmm15\n\t"
			 "vpbroadcastq %%xmm15, %%ymm15\n\t"
			 "vpxor %%ymm14, %%ymm14, %%ymm14\n\t"
			 "vpaddq %%ymm15, %%ymm14, %%ymm14\n\t"
			 "vmovdqa %%ymm14, %%ymm13\n\t"
			 "vmovdqu %%ymm13, (%0)\n\t"
			 "vmovdqu (%0), %%ymm12\n\t"
			 "vpxor %%ymm12, %%ymm15, %%ymm11\n\t"
			 "vmovdqu %%ymm11, 32(%0)\n\t"
			 "vzeroupper\n\t"
			 :
			 : "r"(out), "r"(value)
			 : "memory", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return out[0] == value && out[3] == value && !out[4] && !out[7];
}

/*
 * Opcodes that, in instructions of one byte, are branches, returns or popf: each at the start of a
 * function. What they leave in ymm0 goes to *to.
 */
#define FIRST(name, instruction)                                                \
	void name(uint64_t *to);                                                \
	__asm__(".text\n.type " #name ", @function\n" #name ":\n\t" instruction \
		"\n\tvmovdqu %ymm0, (%rdi)\n\tret\n.size " #name ", .-" #name "\n");
#define EACH_FIRST(ONE)                                   \
	ONE(first_70, "vpshufd $0x1b, %ymm1, %ymm0")      \
	ONE(first_73, "vpsrlq $3, %ymm1, %ymm0")          \
	ONE(first_74, "vpcmpeqb %ymm1, %ymm1, %ymm0")     \
	ONE(first_77, "vzeroupper")                       \
	ONE(first_7e, "vmovq %xmm1, %xmm0")               \
	ONE(first_eb, "vpor %ymm1, %ymm1, %ymm0")         \
	ONE(first_e8, "vpsubsb %ymm2, %ymm1, %ymm0")      \
	ONE(first_e9, "vpsubsw %ymm2, %ymm1, %ymm0")      \
	ONE(first_c2, "vcmppd $0, %ymm1, %ymm1, %ymm0")   \
	ONE(first_9d, "vfnmadd132sd %xmm1, %xmm1, %xmm0") \
	ONE(first_6f, "vmovdqa %ymm1, %ymm0")             \
	ONE(first_58, "vaddpd %ymm1, %ymm1, %ymm0")       \
	ONE(first_0f, "vpalignr $1, %ymm1, %ymm2, %ymm0")
EACH_FIRST(FIRST)

AVX2 static void call_first(void (*function)(uint64_t *))
{
	uint64_t out[4] = {0};

	__asm__ volatile("vmovq %2, %%xmm1\n\tvpbroadcastq %%xmm1, %%ymm1\n\t"
			 "vpsllw $2, %%ymm1, %%ymm2\n\tvpxor %%ymm0, %%ymm0, %%ymm0\n\t"
			 "leaq -128(%%rsp), %%rsp\n\tcall *%1\n\t" /* calls end red zones */
			 "leaq 128(%%rsp), %%rsp\n\tvzeroupper"
			 :
			 : "D"(out), "r"(function), "r"(0x3ff4567811223344u)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2");
	for (int at = 0; at < 4; at++)
		torture_mix(out[at]);
}

AVX2 static int order(double left, double right)
{
	int result;

	__asm__ volatile("vcomisd %2, %1\n\tseta %b0\n\tmovzbl %b0, %0"
			 : "=q"(result)
			 : "x"(left), "x"(right)
			 : "cc");
	return result;
}

int main(int argc, char **argv)
{
	long rounds = torture_rounds(argc, argv) * 80;
	uint64_t values[32];
	double numbers[32];

	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		return 77;
	for (long i = 0; i < rounds; i++) {
		uint64_t bits;
		double result;

		for (int at = 0; at < 32; at++) {
			values[at] = (uint64_t)(i * 31 + at);
			numbers[at] = (double)(i % 100) / 7.0 + at;
		}
		torture_mix(sum(values, 32));
		result = dot(numbers, numbers, 32);
		memcpy(&bits, &result, sizeof(bits));
		torture_mix(bits);
#define CALL_FIRST(name, instruction) call_first(name);
		EACH_FIRST(CALL_FIRST)
		CHECK(keeps_registers((uint64_t)i));
		CHECK(order((double)i, 5.5) == (i > 5));
	}
	torture_calls("sum", sum_calls);
	torture_calls("mix", sum_calls * 8);
	torture_calls("dot", (unsigned long)rounds);
	torture_calls("first_eb", (unsigned long)rounds);
	torture_calls("first_9d", (unsigned long)rounds);
	torture_calls("keeps_registers", (unsigned long)rounds);
	return torture_end();
}
