// SPDX-License-Identifier: GPL-2.0-or-later
// Stops a traced command at its entry point, before any code of its own has run.
//
// A signal stops a traced process whatever its disposition is, and SIGWINCH does nothing to one
// that has lost its tracer: so killing lprof at any moment leaves the command running.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#define SIGWINCH 28

char LICENSE[] SEC("license") = "GPL";

volatile __u32 process; /* the one to stop; 0: whoever hits (the link filters) */
volatile __u32 reached; /* how often it was there */

SEC("kprobe")
int entry_stop(void *context)
{
	if (process && bpf_get_current_pid_tgid() >> 32 != process)
		return 0;
	__sync_fetch_and_add(&reached, 1);
	bpf_send_signal(SIGWINCH);
	return 0;
}
