// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzes the reader of stored plans: what it takes is whole, and survives being written and read.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/plan_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_plan(const struct plan *plan, struct memory_text *text)
{
	if (memory_text_init(text))
		abort();
	plan_store_write(plan, text->file);
	if (memory_text_end(text))
		abort();
}

static void count_lines(const struct plan *plan)
{
	uint64_t *sites = calloc(plan->sites.count + 1, sizeof(*sites));
	uint64_t *lines = calloc(plan->lines.count + 1, sizeof(*lines));

	if (sites && lines)
		plan_count_lines(plan, sites, lines);
	free(sites);
	free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(plan_free_p) struct plan *plan = NULL, *again = NULL;
	struct memory_text text CLEANUP(memory_text_fini) = {0};
	struct memory_text second CLEANUP(memory_text_fini) = {0};
	struct failure failure = {0};

	if (plan_store_read("x", (const char *)data, size, &plan, &failure))
		return 0;
	count_lines(plan);
	write_plan(plan, &text);
	if (plan_store_read("x", text.text, text.size, &again, &failure))
		__builtin_trap();
	write_plan(again, &second);
	if (text.size != second.size || memcmp(text.text, second.text, text.size) != 0)
		__builtin_trap();
	return 0;
}
