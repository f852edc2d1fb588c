# SPDX-License-Identifier: GPL-2.0-or-later
"""The other tools that lprof is measured beside: how each is told to look at functions of a program.

Those that attach to a program (by uprobes, as lprof does) stand for as long as a `with` does; the others are what
a command runs under. One that is missing is left out, and said so.
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
import programs  # noqa: E402,F401  (puts tests/e2e on the path)
import measuring  # noqa: E402

# Where the packages of tools put them that are not for everybody.
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
ENVIRONMENT = {**measuring.ENVIRONMENT, "PATH": PATH, "__BPFTRACE_NOTIFY_PROBES_ATTACHED": "1",
               "BPFTRACE_MAX_PROBES": "2048", "BPFTRACE_MAX_BPF_PROGS": "2048"}
TIMED_BY_BPFTRACE = "uprobe:{0}:{1} {{ @begun{2}[tid] = nsecs; }} " \
    "uretprobe:{0}:{1} /@begun{2}[tid]/ {{ @{1} = {3}(nsecs - @begun{2}[tid]); delete(@begun{2}[tid]); }}"


BINARIES = {"perf record": "perf", "callgrind": "valgrind"}


def missing(tool):
    """Why a tool, or lprof, cannot be measured; None if it can."""
    binary = BINARIES.get(tool, tool)
    return None if tool == "lprof" or shutil.which(binary, path=PATH) else f"no {binary}: deploy/install-deps bench"


def with_tools(results, title, sides):
    """Those of the sides by (case, tool) whose tool is here; the others are named."""
    for case, tool in sides:
        if missing(tool):
            results.left_out(f"{title}, {case}: {tool}", missing(tool))
    return {key: side for key, side in sides.items() if not missing(key[1])}


class Watching:
    """A tool that stands by; `printed` is all that it said, once the `with` is over."""

    def __init__(self, tool, arguments):
        self.tool, self.printed = tool, ""
        self.process = subprocess.Popen(["stdbuf", "-oL", *map(str, arguments)], env=ENVIRONMENT, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def wait_ready(self, sign):
        for line in self.process.stdout:
            self.printed += line
            if sign in line:
                return
        raise RuntimeError(f"{self.tool} ended before it was ready:\n{self.printed}")

    def stop(self):
        for _ in range(10):  # bpftrace misses one now and then
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.printed += self.process.communicate(timeout=12)[0]
                break
        if not re.search(r"\|[@*]|count [1-9]", self.printed):
            raise RuntimeError(f"{self.tool} saw no call:\n{self.printed}")


@contextlib.contextmanager
def watching(tool, arguments, sign):
    watched = Watching(tool, arguments)
    try:
        watched.wait_ready(sign)
        yield watched
        watched.stop()
    finally:
        if watched.process.poll() is None:
            watched.process.kill()
            watched.process.wait()


def bpftrace(program, functions, aggregate="hist"):
    """Times of each function, as its manual has it; `aggregate` is what it does with them."""
    script = " ".join(TIMED_BY_BPFTRACE.format(program, name.replace(".", "_"), number, aggregate)
                      for number, name in enumerate(functions))
    return watching("bpftrace", ["bpftrace", "-e", script], "NOTIFY_PROBES_ATTACHED")


def funclatency(program, functions):
    """A histogram of one function's times."""
    name, = functions
    return watching("funclatency", ["funclatency", f"{program}:{name}"], "Hit Ctrl-C")


ATTACHING = {"bpftrace": bpftrace, "funclatency": funclatency}


def uftrace(directory, function):
    """Of a program built with -pg."""
    return ["uftrace", "record", "--no-libcall", "-F", function, "-d", f"{directory}/uftrace"]


def perf(directory):
    return ["perf", "record", "-q", "-g", "-F", "999", "-e", "cpu-clock", "-o", f"{directory}/perf.data", "--"]


def callgrind(directory):
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={directory}/callgrind.out", "--"]
