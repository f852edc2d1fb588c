// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the parser of /proc/PID/maps.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/process_maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_FREE char *text = strndup((const char *)bytes, size);
	struct process_maps maps;

	if (!text || process_maps_parse(text, &maps))
		return 0;
	ARRAY_FOREACH (mapping, &maps.mappings)
		if (mapping->start >= mapping->end || mapping->inode == 0 || !mapping->path)
			abort();
	process_maps_fini(&maps);
	return 0;
}
