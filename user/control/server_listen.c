// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the control socket in the file system, for root and one group.
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/server.h"

#define BACKLOG 128

static int make_address(const char *path, struct sockaddr_un *ret_address, struct failure *failure)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret_address->sun_path))
		return failure_set(failure, ENAMETOOLONG,
		    "%s: is too long for a socket, which has at most %zu characters", path,
		    sizeof(ret_address->sun_path) - 1);
	strcpy(ret_address->sun_path, path);
	return 0;
}

static bool is_served(const struct sockaddr_un *address)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
			      errno == EAGAIN);
}

static int make_directory(const char *path, struct failure *failure)
{
	CLEANUP_FREE char *directory = strdup(path);
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return failure_set(
		    failure, errno, "cannot make %s: %s", directory, strerror(errno));
	return 0;
}

static int give_to_group(const char *path, const char *name, struct failure *failure)
{
	const struct group *group = *name ? getgrnam(name) : NULL;

	if (!group)
		return 0; /* root alone */
	if (chown(path, (uid_t)-1, group->gr_gid) < 0 || chmod(path, 0660) < 0)
		return failure_set(
		    failure, errno, "cannot give %s to group %s: %s", path, name, strerror(errno));
	return 0;
}

int server_listen(const char *path, const char *group, int *ret_socket, struct failure *failure)
{
	CLEANUP_CLOSE int fd = -1;
	struct sockaddr_un address;
	mode_t mask;
	int error = make_address(path, &address, failure);

	if (!error)
		error = make_directory(path, failure);
	if (error)
		return error;
	if (is_served(&address))
		return failure_set(failure, EADDRINUSE,
		    "another lprofd serves %s: stop it first, or use another --socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failure_set(failure, errno, "cannot make a socket: %s", strerror(errno));
	(void)unlink(path);
	mask = umask(0177);
	error = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	umask(mask);
	if (error || listen(fd, BACKLOG) < 0)
		return failure_set(failure, error ? error : errno, "cannot listen at %s: %s", path,
		    strerror(error ? error : errno));
	error = give_to_group(path, group, failure);
	if (error)
		return error;
	*ret_socket = TAKE_FD(fd);
	return 0;
}
