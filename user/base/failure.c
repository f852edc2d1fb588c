// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps the first sentence about a failure on its way up to whoever prints it.
#include "base/failure.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

int failure_set(struct failure *failure, int code, const char *format, ...)
{
	va_list arguments;

	assert(code > 0);
	if (!failure || failure->code)
		return -code;
	failure->code = code;
	va_start(arguments, format);
	vsnprintf(failure->text, sizeof(failure->text), format, arguments);
	va_end(arguments);
	for (char *c = failure->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return -code;
}

void failure_clear(struct failure *failure)
{
	failure->code = 0;
	failure->text[0] = '\0';
}
