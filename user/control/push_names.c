// SPDX-License-Identifier: GPL-2.0-or-later
// Makes a profile's names those that it would be read back with.
#include "control/push_names.h"

#include <errno.h>

#include "base/cleanup.h"
#include "output/text.h"

static bool is_valid(const char *text)
{
	size_t length = 0;

	for (; *text; text += length) {
		length = text_character(text, NULL);
		if (!length)
			return false;
	}
	return true;
}

/* False: no memory. */
static bool settle(struct profile *profile, const char **text)
{
	CLEANUP_FREE char *valid = NULL;
	const char *interned;

	if (is_valid(*text))
		return true;
	valid = text_valid(*text);
	interned = valid ? profile_intern(profile, valid) : NULL;
	if (interned)
		*text = interned;
	return interned;
}

static bool settle_function(struct profile *profile, struct profile_function *function)
{
	bool settled = settle(profile, &function->name) &&
		       settle(profile, &function->linkage_name) && settle(profile, &function->file);

	ARRAY_FOREACH (line, &function->lines)
		settled = settled && settle(profile, &line->file);
	return settled;
}

int push_names_settle(struct profile *profile)
{
	bool settled = true;

	ARRAY_FOREACH (image, &profile->images)
		settled = settled && settle(profile, &image->path);
	ARRAY_FOREACH (function, &profile->functions)
		settled = settled && settle_function(profile, function);
	ARRAY_FOREACH (frame, &profile->frames)
		settled = settled && settle(profile, &frame->name) && settle(profile, &frame->file);
	ARRAY_FOREACH (omission, &profile->omissions)
		settled = settled && settle(profile, &omission->file);
	profile_sort(profile);
	return settled ? 0 : -ENOMEM;
}
