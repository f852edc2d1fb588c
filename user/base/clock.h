/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clocks, as one number. */
#ifndef LPROF_BASE_CLOCK_H
#define LPROF_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* In ns; for clocks that cannot fail, as those of the machine. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
