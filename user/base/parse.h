/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people type as values: strict, the whole text or nothing. Each gives 0 or -EINVAL (-ERANGE
 * for a number beyond the bounds), and leaves the result untouched on failure. Callers know the
 * option's name, so the sentence is theirs.
 */
#ifndef LPROF_BASE_PARSE_H
#define LPROF_BASE_PARSE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"

/* Decimal digits only, low <= value <= high. */
int parse_integer(const char *text, uint64_t low, uint64_t high, uint64_t *ret_value);

/* Digits with at most one point: "0.25", ".5", "2". No sign, no exponent; low <= value <= high. */
int parse_decimal(const char *text, double low, double high, double *ret_value);

/* A share, 0.0 to 1.0. */
int parse_rate(const char *text, double *ret_rate);

/* "2", "0.5" or "2%": more than 0, at most 100 a CPU (up to 100000). */
int parse_percent(const char *text, double *ret_percent);

/* "500ms", "10s", "1.5m", "1h", also "us" and "ns"; a number alone is seconds. More than 0. */
int parse_duration(const char *text, uint64_t *ret_ns);

/* "4096", "64K", "1.5M", "2G": bytes, in powers of 1,024; more than 0. */
int parse_size(const char *text, uint64_t *ret_bytes);

typedef ARRAY(pid_t) pid_array;

/* "12" or "12,34": appends each process id to `pids`, once; on failure `pids` is as before.
 * -ENOMEM is possible. */
int parse_pids(const char *text, pid_array *pids);

#endif
