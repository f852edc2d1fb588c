/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hits cost, charged to accounts (wire.h): the breaker for bursts that user space cannot
 * foresee. An account that is overdrawn is shut here and now; removing the probes is left to user
 * space.
 */
#ifndef LPROF_BPF_ACCOUNT_H
#define LPROF_BPF_ACCOUNT_H

#include "maps.bpf.h"

static __always_inline __u64 cost_of_hit(__u32 cost_class)
{
	if (cost_class >= COST_CLASSES)
		return 0;
	return settings.cost_before_ns[cost_class] + settings.cost_after_ns[cost_class];
}

static __always_inline bool account_is_shut(__u32 id)
{
	const struct account *account = bpf_map_lookup_elem(&accounts, &id);

	return account && account->shut;
}

/* True: it is overdrawn. */
static __always_inline bool account_pay(struct account *account, __u64 cost_ns, __u64 now)
{
	__u64 most = now - account->burst_ns, paid = *(volatile __u64 *)&account->paid_until_ns;
	__u64 time = cost_ns * account->price / ACCOUNT_PRICE_ONE;

	count(&account->spent_ns, cost_ns);
	if (!account->price)
		return false;
	if (paid < most)
		__sync_val_compare_and_swap(&account->paid_until_ns, paid, most);
	return __sync_fetch_and_add(&account->paid_until_ns, time) + time > now;
}

/* Charges an account, and the one of all. */
__noinline int account_charge(__u32 id, __u64 cost_ns)
{
	struct account *account = bpf_map_lookup_elem(&accounts, &id), *all;
	__u64 now = bpf_ktime_get_ns();
	bool overdrawn = false;
	__u32 zero = 0;

	all = bpf_map_lookup_elem(&accounts, &zero);
	if (!account || !all)
		return 0;
	if (account != all)
		overdrawn = account_pay(account, cost_ns, now);
	overdrawn = account_pay(all, cost_ns, now) || overdrawn;
	if (overdrawn && account != all) { /* nobody's probes are that one's alone */
		if (!__sync_val_compare_and_swap(&account->shut, 0, 1)) {
			account->shut_ns = now;
			bpf_ringbuf_output(&alarms, &id, sizeof(id), BPF_RB_FORCE_WAKEUP);
		}
	}
	return 0;
}

#endif
