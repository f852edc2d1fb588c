// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds the parser of specs and the demangler, which see whatever people and symbol tables hold.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/demangle.h"
#include "target/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_FREE char *text = strndup((const char *)bytes, size);
	struct failure failure = {0};
	char name[DEMANGLED_MAX];
	struct spec spec;

	if (!text)
		return 0;
	if (spec_parse(text, &spec, &failure)) {
		if (!failure.text[0])
			abort();
	} else {
		if (!spec.name[0] || (spec.image && !spec.image[0]) ||
		    (spec.kind == SPEC_LINE) != (spec.line > 0))
			abort();
		spec_fini(&spec);
	}
	for (int form = DEMANGLE_NAME; form <= DEMANGLE_RETURN; form++)
		if (demangle(text, (enum demangle_form)form, name, sizeof(name)))
			demangle_drop_arguments(name);
	if (size < sizeof(name)) {
		strcpy(name, text);
		demangle_drop_arguments(name);
	}
	return 0;
}
