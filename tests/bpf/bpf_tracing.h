/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for <bpf/bpf_tracing.h>, of which the programs use nothing that is not plain C. */
#ifndef LPROF_TESTS_BPF_TRACING_H
#define LPROF_TESTS_BPF_TRACING_H

#endif
