/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership inside one function: an owner is declared with CLEANUP(free function) and handed over
 * with TAKE. Free functions accept NULL.
 */
#ifndef LPROF_BASE_CLEANUP_H
#define LPROF_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* `function` takes a pointer to the variable. */
#define CLEANUP(function) __attribute__((cleanup(function)))

/* Defines function_p(type **) for CLEANUP from function(type *). */
#define DEFINE_CLEANUP(type, function)                 \
	static inline void function##_p(type *pointer) \
	{                                              \
		function(*pointer);                    \
	}

/* Gives the pointer's value away and leaves NULL behind. */
#define TAKE(pointer)                                   \
	({                                              \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

/* Gives the descriptor away and leaves -1 behind. */
#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclose(FILE *const *file)
{
	if (*file)
		fclose(*file);
}

#define CLEANUP_FREE  CLEANUP(cleanup_free)
#define CLEANUP_CLOSE CLEANUP(cleanup_close)

#endif
