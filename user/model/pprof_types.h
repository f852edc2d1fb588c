/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The types of samples' values in pprof files of lprof's, in their order: TYPE(id, unit). */
#ifndef LPROF_MODEL_PPROF_TYPES_H
#define LPROF_MODEL_PPROF_TYPES_H

#define PPROF_VALUE_TYPES(TYPE)      \
	TYPE(calls, "count")         \
	TYPE(hits, "count")          \
	TYPE(wall, "nanoseconds")    \
	TYPE(self, "nanoseconds")    \
	TYPE(cpu, "nanoseconds")     \
	TYPE(blocked, "nanoseconds") \
	TYPE(waiting, "nanoseconds")

#endif
