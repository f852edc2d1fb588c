/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What programs say on stderr: one line a message, "lprof: ..." in front. */
#ifndef LPROF_BASE_LOG_H
#define LPROF_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTE, LOG_LEVEL_DEBUG };

/* Messages above `level` are dropped; `program` is put in front. LPROF_DEBUG=1 raises it to DEBUG.
 */
void log_init(const char *program, enum log_level level);

void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_note(...)    log_message(LOG_LEVEL_NOTE, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
