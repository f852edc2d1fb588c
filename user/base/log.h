/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What programs say on stderr: one line a message, "lprof: ..." in front. */
#ifndef LPROF_BASE_LOG_H
#define LPROF_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTE, LOG_LEVEL_DEBUG };

/* Messages above `level` are dropped; `program` is put in front. LPROF_DEBUG=1 raises it to DEBUG.
 */
void log_init(const char *program, enum log_level level);

/*
 * Has messages handed to `writer` instead, without what stands in front of them on stderr; `probe`
 * is the one it is about, 0: none. NULL: to stderr again.
 */
typedef void log_writer(enum log_level level, uint64_t probe, const char *text);
void log_set_writer(log_writer *writer);

void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* About a probe of lprofd, which stands in front: "probe 12: ...". */
void log_probe(enum log_level level, uint64_t probe, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_note(...)    log_message(LOG_LEVEL_NOTE, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
