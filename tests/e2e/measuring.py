# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of measurements share: building workloads, running lprof, what each profile must keep."""
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("B", "build")
LPROF = str(TOP / os.environ.get("LPROF", "build/lprof"))
WORKLOADS = TOP / "tests" / "workloads"
RUN_SECONDS = 120  # a hang is a failure, whatever the machine

# What measured programs see: always the same, so that two runs of one execute the same instructions.
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
if "LPROF_TEST_RUN" in os.environ:  # marks the tests' processes for tests/system-state
    ENVIRONMENT["LPROF_TEST_RUN"] = os.environ["LPROF_TEST_RUN"]


class Checks:
    """Counts what was checked and keeps what was found wrong, so that one run shows all of it."""

    SHOWN = 25

    def __init__(self):
        self.done = 0
        self.problems = []

    def that(self, holds, problem):
        self.done += 1
        if not holds:
            self.problems.append(problem)
        return bool(holds)

    def equal(self, found, wanted, what):
        return self.that(found == wanted, f"{what}: {found}, not {wanted}")

    def finish(self, at_least, what):
        """Ends the test. One that has checked next to nothing has not worked."""
        self.that(self.done >= at_least, f"only {self.done} checks of {what}, {at_least} wanted")
        for problem in self.problems[: self.SHOWN]:
            print("FAILED:", problem)
        if len(self.problems) > self.SHOWN:
            print(f"... and {len(self.problems) - self.SHOWN} more")
        print(f"{self.done} checks of {what}, {len(self.problems)} failed")
        sys.exit(bool(self.problems))


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def why_not_measuring():
    """Why measuring is not to be had here; None where it is."""
    if os.geteuid() != 0:
        return "needs root"
    for line in command([LPROF, "run", "-f", "main", "-o", "/dev/null/x.txt", "--", "true"]).stderr.splitlines():
        if "BPF" in line or "uprobe" in line:
            return line
    return None


def need_measuring():
    """Skips the test where measuring is not to be had."""
    reason = why_not_measuring()
    if reason:
        skip(reason)


def need_tools(*names):
    for name in names:
        if subprocess.run(["which", name], capture_output=True).returncode:
            skip(f"no {name}")


def free_port():
    """A TCP port of 127.0.0.1 that nobody has, below those that the kernel gives to connections."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def scratch():
    """A directory that lasts as long as the object."""
    return tempfile.TemporaryDirectory(prefix="lprof-test-")


def command(arguments, **options):
    options = {"capture_output": True, "text": True, "timeout": RUN_SECONDS, "env": ENVIRONMENT, **options}
    return subprocess.run([str(argument) for argument in arguments], check=False, **options)


def need_success(arguments, ended):
    """Ends the test if a command failed."""
    if ended.returncode:
        print(f"FAILED: {' '.join(map(str, arguments))}: status {ended.returncode}\n{ended.stdout}{ended.stderr}")
        sys.exit(1)


def succeed(arguments, **options):
    ended = command(arguments, **options)
    need_success(arguments, ended)
    return ended


def build(directory, source, compiler, *flags):
    """Compiles a workload; the path of the program."""
    program = pathlib.Path(directory) / "-".join([pathlib.Path(source).stem, compiler, *flags]).replace("/", "_")
    standard = "-std=gnu++17" if str(source).endswith(".cc") else "-std=gnu11"
    succeed([compiler, standard, "-D_GNU_SOURCE", "-g", *flags, "-pthread", "-o", program, WORKLOADS / source, "-lm"])
    return program


def built(source, variant):
    """The program that the Makefile builds from a workload in C; built here where it is missing."""
    program = BUILD / "workloads" / variant / source
    if not program.exists():
        succeed(["make", "-s", "-C", TOP, f"B={BUILD}", program])
    return program


def measure(specs, program, *arguments, options=(), output=None):
    """Runs a program under lprof; the profile, and what the program printed."""
    with scratch() as directory:
        path = pathlib.Path(directory) / "x.json"
        ended = succeed([LPROF, "run", *specs, *options, "-o", path, "--", program, *arguments])
        profile = json.loads(path.read_text())
    profile["printed"] = ended.stdout
    return profile


def functions(profile):
    """By name; functions of one name stay apart by a number behind it."""
    found = {}
    for function in profile["functions"]:
        name, again = function["name"], 1
        while name in found:
            again += 1
            name = f"{function['name']}#{again}"
        found[name] = function
    return found


def check_identity(checks, profile, what):
    """entries = exits + open + unwound + untimed + lost: for each function, and for all."""
    for function in [*profile["functions"], {"name": "all functions", **profile}]:
        account = function["accounting"]
        ended = sum(account[key] for key in ("exits", "open", "unwound", "untimed", "lost"))
        checks.equal(ended, account["entries"], f"{what}: {function['name']}: ends of calls, beside entries")
        if "calls" in function:
            checks.equal(account["entries"], function["calls"], f"{what}: {function['name']}: entries, beside calls")
            timed = account["exits"] + account["unwound"]
            checks.equal(function["timed_calls"], timed, f"{what}: {function['name']}: timed calls")
    for key in ("entries", "exits", "open", "unwound", "untimed", "lost"):
        total = sum(function["accounting"][key] for function in profile["functions"])
        checks.equal(profile["accounting"][key], total, f"{what}: {key} of all, beside the functions' sum")


def check_sums(checks, profile, what):
    """A function's lines add up to its total, and their own times to its own, within rounding."""
    for function in profile["functions"]:
        checks.that(function["self_ns"] <= function["total_ns"] + len(function["lines"]) + 1,
                    f"{what}: {function['name']}: its own time {function['self_ns']}, in all {function['total_ns']}")
        if not function["lines"] or function.get("rate", 1) < 1:
            continue
        for key in ("total_ns", "self_ns"):
            total = sum(line[key] for line in function["lines"])
            slack = len(function["lines"]) + 1
            checks.that(abs(total - function[key]) <= slack,
                        f"{what}: {function['name']}: its lines' {key} {total}, its own {function[key]}")


def check_profile(checks, profile, what):
    check_identity(checks, profile, what)
    check_sums(checks, profile, what)
    if "budget" not in profile["cost"]:
        checks.that(not any("budget" in function for function in profile["functions"]), f"{what}: a budget that nobody asked for")
    missed = [loss for loss in profile["losses"] if loss["cause"] == "missed" and loss["count"]]
    checks.that(not missed, f"{what}: hits missed: {missed}")
