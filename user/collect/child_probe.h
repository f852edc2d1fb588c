/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel does to a process that hits a probe, found out on children of lprof's own. */
#ifndef LPROF_COLLECT_CHILD_PROBE_H
#define LPROF_COLLECT_CHILD_PROBE_H

/* Does it emulate NOPs of several bytes? 0; -ENOTSUP: it steps them; else: could not be tried. */
int child_probe_nops(void);

/*
 * Does a process under seccomp survive a return probe? 0; -EPERM: it is killed (6.11 to 6.12.13 and
 * 6.13.2: the trampoline's system call is filtered like any other); else: could not be tried.
 */
int child_probe_seccomp(void);

#endif
