#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Times are split by what threads did: lines that compute, sleep, read and wait for a lock, each in its column.

Beside what the threads' clocks and the kernel's own account of the thread (schedstat) say, on a busy
machine as on an idle one; recursion and inlined code keep the parts within the whole.
"""
import json
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402
import off_cpu_lines  # noqa: E402

MS, TRIES = 200, 3
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")


def check_parts(checks, profile, title):
    """What is off the CPU is part of the total: of each line, each function, and of lines as of functions."""
    checks.that(profile["off_cpu"], f"{title}: off_cpu")
    for function in profile["functions"]:
        for what in (function, *function["lines"]):
            off = what["blocked_ns"] + what["waiting_ns"]
            where = f"{function['name']}:{what['line']}"
            checks.that(off <= what["total_ns"] + off_cpu_lines.SLACK_NS, f"{title}: {where}: {off} ns off the CPU of {what['total_ns']}")
        for key in ("blocked_ns", "waiting_ns"):
            if function["lines"]:
                checks.equal(sum(line[key] for line in function["lines"]), function[key], f"{title}: {function['name']}: lines' {key}")


def check_four_lines(checks, program, title):
    """Tried again: the kernel may leave out a run of a program on its tracepoints, and with it a whole wait."""
    for _ in range(TRIES):
        tried = measuring.Checks()
        profile = measuring.measure(["-l", "four_lines", "--off-cpu"], program, MS, "mixed")
        check_parts(tried, profile, title)
        off_cpu_lines.check(tried, profile, profile["printed"], title)
        if not tried.problems:
            break
        print(f"{title}: {tried.problems}; losses {profile['losses']}")
    checks.done += tried.done
    checks.problems += tried.problems


def test_busy_machine(checks, program):
    """With more to do than there are CPUs, threads wait: as long as the kernel says."""
    spinners = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    try:
        check_four_lines(checks, program, "busy")
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def test_many(checks, program):
    """Threads, workers and recursion: parts stay within their wholes."""
    for kind in ("threads", "workers"):
        profile = measuring.measure(["-l", "spend", "-l", "spin_deep", "-f", "spin", "--off-cpu"], program, 50, kind)
        check_parts(checks, profile, kind)
        measuring.check_identity(checks, profile, kind)


def run_by_kernel(after):
    """ns that the kernel says our programs on the scheduler ran, of those loaded after another, and the last one's id."""
    shown = json.loads(measuring.succeed(["bpftool", "-j", "prog", "show"]).stdout)
    ours = [each for each in shown if each["id"] > after and each.get("name", "").startswith("off_cpu_")]
    return sum(each.get("run_time_ns", 0) for each in ours), max((each["id"] for each in shown), default=0)


def test_cost(checks, program):
    """What following the scheduler costs is told, by the kernel's own account (less some 20 ns a run of taking that)."""
    with measuring.scratch() as directory:
        path = pathlib.Path(directory) / "x.json"
        _, last = run_by_kernel(0)
        by_kernel, before = 0, STATS.read_text()
        STATS.write_text("1")
        try:
            command = [measuring.LPROF, "run", "--off-cpu", "-f", "hand_over", "-o", path, "--", program, "300000"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
                while running.poll() is None:
                    by_kernel = max(by_kernel, run_by_kernel(last)[0])
        finally:
            STATS.write_text(before)
        profile = json.loads(path.read_text())
    cost = profile["cost"]
    checks.that(0.5 * by_kernel <= cost.get("off_cpu_ns", 0) <= 1.2 * by_kernel,
                f"following the scheduler: {cost.get('off_cpu_ns', 0) / 1e6:.1f} ms, {by_kernel / 1e6:.1f} ms by the kernel")
    checks.that(cost["off_cpu_ns"] < cost["overhead_ns"] < 1.1 * cost["off_cpu_ns"], f"it is in the whole: {cost}")


def test_not_asked(checks, program):
    profile = measuring.measure(["-l", "four_lines"], program, MS, "mixed")
    checks.equal(profile["off_cpu"], False, "not asked: off_cpu")
    checks.equal(profile["cost"].get("off_cpu_ns"), None, "not asked: its cost")
    checks.equal(sum(line["blocked_ns"] for line in profile["functions"][0]["lines"]), 0, "not asked: blocked_ns")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    for variant in ("gcc-O2", "clang-O0"):
        program = measuring.built("spender", variant)
        check_four_lines(checks, program, variant)
    test_busy_machine(checks, measuring.built("spender", "gcc-O2"))
    test_many(checks, measuring.built("spender", "gcc-O2"))
    test_cost(checks, measuring.built("handover", "gcc-O2"))
    test_not_asked(checks, measuring.built("spender", "gcc-O2"))
    checks.finish(100, "times off the CPU")


main()
