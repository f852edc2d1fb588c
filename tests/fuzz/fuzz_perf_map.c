// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the parser of maps of code made at run time; what it gives must be fit for its search.
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "target/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct perf_map map;
	uint64_t last = 0;

	assert(!perf_map_parse((const char *)bytes, size, &map));
	ARRAY_FOREACH (symbol, &map.symbols) {
		assert(symbol->start >= last && symbol->start < symbol->end);
		assert(*symbol->name && strlen(symbol->name) <= PERF_MAP_NAME_MAX);
		assert(perf_map_find(&map, symbol->start) == symbol->name);
		assert(perf_map_find(&map, symbol->end - 1) == symbol->name);
		last = symbol->end;
	}
	perf_map_fini(&map);
	return 0;
}
