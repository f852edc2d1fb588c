/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel as natively compiled BPF programs see it: maps, task storage, a clock, the user's
 * memory, each under the test's control.
 *
 * Time stands still unless a test moves it. At each helper call another thread may be let in
 * (`preempt`), as the kernel does with uprobe programs. Memory of the user is one small stack area
 * from address 0 up, which all threads share.
 */
#ifndef LPROF_TESTS_BPF_NATIVE_KERNEL_H
#define LPROF_TESTS_BPF_NATIVE_KERNEL_H

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NATIVE_MAPS_MAX  24
#define NATIVE_ALARMS    8
#define NATIVE_USER_SIZE (1u << 20)

struct task_struct;

struct native_map {
	const void *map;
	int type; /* enum bpf_map_type */
	size_t key_size, value_size, capacity, count;
	uint8_t *keys, *values; /* a hash keeps its entries in no order */
};

struct native_thread {
	struct task_struct *task;
	uint32_t tgid, tid;
	void *registers; /* struct pt_regs */
	void *storage[NATIVE_MAPS_MAX];
};

static struct {
	struct native_map maps[NATIVE_MAPS_MAX];
	size_t map_count;
	struct native_thread *thread; /* the current one */
	struct native_thread *forked; /* by it, just now; NULL: none */
	uint64_t now;
	uint64_t tick; /* what each reading adds to the clock */
	uint32_t random, draws;
	uint64_t cookie, function_address; /* of the hit */
	uint32_t cpu;
	uint64_t namespace_device, namespace_number;
	bool no_memory;                              /* storage and entries cannot be created */
	const void *unavailable;                     /* this map cannot even be looked up */
	uint32_t alarms[NATIVE_ALARMS], alarm_count; /* given to ring buffers */
	void (*preempt)(void);
	uint64_t words[NATIVE_USER_SIZE / 8];
} native;

static inline void native_preempt(void)
{
	void (*preempt)(void) = native.preempt;

	if (!preempt)
		return;
	native.preempt = NULL; /* one level is enough */
	preempt();
	native.preempt = preempt;
}

static inline struct native_map *native_find(const void *map)
{
	native_preempt();
	for (size_t i = 0; i < native.map_count; i++)
		if (native.maps[i].map == map)
			return &native.maps[i];
	abort(); /* a map that no test made */
}

static inline void native_add(
    const void *map, int type, size_t key_size, size_t value_size, size_t capacity)
{
	struct native_map *made = &native.maps[native.map_count++];

	*made = (struct native_map){map, type, key_size, value_size, capacity, 0, NULL, NULL};
	if (type == BPF_MAP_TYPE_TASK_STORAGE)
		return;
	made->keys = calloc(capacity, key_size);
	made->values = calloc(capacity, value_size);
}

/* Makes a map of what its definition says, for that many entries. */
#define native_map_add(map, entries)                                                    \
	native_add(map, (int)(sizeof(*(map)->type) / sizeof(int)), sizeof(*(map)->key), \
	    sizeof(*(map)->value), entries)

static inline void native_free(void)
{
	for (size_t i = 0; i < native.map_count; i++) {
		free(native.maps[i].keys);
		free(native.maps[i].values);
	}
	native.map_count = 0;
}

static inline uint64_t *native_word(uint64_t address)
{
	return address % 8 == 0 && address < NATIVE_USER_SIZE ? &native.words[address / 8] : NULL;
}

/* ---- The helpers ---- */

static inline size_t native_slot(const struct native_map *found, const void *key)
{
	size_t at = 0;

	while (at < found->count &&
	       memcmp(found->keys + at * found->key_size, key, found->key_size) != 0)
		at++;
	return at;
}

/* The entry of the longest prefix of a key, which says its own length in bits first. */
__attribute__((noinline, unused)) static void *native_longest(
    const struct native_map *found, const void *key)
{
	uint32_t longest = 0, bits;
	void *value = NULL;

	for (size_t at = 0; at < found->count; at++) {
		const uint8_t *entry = found->keys + at * found->key_size, *wanted = key;
		bool same = true;

		memcpy(&bits, entry, sizeof(bits));
		for (uint32_t bit = 0; bit < bits && same; bit++)
			same = !((entry[4 + bit / 8] ^ wanted[4 + bit / 8]) & 0x80 >> bit % 8);
		if (!same || (value && bits <= longest))
			continue;
		longest = bits;
		value = found->values + at * found->value_size;
	}
	return value;
}

static inline void *bpf_map_lookup_elem(const void *map, const void *key)
{
	struct native_map *found = native_find(map);
	uint32_t index;
	size_t at;

	if (found->type == BPF_MAP_TYPE_ARRAY || found->type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	    found->type == BPF_MAP_TYPE_ARRAY_OF_MAPS) {
		memcpy(&index, key, sizeof(index));
		if (index >= found->capacity)
			return NULL;
		if (found->type != BPF_MAP_TYPE_ARRAY_OF_MAPS)
			return found->values + index * found->value_size;
		return ((void **)(void *)found->values)[index];
	}
	if (found->type == BPF_MAP_TYPE_LPM_TRIE)
		return native_longest(found, key);
	if (native.unavailable == map)
		return NULL;
	at = native_slot(found, key);
	return at < found->count ? found->values + at * found->value_size : NULL;
}

static inline long bpf_map_update_elem(
    const void *map, const void *key, const void *value, uint64_t flags)
{
	struct native_map *found = native_find(map);
	size_t at = native_slot(found, key);

	if (at < found->count && flags == BPF_NOEXIST)
		return -EEXIST;
	if (at == found->capacity || native.no_memory)
		return -E2BIG;
	if (at == found->count)
		found->count++;
	memcpy(found->keys + at * found->key_size, key, found->key_size);
	memcpy(found->values + at * found->value_size, value, found->value_size);
	return 0;
}

static inline long bpf_map_delete_elem(const void *map, const void *key)
{
	struct native_map *found = native_find(map);
	size_t at = native_slot(found, key), last = found->count - 1;

	if (at >= found->count)
		return -ENOENT;
	memmove(found->keys + at * found->key_size, found->keys + last * found->key_size,
	    found->key_size);
	memmove(found->values + at * found->value_size, found->values + last * found->value_size,
	    found->value_size);
	found->count--;
	return 0;
}

/* The programs work on the current thread, and on the one that it forks or comes from. */
static inline struct native_thread *native_thread_of(const struct task_struct *task)
{
	if (task == native.thread->task)
		return native.thread;
	if (!native.forked || task != native.forked->task)
		abort();
	return native.forked;
}

static inline void *bpf_task_storage_get(
    const void *map, const struct task_struct *task, void *value, uint64_t flags)
{
	struct native_map *found = native_find(map);
	void **storage = &native_thread_of(task)->storage[found - native.maps];

	if (value)
		abort();
	if (native.unavailable == map)
		return NULL;
	if (!*storage && flags & BPF_LOCAL_STORAGE_GET_F_CREATE && !native.no_memory)
		*storage = calloc(1, found->value_size);
	return *storage;
}

static inline uint64_t bpf_ktime_get_ns(void)
{
	native_preempt();
	native.now += native.tick;
	return native.now;
}

static inline long bpf_ringbuf_output(
    const void *ring, const void *data, uint64_t size, uint64_t flags)
{
	(void)ring;
	(void)flags;
	native_preempt();
	if (size != sizeof(*native.alarms) || native.alarm_count == NATIVE_ALARMS)
		abort();
	memcpy(&native.alarms[native.alarm_count++], data, size);
	return 0;
}

static inline uint32_t bpf_get_prandom_u32(void)
{
	native_preempt();
	native.draws++;
	return native.random;
}

static inline uint32_t bpf_get_smp_processor_id(void)
{
	return native.cpu;
}

static inline struct task_struct *bpf_get_current_task_btf(void)
{
	native_preempt();
	return native.thread->task;
}

static inline uint64_t bpf_get_current_pid_tgid(void)
{
	return (uint64_t)native.thread->tgid << 32 | native.thread->tid;
}

/* Process ids of the one namespace that there is. */
static inline long bpf_get_ns_current_pid_tgid(
    uint64_t device, uint64_t namespace, struct bpf_pidns_info *ids, uint32_t size)
{
	if (device != native.namespace_device || namespace != native.namespace_number ||
	    size != sizeof(*ids))
		return -EINVAL;
	*ids = (struct bpf_pidns_info){.pid = native.thread->tid, .tgid = native.thread->tgid};
	return 0;
}

static inline uint64_t bpf_get_attach_cookie(const void *context)
{
	(void)context;
	return native.cookie;
}

static inline uint64_t bpf_get_func_ip(const void *context)
{
	(void)context;
	return native.function_address;
}

static inline long bpf_task_pt_regs(const struct task_struct *task)
{
	return (long)native_thread_of(task)->registers;
}

static inline long bpf_probe_read_kernel(void *into, uint32_t size, const void *from)
{
	native_preempt();
	memcpy(into, from, size);
	return 0;
}

static inline long bpf_probe_read_user(void *into, uint32_t size, const void *from)
{
	uintptr_t at = (uintptr_t)from;

	native_preempt();
	memset(into, 0, size);
	if (at >= NATIVE_USER_SIZE || size > NATIVE_USER_SIZE - at)
		return -EFAULT;
	memcpy(into, (const uint8_t *)native.words + at, size);
	return 0;
}

static inline long bpf_loop(
    uint32_t turns, int (*callback)(uint32_t turn, void *context), void *context, uint64_t flags)
{
	uint32_t turn = 0;

	(void)flags;
	while (turn < turns && !callback(turn++, context))
		;
	return turn;
}

#endif
