/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lprofd's configuration: /etc/lprof/lprofd.conf, and a probe in each file of /etc/lprof/probes.d.
 * A key that is not known or a value that is not understood is refused, with file and line.
 *
 *	[lprofd]				[probe]
 *	file = line_profile_stats.lprof		image = /usr/sbin/nginx
 *	snapshot_interval = 10m			function = ngx_http_*
 *						rate = 0.1
 */
#ifndef LPROF_CONTROL_CONFIG_H
#define LPROF_CONTROL_CONFIG_H

#include <stdint.h>

#include "base/failure.h"
#include "control/request.h"

#define CONFIG_PATH   "/etc/lprof/lprofd.conf"
#define CONFIG_PROBES "/etc/lprof/probes.d"

/* KEY(name, kind, default, lowest, highest): TEXT, NUMBER, DURATION ("10m"), SIZE ("64M") or
 * PERCENT */
#define CONFIG_KEYS(KEY)                                    \
	KEY(socket, TEXT, "/run/lprofd/control.sock", 0, 0) \
	KEY(group, TEXT, "lprof", 0, 0)                     \
	KEY(pins, TEXT, "/sys/fs/bpf/lprofd", 0, 0)         \
	KEY(file, TEXT, "line_profile_stats.lprof", 0, 0)   \
	KEY(clients, NUMBER, "128", 1, 10000)               \
	KEY(user_clients, NUMBER, "32", 1, 10000)           \
	KEY(calls_per_second, NUMBER, "200", 1, 100000)     \
	KEY(functions, NUMBER, "4096", 1, 1000000)          \
	KEY(sites, NUMBER, "65536", 1, 16000000)            \
	KEY(lines, NUMBER, "32768", 1, 16000000)            \
	KEY(callers, NUMBER, "16384", 16, 16000000)         \
	KEY(budget, PERCENT, "2", 0, 0)                     \
	KEY(budget_total, PERCENT, "10", 0, 0)              \
	KEY(snapshot_interval, DURATION, "0s", 0, 0)        \
	KEY(snapshots, NUMBER, "8", 1, 1000)                \
	KEY(snapshot_bytes, SIZE, "256M", 0, 0)             \
	KEY(metrics_address, TEXT, "127.0.0.1", 0, 0)       \
	KEY(metrics_port, NUMBER, "9960", 0, 65535)         \
	KEY(metrics_lines, NUMBER, "20", 0, 100000)         \
	KEY(metrics_sampled, NUMBER, "100", 0, 100000)      \
	KEY(push_url, TEXT, "", 0, 0)                       \
	KEY(push_interval, DURATION, "1m", 0, 0)            \
	KEY(push_timeout, DURATION, "30s", 0, 0)            \
	KEY(push_labels, TEXT, "", 0, 0)                    \
	KEY(push_token_file, TEXT, "", 0, 0)                \
	KEY(push_password_file, TEXT, "", 0, 0)             \
	KEY(push_ca_file, TEXT, "", 0, 0)                   \
	KEY(push_spool_bytes, SIZE, "64M", 0, 0)

enum config_key {
#define KEY(name, kind, standard, low, high) CONFIG_##name,
	CONFIG_KEYS(KEY)
#undef KEY
	    CONFIG_COUNT
};

struct config {
	char *texts[CONFIG_COUNT]; /* of TEXT keys, owned */
	/* of the others; durations in ns, sizes in bytes, percentages in millionths of a percent */
	uint64_t numbers[CONFIG_COUNT];
};

#define CONFIG_PERCENT 1000000 /* of a number, is one percent */

/* The built-in values; -ENOMEM. Free with config_fini in any case. */
int config_init(struct config *config);
void config_fini(struct config *config);

/* Reads a file's text over what is there. -EINVAL: "NAME:LINE: sentence". */
int config_read_text(
    struct config *config, const char *name, const char *text, struct failure *failure);

/* Reads a file; one that is not there is empty. */
int config_read(struct config *config, const char *path, struct failure *failure);

/* Reads a probe's file. Free the request in any case. */
int config_read_probe_text(
    const char *name, const char *text, struct probe_request *ret_request, struct failure *failure);

#endif
