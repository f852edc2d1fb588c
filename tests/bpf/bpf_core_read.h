/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for <bpf/bpf_core_read.h>: kernel types are the test's own, so fields are just read. */
#ifndef LPROF_TESTS_BPF_CORE_READ_H
#define LPROF_TESTS_BPF_CORE_READ_H

#define preserve_access_index /* as an attribute, it means something to the BPF target only */

#define bpf_core_field_exists(field) true

#define CORE_READ_1(source, a)         ((source)->a)
#define CORE_READ_2(source, a, b)      ((source)->a->b)
#define CORE_READ_PICK(_1, _2, c, ...) c
#define BPF_CORE_READ(source, ...) \
	CORE_READ_PICK(__VA_ARGS__, CORE_READ_2, CORE_READ_1, )(source, __VA_ARGS__)

#endif
