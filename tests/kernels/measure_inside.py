#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is tried of lprof in each kernel, by known counts and never by times.

The doctor, lines and exceptions by each way to attach and to see exits, a running process. Keeps the
doctor's findings in $FINDINGS, for the table of kernels.

Usage: measure_inside.py	(environment: B, LPROF, FINDINGS; QUICK: by the best way to attach only)
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ["B"])
LPROF = os.environ["LPROF"]
SOURCE = pathlib.Path(__file__).resolve().parent / "shaky.cc"
COUNTED = BUILD / "workloads" / "gcc-O2" / "counted"
SPENDER = BUILD / "workloads" / "gcc-O2" / "spender"
QUICK = bool(os.environ.get("QUICK"))
SECONDS = 120  # a translated CPU is slow
CALLS = {"thrower": (303, 101), "middle": (303, 101), "catcher": (303, 0), "leaf": (1007, 0), "branches": (97, 0),
         "main": (1, 0)}
POLLS = {7, 232, 271, 281}  # poll, epoll_wait, ppoll, epoll_pwait on x86-64

BEGUN = time.monotonic()
problems = []


def check(holds, problem):
    if not holds:
        problems.append(problem)
        print("FAILED:", problem)


def tell(what):
    print(f"{time.monotonic() - BEGUN:6.1f} s  {what}", flush=True)


def start(arguments, **options):
    return subprocess.Popen([str(argument) for argument in arguments], stdout=subprocess.PIPE, text=True, **options)


def finish(process, what):
    """What the process printed; its status must be 0."""
    output, errors = process.communicate(timeout=SECONDS)
    check(process.returncode == 0, f"{what}: status {process.returncode}: {errors or ''}")
    return output


def functions(path, what):
    """The profile's functions by name; none may have lost anything."""
    if not path.exists():
        return {}
    profile = json.loads(path.read_text())
    for function in profile["functions"]:
        account = function["accounting"]
        ends = sum(account[key] for key in ("exits", "open", "unwound", "untimed", "lost"))
        check(ends == account["entries"] and not account["lost"], f"{what}: {function['name']}: {account}")
    return {function["name"]: function for function in profile["functions"]}


def check_calls(found, what):
    for name, (calls, unwound) in CALLS.items():
        account = found.get(name, {"accounting": {}})["accounting"]
        check((account.get("entries"), account.get("unwound")) == (calls, unwound), f"{what}: {name}: {account}")


def check_lines(found, what):
    hits = {}
    for function in found.values():
        for line in function["lines"]:
            if line["file"].endswith(SOURCE.name):
                hits[line["line"]] = hits.get(line["line"], 0) + line["hits"]
    for number, text in enumerate(SOURCE.read_text().splitlines(), 1):
        times = re.search(r"// (\d+) times", text)
        if times:
            check(hits.get(number) == int(times[1]), f"{what}: line {number}: {hits.get(number)} hits, not {times[1]}")


def try_doctor():
    found = json.loads(finish(start([LPROF, "doctor", "--json"]), "doctor"))
    check(found["works"], f"doctor: {found['reason']}")
    pathlib.Path(os.environ["FINDINGS"]).write_text(json.dumps(found))
    has = found["features"]
    methods = ["perf"] if has["perf_uprobe"]["available"] else []
    methods += ["multi"] if has["uprobe_multi"]["available"] else []
    methods += ["session"] if has["uprobe_session"]["available"] else []
    check(found["attach"] == methods[-1], f"doctor: attaches by {found['attach']}, of {methods}")
    return methods[-1:] if QUICK else methods


def try_run(level, specs, method, exits, directory):
    what = f"run {specs[0]} -O{level} --attach={method} --exit={exits}"
    program, path = BUILD / "kernels" / f"shaky-O{level}", directory / "x.json"
    path.unlink(missing_ok=True)
    tell(what)
    printed = finish(start([LPROF, "run", *specs, f"--attach={method}", f"--exit={exits}", "-o", path, "--", program],
                           stderr=subprocess.PIPE), what)
    check(printed == finish(start([program]), "plain"), f"{what}: the program printed {printed!r}")
    found = functions(path, what)
    check_calls(found, what)
    if level == 0 and specs[0] == "-l":
        check_lines(found, what)


def wait_for_activation(recorder):
    """Once lprof waits, its probes stand and count."""
    end = time.monotonic() + SECONDS
    while recorder.poll() is None and time.monotonic() < end:
        number = pathlib.Path(f"/proc/{recorder.pid}/syscall").read_text().split()[0]
        if number.isdigit() and int(number) in POLLS:
            return
        time.sleep(0.05)
    check(False, "record: never began")


def try_record(method, exits, directory):
    what = f"record --attach={method} --exit={exits}"
    path = directory / "y.json"
    path.unlink(missing_ok=True)
    tell(what)
    target = start([COUNTED, "wait"], stdin=subprocess.PIPE)
    recorder = start([LPROF, "record", "-p", target.pid, "-l", "leaf", "-f", "main", f"--attach={method}",
                      f"--exit={exits}", "-o", path], stderr=subprocess.PIPE)
    wait_for_activation(recorder)
    target.stdin.write("x" * 1013)
    check(finish(target, what) == "done\n", f"{what}: the target's output")
    finish(recorder, what)
    leaf = functions(path, what).get("leaf", {"calls": None, "accounting": {"exits": None}})
    check((leaf["calls"], leaf["accounting"]["exits"]) == (1013, 1013), f"{what}: {leaf}")


def try_off_cpu(directory):
    """Three waits of 200 ms are there, and not for longer than the function was."""
    path = directory / "z.json"
    tell("run --off-cpu")
    finish(start([LPROF, "run", "--off-cpu", "-f", "four_lines", "-o", path, "--", SPENDER, "200", "mixed"],
                 stderr=subprocess.PIPE), "run --off-cpu")
    found = functions(path, "run --off-cpu").get("four_lines", {})
    check(found.get("off_cpu"), f"run --off-cpu: {found}")
    check(0.55e9 <= found.get("blocked_ns", 0) <= found.get("total_ns", 0), f"run --off-cpu: {found.get('blocked_ns')} ns blocked")


def main():
    methods = try_doctor()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for method in methods:
            if method == methods[-1]:  # the best; single probes in great number are slow
                try_run(0, ["-l", "*"], method, "auto", directory)
            if method == methods[-1] and not QUICK:
                try_run(2, ["-l", "*"], method, "sites", directory)
            try_run(2, ["-f", "*"], method, "auto", directory)
            if not QUICK:
                try_record(method, "return", directory)
        try_record("best", "sites", directory)
        try_off_cpu(directory)
    report = finish(start([LPROF, "run", "-f", "leaf", "--", COUNTED], stderr=subprocess.PIPE), "run")
    check(re.search(r"^ +7919 .*\(leaf\)$", report, re.MULTILINE), f"the report: {report}")
    print(f"{len(problems)} problems")
    sys.exit(bool(problems))


main()
