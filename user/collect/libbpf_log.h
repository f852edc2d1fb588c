/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libbpf says: for those who debug lprof (LPROF_DEBUG=1), never for its users. */
#ifndef LPROF_COLLECT_LIBBPF_LOG_H
#define LPROF_COLLECT_LIBBPF_LOG_H

/* Call before anything else of libbpf. */
void libbpf_log_init(void);

#endif
