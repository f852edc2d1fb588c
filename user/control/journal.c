// SPDX-License-Identifier: GPL-2.0-or-later
// Sends messages to the journal, with fields.
#include "control/journal.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Fields of where in our source a message is from would name this file only. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/log.h"

static void send_message(enum log_level level, uint64_t probe, const char *text)
{
	static const int priorities[] = {[LOG_LEVEL_ERROR] = LOG_ERR,
	    [LOG_LEVEL_WARNING] = LOG_WARNING,
	    [LOG_LEVEL_NOTE] = LOG_INFO,
	    [LOG_LEVEL_DEBUG] = LOG_DEBUG};

	if (probe)
		(void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priorities[level],
		    "LPROF_PROBE=%" PRIu64, probe, NULL);
	else
		(void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priorities[level], NULL);
}

/* systemd.exec(5): $JOURNAL_STREAM is the device and inode of the stream that it connected. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char found[64];

	if (!stream || fstat(fd, &status) < 0)
		return false;
	snprintf(
	    found, sizeof(found), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return !strcmp(found, stream);
}

void journal_open(void)
{
	if (is_journal(STDERR_FILENO))
		log_set_writer(send_message);
}
