// SPDX-License-Identifier: GPL-2.0-or-later
// Hands a byte to another process and waits for it to come back, so often: hand_over() is off the
// CPU for most of its one call, some microseconds at a time.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline)) static long hand_over(long times, int out, int in)
{
	long back = 0;
	char byte = 'x';

	while (times-- && write(out, &byte, 1) == 1 && read(in, &byte, 1) == 1)
		back++;
	return back;
}

int main(int argc, char **argv)
{
	int there[2], back[2];

	if (argc < 2 || pipe(there) || pipe(back))
		return 2;
	if (!fork()) {
		char byte;

		close(there[1]);
		while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(there[0]);
	printf("%ld\n", hand_over(atol(argv[1]), there[1], back[0]));
	return 0;
}
