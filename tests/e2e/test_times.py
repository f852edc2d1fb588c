#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Times are true: what a program measures of itself is in lprof's tables.

A program that measures its own nested sleeps and spins, recursion included, finds them there within 5% or
2 us a call (its own and those it makes), for each function and line. What a busy machine takes away between
two of the program's clock readings is not the program's: a run with such a gap is repeated, while a wrong
figure comes again. So a figure fails that was off in every run.
"""
import re
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402

SHARE, CALL_NS = 0.05, 2000
RUNS = 5
SPECS = [part for name in ("outer", "middle", "sleeper", "spinner", "brief", "recursive", "even", "odd")
         for part in ("-l", name)]


def expected(printed):
    """As the program measured them: {function: {what}}, {(function, line): {what}}."""
    functions, lines = {}, {}
    for name, *numbers in re.findall(r"^function (\w+) (\d+) (\d+) (\d+) (\d+)$", printed, re.M):
        functions[name] = dict(zip(("calls", "callees", "total_ns", "self_ns"), map(int, numbers)))
    for name, line, *numbers in re.findall(r"^line (\w+) (\d+) (\d+) (\d+) (\d+)$", printed, re.M):
        lines[name, int(line)] = dict(zip(("callees", "total_ns", "self_ns"), map(int, numbers)))
    return functions, lines


def is_near(found, wanted, calls):
    return abs(found - wanted) <= max(SHARE * wanted, CALL_NS * calls)


def run_once(checks, program, options, what):
    """One run's figures: {what it is: (found, wanted, calls)}."""
    profile = measuring.measure(SPECS, program, "20", options=options)
    measuring.check_profile(checks, profile, what)
    functions, lines = expected(profile["printed"])
    figures, seen = {}, set()
    for name, function in measuring.functions(profile).items():
        wanted = functions[name]
        checks.equal(function["calls"], wanted["calls"], f"{what}: calls of {name}")
        for key in ("total_ns", "self_ns"):
            figures[f"{name}: {key}"] = function[key], wanted[key], wanted["calls"] + wanted["callees"]
        for line in function["lines"]:
            seen.add((name, line["line"]))
            known = lines.get((name, line["line"]), {"total_ns": 0, "self_ns": 0, "callees": 0})
            calls = max(line["hits"], wanted["calls"]) + known["callees"]
            for key in ("total_ns", "self_ns"):
                figures[f"{name}, line {line['line']}: {key}"] = line[key], known[key], calls
    checks.equal(lines.keys() - seen, set(), f"{what}: lines not in the table")
    return figures


def test(checks, variant, *options):
    program, what = measuring.built("known_times", variant), " ".join((variant, *options))
    off, worst = None, 0
    for run in range(RUNS):
        figures = run_once(checks, program, options, what)
        wrong = {key for key, figure in figures.items() if not is_near(*figure)}
        off = wrong if off is None else off & wrong
        if not off:
            break
    for key, (found, wanted, calls) in figures.items():
        checks.that(key not in off, f"{what}: {key} {found}, not {wanted}, and so in each of {RUNS} runs")
        if SHARE * wanted > CALL_NS * calls:
            worst = max(worst, abs(found - wanted) / wanted)
    print(f"{what}: {len(figures)} figures in {run + 1} runs, the last one's worst {100 * worst:.2f}% off")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    for variant in ("gcc-O0", "gcc-O2", "clang-O2"):
        for exits in ("return", "sites"):
            test(checks, variant, f"--exit={exits}")
    test(checks, "gcc-O2", "--attach=multi")
    checks.finish(500, "times")


main()
