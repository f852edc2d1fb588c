/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for libbpf's <bpf/bpf_helpers.h> where BPF source is compiled natively: tests/ is on
 * the include path, so that this folder's headers are the <bpf/...> of every program here.
 */
#ifndef LPROF_TESTS_BPF_HELPERS_H
#define LPROF_TESTS_BPF_HELPERS_H

#define __uint(name, value)    int(*name)[value]
#define __type(name, type_of)  __typeof__(type_of) *name
#define __array(name, type_of) __typeof__(type_of) *name[]
#define SEC(name)              __attribute__((unused))

#undef __always_inline
#define __always_inline  inline __attribute__((always_inline))
#define __noinline       __attribute__((noinline))
#define barrier_var(var) __asm__ volatile("" : "+r"(var))

#include "native/kernel.h"

#endif
