// SPDX-License-Identifier: GPL-2.0-or-later
// Chooses the format by a path's extension and puts the file in place.
#include "output/output.h"

#include <string.h>

#include "base/files.h"

const struct output_format output_formats[] = {
#define FORMAT(extension, writer, description) {extension, description, output_write_##writer},
    OUTPUT_FORMATS(FORMAT)
#undef FORMAT
	{NULL, NULL, NULL},
};

/* How much of a file's name picks the format; 0: it does not. */
static size_t match(const struct output_format *format, const char *name)
{
	size_t length = strlen(format->extension);

	if (format->extension[length - 1] == '*')
		return strncmp(name, format->extension, length - 1) == 0 &&
		       name[length - 1] != '\0';
	return string_ends(name, format->extension) && strlen(name) > length ? length : 0;
}

const struct output_format *output_format_for(const char *path, struct failure *failure)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const struct output_format *found = NULL;
	size_t longest = 0;
	char known[256] = "";
	size_t used = 0;

	for (const struct output_format *format = output_formats; format->extension; format++) {
		size_t length = match(format, name);

		if (length > longest) {
			longest = length;
			found = format;
		}
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
		    used ? ", " : "", format->extension);
	}
	if (found)
		return found;
	failure_set(failure, EINVAL,
	    "%s: no format has this extension; name the file with one of %s", path, known);
	return NULL;
}

int output_write(const struct profile *profile, const char *path,
    const struct output_options *options, struct failure *failure)
{
	static const struct output_options defaults;
	const struct output_format *format = output_format_for(path, failure);
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	FILE *stream;
	int error;

	if (!format)
		return -EINVAL;
	stream = open_memstream(&text, &size);
	if (!stream)
		return failure_set(failure, ENOMEM, "%s: no memory to write it", path);
	error = format->write(profile, stream, options ? options : &defaults, failure);
	if (ferror(stream) && !error)
		error = -ENOMEM;
	if (fclose(stream) && !error)
		error = -ENOMEM;
	if (error)
		return failure_set(
		    failure, -error, "%s: cannot be written: %s", path, strerror(-error));
	return file_write_atomically(path, text, size, failure);
}
