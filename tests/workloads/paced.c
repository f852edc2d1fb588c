// SPDX-License-Identifier: GPL-2.0-or-later
// Calls its functions once for each byte on stdin: one that sleeps, and one with a name beyond
// ASCII. For views.
#include <stdio.h>
#include <unistd.h>

volatile unsigned long sink;

__attribute__((noinline)) static unsigned long größe(unsigned count)
{
	unsigned long sum = 0; /* ünïcödé ← 漢字 */

	for (unsigned i = 0; i < count; i++)
		sum += i ^ sink;
	return sum;
}

__attribute__((noinline)) static void sleeper(void)
{
	sink += größe(3);
	usleep(20000);
	sink += größe(7);
}

int main(void)
{
	while (getchar() != EOF)
		sleeper();
	return 0;
}
