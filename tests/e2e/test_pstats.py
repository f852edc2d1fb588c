#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Python's pstats reads our .prof, number by number as the .json has it; we read what cProfile wrote."""
import cProfile
import pathlib
import pstats
import re
import sys

sys.dont_write_bytecode = True
import exported  # noqa: E402
import measuring  # noqa: E402


def key_of(function):
    name = function["name"]
    if function["timed_calls"] + function["accounting"]["open"] < function["calls"]:
        name += f" [timed {function['timed_calls']} of {function['calls']} calls]"
    if function["file"]:
        return (function["file"], function["line"], name)
    return ("~", 0, f"<{pathlib.Path(function['image']).name} {name}>" if function["image"] else f"<{name}>")


def times_of(profile, function):
    """Own and total time: of calls, or else sampled."""
    if exported.is_timed(profile):
        return function["self_ns"], function["total_ns"]
    period = profile["sampling_period_ns"]
    return function["cpu_samples"] * period, function["cpu_total_samples"] * period


def check_numbers(checks, what, profile, stats):
    """Each function and each caller of it, as pstats holds them."""
    functions = profile["functions"]
    checks.equal(len(stats.stats), len(functions), f"{what}: functions")
    for function in functions:
        key = key_of(function)
        primitive, calls, own, total, callers = stats.stats.get(key, (None,) * 5)
        if not checks.that(calls is not None, f"{what}: {key} is missing"):
            continue
        checks.equal((primitive, calls), (function["primitive_calls"], function["calls"]), f"{what}: calls of {key}")
        own_ns, total_ns = times_of(profile, function)
        checks.that(exported.near(own, own_ns / 1e9), f"{what}: {key}: own time {own}")
        checks.that(exported.near(total, total_ns / 1e9), f"{what}: {key}: total time {total}")
        known = [caller for caller in function["callers"] if caller["function"] is not None]
        checks.equal(len(callers), len(known), f"{what}: callers of {key}")
        for caller in known:
            row = callers.get(key_of(functions[caller["function"]]))
            wanted = (caller["calls"], caller["primitive_calls"], caller["self_ns"] / 1e9, caller["total_ns"] / 1e9)
            checks.equal(row, wanted, f"{what}: {key}: a caller")


def check_traversal(checks, what, stats):
    """As gprof2dot and snakeviz go through it: every caller is a function, edges add up to calls."""
    stats.calc_callees()
    for key, (_, calls, _, _, callers) in stats.stats.items():
        for caller in callers:
            checks.that(caller in stats.stats and key in stats.all_callees[caller], f"{what}: {caller} leads nowhere")
        checks.that(sum(row[0] for row in callers.values()) <= calls, f"{what}: {key}: more calls by callers than calls")


def check_browser(checks, what, path, profile):
    """`python3 -m pstats`: its table has the same numbers, in the order of cumulative times."""
    ended = exported.run([sys.executable, "-m", "pstats", path], input="sort cumulative\nstats\ncallers\n")
    checks.equal(ended.returncode, 0, f"{what}: pstats: {ended.stderr}")
    calls = sum(function["calls"] for function in profile["functions"])
    checks.that(re.search(rf"^ +{calls} function calls", ended.stdout, re.M), f"{what}: no {calls} calls in {ended.stdout}")
    rows = re.findall(r"^ +(\d+)(?:/(\d+))? +([\d.]+)(?: +[\d.]+)? +([\d.]+)(?: +[\d.]+)? +(?:(\S.*):(\d+)\((.*)\)|\{(.*)\})$",
                      ended.stdout.split("was called by")[0], re.M)
    checks.equal(len(rows), len(profile["functions"]), f"{what}: rows of pstats")
    totals = [float(row[3]) for row in rows]
    checks.equal(totals, sorted(totals, reverse=True), f"{what}: cumulative times of pstats")
    by_key = {key_of(function): function for function in profile["functions"]}
    for calls, primitive, own, total, file, line, name, sourceless in rows:
        function = by_key.get((file, int(line), name) if file else ("~", 0, f"<{sourceless}>"))
        if not checks.that(function, f"{what}: pstats has {file}:{line}({name})"):
            continue
        checks.equal((int(calls), int(primitive or calls)), (function["calls"], function["primitive_calls"]), name)
        own_ns, total_ns = times_of(profile, function)
        checks.that(exported.near(float(own), own_ns / 1e9, 3), f"{what}: {name}: {own}")
        checks.that(exported.near(float(total), total_ns / 1e9, 3), f"{what}: {name}: {total}")


def check_read_back(checks, what, path, original, directory):
    """What the format holds comes back; report, merge and diff take it."""
    again = exported.load(exported.export(path, directory / "again.json"))
    for before, after in zip(original["functions"], again["functions"]):
        checks.equal((after["self_ns"], after["total_ns"]), times_of(original, before), f"{what}: read back: {before['name']}")
        for key in ("calls", "primitive_calls", "timed_calls"):
            if key != "timed_calls" or before["timed_calls"] + before["accounting"]["open"] < before["calls"]:
                checks.equal(after[key], before[key], f"{what}: read back: {key} of {before['name']}")
    measuring.succeed([measuring.LPROF, "report", path])
    ended = measuring.succeed([measuring.LPROF, "diff", "--json", path, path])
    checks.that('_changed": true' not in ended.stdout, f"{what}: it differs from itself")
    summed = directory / "sum.json"
    measuring.succeed([measuring.LPROF, "merge", path, path, "-o", summed])
    for before, after in zip(original["functions"], exported.load(summed)["functions"]):
        checks.equal(after["calls"], 2 * before["calls"], f"{what}: merged: calls of {before['name']}")


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def test_cprofile(checks, directory):
    """cProfile's own file: our report has its numbers, and writes it back as it was."""
    profiler = cProfile.Profile()
    profiler.runcall(lambda: (fibonacci(12), sorted([3, 2, 1]), re.compile("a+[bc]*d")))
    profiler.dump_stats(directory / "python.prof")
    theirs = pstats.Stats(str(directory / "python.prof"))
    ours = pstats.Stats(str(exported.export(directory / "python.prof", directory / "ours.pstat")))
    checks.equal(set(ours.stats), set(theirs.stats), "cProfile's functions")
    for key, (primitive, calls, own, total, callers) in theirs.stats.items():
        found = ours.stats.get(key, (0, 0, 0, 0, {}))
        checks.equal(found[:2], (primitive, calls), f"cProfile's calls of {key}")
        checks.that(exported.near(found[2], own) and exported.near(found[3], total), f"cProfile's times of {key}")
        checks.equal({caller: row[:2] for caller, row in found[4].items()},
                     {caller: row[:2] for caller, row in callers.items()}, f"cProfile's callers of {key}")
    report = measuring.succeed([measuring.LPROF, "report", directory / "python.prof"]).stdout
    checks.that(re.search(r"^ +1/465 .*:\d+\(fibonacci\)$", report, re.M), f"465 calls of fibonacci in {report}")


def test_hostile_names(checks, directory):
    """No function is lost to its name, no control character gets through."""
    count = exported.write_hostile(directory / "hostile.json")
    ended = measuring.succeed([measuring.LPROF, "export", directory / "hostile.json", "-o", directory / "hostile.prof"])
    checks.that("4 names were shortened" in ended.stderr, f"shortened names: {ended.stderr!r}")
    stats = pstats.Stats(str(directory / "hostile.prof")).stats
    checks.equal(len(stats), count + 2, "functions of hostile names")
    for file, _, name in stats:
        checks.that(len(file) < 1100 and len(name) < 1100, f"a name of {len(name)} characters")
        checks.that(not re.search(r"[\x00-\x1f\x7f\u202e]", file + name), f"{name!r} holds a control character")


def main():
    checks = measuring.Checks()
    with measuring.scratch() as scratch:
        directory = pathlib.Path(scratch)
        for what, source in exported.profiles(directory):
            path = exported.export(source, directory / "x.prof")
            profile = exported.load(source)
            stats = pstats.Stats(str(path))
            check_numbers(checks, what, profile, stats)
            check_traversal(checks, what, stats)
            check_browser(checks, what, path, profile)
            check_read_back(checks, what, path, profile, directory)
        test_cprofile(checks, directory)
        test_hostile_names(checks, directory)
    checks.finish(150, "profiles of pstats")


main()
