// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the reader of Accept headers, which whoever reaches the port can send.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "output/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_FREE char *text = strndup((const char *)bytes, size);

	if (text && !metrics_content_type(metrics_negotiate(text)))
		abort();
	return 0;
}
