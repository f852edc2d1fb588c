// SPDX-License-Identifier: GPL-2.0-or-later
// Holding a command at its entry point: what it inherits, its status, its fate when lprof dies.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "collect/spawn.h"

/* Runs a command through all stages; its stdout lands in `output`. */
static int run(const char *const *arguments, const char *user, char *output, size_t size,
    struct failure *failure)
{
	CLEANUP(spawn_free_p) struct spawn *spawn = NULL;
	const struct spawn_options options = {.arguments = arguments, .user = user};
	int ends[2], saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), status = -1;
	ssize_t length;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_return_code(dup2(ends[1], STDOUT_FILENO), errno);
	close(ends[1]);
	if (spawn_open(&options, &spawn, &status, failure) == 0) {
		assert_return_code(spawn_release(spawn, failure), failure->code);
		assert_return_code(spawn_wait(spawn, NULL, &status, failure), failure->code);
	}
	dup2(saved, STDOUT_FILENO);
	close(saved);
	length = read(ends[0], output, size - 1);
	close(ends[0]);
	output[length > 0 ? length : 0] = '\0';
	return status;
}

#define RUN(user, output, failure, ...) \
	run((const char *const[]){__VA_ARGS__, NULL}, user, output, sizeof(output), failure)

static void status_is_the_commands_own(void **state)
{
	struct failure failure = {0};
	char output[256];

	(void)state;
	assert_int_equal(RUN(NULL, output, &failure, "true"), 0);
	assert_int_equal(RUN(NULL, output, &failure, "sh", "-c", "echo seven; exit 7"), 7);
	assert_string_equal(output, "seven\n");
	assert_int_equal(RUN(NULL, output, &failure, "sh", "-c", "kill -9 $$"), 128 + 9);
	assert_int_equal(RUN(NULL, output, &failure, "sh", "-c", "kill -TERM $$"), 128 + 15);
	assert_int_equal(failure.code, 0);
}

static void failure_to_execute_is_told(void **state)
{
	struct failure failure = {0};
	char output[256];

	(void)state;
	assert_int_equal(RUN(NULL, output, &failure, "/nonexistent/command"), 127);
	assert_int_equal(failure.code, ENOENT);
	assert_non_null(strstr(failure.text, "/nonexistent/command"));
	failure_clear(&failure);
	assert_int_equal(RUN(NULL, output, &failure, "/etc/passwd"), 126);
	assert_int_equal(failure.code, EACCES);
	failure_clear(&failure);
	assert_int_equal(RUN("no-such-user", output, &failure, "true"), 125);
	assert_non_null(strstr(failure.text, "no-such-user"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing left behind */
}

static void runs_as_another_user(void **state)
{
	struct failure failure = {0};
	char output[256];

	(void)state;
	assert_int_equal(RUN("nobody", output, &failure, "id", "-un"), 0);
	assert_string_equal(output, "nobody\n");
}

/* Descriptors, signal mask, ignored signals and limits are those that `env` would give. */
static void inherits_nothing_of_lprof(void **state)
{
	static const char script[] = "ls /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign|Cgt)' "
				     "/proc/self/status; ulimit -n; ulimit -Hn";
	struct failure failure = {0};
	char measured[1024], plain[1024];
	ssize_t length;
	int ends[2];

	(void)state;
	assert_int_equal(RUN(NULL, measured, &failure, "sh", "-c", script), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (fork() == 0) { /* not popen(), which has its own ways with signals */
		dup2(ends[1], STDOUT_FILENO);
		execlp("sh", "sh", "-c", script, NULL);
		_exit(1);
	}
	close(ends[1]);
	wait(NULL);
	length = read(ends[0], plain, sizeof(plain) - 1);
	close(ends[0]);
	plain[length > 0 ? length : 0] = '\0';
	assert_string_equal(measured, plain);
}

/* At the entry point the libraries are mapped and nothing of the command has run. */
static void is_held_with_libraries_mapped(void **state)
{
	CLEANUP(spawn_free_p) struct spawn *spawn = NULL;
	const struct spawn_options options = {.arguments = (const char *const[]){"cat", NULL}};
	struct failure failure = {0};
	char path[64], line[512];
	int status, libraries = 0;
	FILE *maps;

	(void)state;
	assert_int_equal(spawn_open(&options, &spawn, &status, &failure), 0);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)spawn_pid(spawn));
	maps = fopen(path, "re");
	while (fgets(line, sizeof(line), maps))
		libraries += strstr(line, "libc.so") && strstr(line, "r-xp");
	fclose(maps);
	assert_int_equal(libraries, 1);
	/* freed without release: killed */
}

static pid_t fork_holder(int *ret_output)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		struct spawn *spawn;
		const struct spawn_options options = {.arguments = (const char *const[]){"sh", "-c",
							  "echo $PPID >&2; echo alive", NULL}};
		struct failure failure = {0};
		int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(ends[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (spawn_open(&options, &spawn, &status, &failure))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	close(ends[1]);
	*ret_output = ends[0];
	return pid;
}

/* SIGKILL to lprof while the command is held leaves it running, to its good end. */
static void outlives_its_holder(void **state)
{
	char text[64] = "";
	int output, status;
	pid_t holder = fork_holder(&output);
	size_t length = 0;
	ssize_t more;

	(void)state;
	assert_int_equal(waitpid(holder, &status, 0), holder);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while ((more = read(output, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)more;
	close(output);
	assert_string_equal(text, "alive\n");
}

static void send_later(pid_t to, int signal)
{
	if (fork() == 0) {
		usleep(200000);
		kill(to, signal);
		_exit(0);
	}
}

static void signals_are_passed_on(void **state)
{
	struct failure failure = {0};
	char output[64];
	int status;

	(void)state;
	send_later(getpid(), SIGTERM);
	status = RUN(NULL, output, &failure, "sleep", "10");
	assert_int_equal(status, 128 + SIGTERM);
	while (wait(NULL) > 0)
		;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_is_the_commands_own),
	    cmocka_unit_test(failure_to_execute_is_told),
	    cmocka_unit_test(runs_as_another_user),
	    cmocka_unit_test(inherits_nothing_of_lprof),
	    cmocka_unit_test(is_held_with_libraries_mapped),
	    cmocka_unit_test(outlives_its_holder),
	    cmocka_unit_test(signals_are_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
