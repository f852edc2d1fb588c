/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in the form that files keep them in. */
#ifndef LPROF_CONTROL_PUSH_NAMES_H
#define LPROF_CONTROL_PUSH_NAMES_H

#include "model/profile.h"

/*
 * Replaces malformed UTF-8 in what functions, lines, frames and images are known by, as writing it
 * to a file does: after a restart what was told is read from one, and must find its rows again. 0
 * or -ENOMEM.
 */
int push_names_settle(struct profile *profile);

#endif
