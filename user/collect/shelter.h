/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs what SIGKILL must not interrupt.
 *
 * A fatal signal that arrives while a process is inside the kernel setting or removing probes makes
 * the kernel give up half-way ("failed to unregister, leaking uprobe"): breakpoints stay in the
 * target, hit for nothing until it ends. A process that is ending already is not interrupted, so
 * being killed at any other moment does no harm. Therefore both are done by a child that shares our
 * memory and descriptors, as after vfork(), in a session of its own. If we are killed meanwhile, it
 * finishes its work and ends, and the descriptors, links among them, end with it.
 */
#ifndef LPROF_COLLECT_SHELTER_H
#define LPROF_COLLECT_SHELTER_H

#include <stddef.h>

/* What `function(argument)` returns. It must not depend on being this very process (getpid). */
int shelter_call(int (*function)(void *), void *argument);

/*
 * Closes links, at once as many as is good: the kernel lets each wait for all programs that run,
 * but waits of several at a time are over together.
 */
void shelter_close(const int *descriptors, size_t count);

#endif
