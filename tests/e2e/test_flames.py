#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Flame graphs show what the profile knows and nothing deeper: .folded as flamegraph.pl takes it apart, and
.speedscope.json as speedscope's file format has it."""
import collections
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import exported  # noqa: E402
import measuring  # noqa: E402

SEVERAL = "[several callers]"


def read_folded(checks, what, path):
    """{(frame, ...): weight}, with the pattern of flamegraph.pl."""
    stacks = collections.Counter()
    for line in path.read_text().splitlines():
        found = re.match(r"^(.*)\s+?(\d+(?:\.\d*)?)$", line)
        if checks.that(found, f"{what}: {line!r} is no stack with a weight"):
            stacks[tuple(found[1].split(";"))] += int(found[2])
    return stacks


def read_speedscope(checks, what, path):
    """{view's name: {(frame, ...): weight}}; everything must be where the format wants it."""
    file = json.loads(path.read_text())
    checks.equal(file["$schema"], "https://www.speedscope.app/file-format-schema.json", f"{what}: $schema")
    frames = file["shared"]["frames"]
    for frame in frames:
        checks.that(set(frame) <= {"name", "file", "line", "col"} and isinstance(frame["name"], str)
                    and isinstance(frame.get("file", ""), str) and isinstance(frame.get("line", 1), int),
                    f"{what}: frame {frame}")
    checks.that(0 <= file["activeProfileIndex"] < len(file["profiles"]), f"{what}: no view is active")
    views = {}
    for view in file["profiles"]:
        checks.equal((view["type"], view["startValue"]), ("sampled", 0), f"{what}: kind of view")
        checks.that(view["unit"] in ("none", "nanoseconds"), f"{what}: unit {view['unit']}")
        checks.equal(len(view["samples"]), len(view["weights"]), f"{what}: weights of {view['name']}")
        checks.equal(view["endValue"], sum(view["weights"]), f"{what}: end of {view['name']}")
        stacks = views.setdefault(view["name"], collections.Counter())
        for stack, weight in zip(view["samples"], view["weights"]):
            checks.that(stack and all(0 <= at < len(frames) for at in stack), f"{what}: stack {stack}")
            stacks[tuple(frames[at]["name"] for at in stack)] += weight
    return views, file.get("notes", [])


def line_name(file, line):
    return f"{pathlib.Path(file).name}:{line}"


def sampled(profile, weight):
    """The recorded stacks, as flame graphs name frames."""
    stacks = collections.Counter()
    for stack in profile["stacks"]:
        frames = [profile["frames"][at] for at in stack["frames"]]
        names = [frame["name"] for frame in frames]
        if frames and frames[-1]["file"] and frames[-1]["line"]:
            names.append(line_name(frames[-1]["file"], frames[-1]["line"]))
        if frames and stack["cpu_samples"]:
            stacks[tuple(names)] += stack["cpu_samples"] * weight
    return stacks


def callers_of(profile, function):
    """Names of the callers but itself; None: from outside; '?' where calls are not all known."""
    names = {profile["functions"][edge["function"]]["name"] if edge["function"] is not None else None
             for edge in function["callers"]} - {function["name"]}
    if sum(edge["calls"] for edge in function["callers"]) < function["timed_calls"] or (function["callers"] and not names):
        names.add("?")
    return names


def check_times(checks, what, profile, stacks, by_caller):
    """Own times of functions, lines and edges come out exactly; what stands above is certain."""
    functions = {function["name"]: function for function in profile["functions"]}
    own = collections.Counter()
    leaves = collections.Counter()
    edges = collections.Counter()
    for stack, weight in stacks.items():
        names = [name for name in stack if name in functions]
        own[names[-1]] += weight
        leaves[names[-1], stack[-1]] += weight
        edges[names[-2] if len(names) > 1 else None, names[-1]] += weight
        for caller, callee in zip(stack, stack[1:]):
            if callee in functions:
                known = callers_of(profile, functions[callee])
                if caller == SEVERAL:
                    checks.that(len(known) != 1 or "?" in known, f"{what}: {callee} has one caller, {known}")
                else:
                    checks.that(known == {caller} or (callee == names[-1] and caller in known),
                                f"{what}: {caller} above {callee}, which {known} called")
        if stack[0] in functions and functions[stack[0]]["callers"]:
            known = callers_of(profile, functions[stack[0]])
            checks.that(known == {None} or (len(names) == 1 and None in known), f"{what}: {stack} begins with a callee")
    for name, function in functions.items():
        checks.equal(own[name], max(function["self_ns"], 0), f"{what}: own time of {name}")
        several = len(callers_of(profile, function)) > 1
        if several and (by_caller or not function["lines"]):
            left = function["self_ns"]
            for edge in function["callers"]:
                caller = profile["functions"][edge["function"]]["name"] if edge["function"] is not None else None
                if caller != name:
                    wanted = min(edge["self_ns"], left)
                    left -= wanted
                    found = edges[caller, name]
                    checks.that(found == wanted or (caller is None and found >= wanted), f"{what}: {caller} -> {name}: {found}")
            continue
        for line in function["lines"]:
            checks.equal(leaves[name, line_name(line["file"], line["line"])], line["self_ns"],
                         f"{what}: own time of {name}:{line['line']}")


def partial(name, profile):
    """The plain name of a frame that says how many calls were timed."""
    return re.sub(r" \[timed \d+ of \d+ calls\]$", "", name)


def check_profile(checks, what, source, directory):
    profile = exported.load(source)
    folded = read_folded(checks, what, exported.export(source, directory / "x.folded"))
    plain = collections.Counter()
    for stack, weight in folded.items():
        plain[tuple(partial(name, profile) for name in stack)] += weight
    views, notes = read_speedscope(checks, what, exported.export(source, directory / "x.speedscope.json"))
    if profile["stacks"]:
        checks.equal(plain, sampled(profile, 1), f"{what}: folded samples")
        period = profile["sampling_period_ns"]
        checks.equal(views.get("CPU time, sampled"), sampled(profile, period), f"{what}: speedscope's samples")
    else:
        checks.that(plain, f"{what}: nothing is folded")
        check_times(checks, f"{what}, folded", profile, plain, True)
    if not exported.is_timed(profile):
        checks.equal(list(views), ["CPU time, sampled"], f"{what}: views")
        return
    check_times(checks, f"{what}, by line", profile, views["time without callees, by line"], False)
    check_times(checks, f"{what}, by caller", profile, views["time without callees, by caller"], True)
    for loss in profile["losses"]:
        checks.that(any(note.startswith(f"not measured: {loss['count']} ") for note in notes), f"{what}: {loss} is not said")


def without_samples(directory):
    """The example as if it had been measured without --cpu, with a function of which edges were lost."""
    profile = exported.load(exported.EXAMPLE)
    profile.update(stacks=[], frames=[], sampling_period_ns=0)
    add = profile["functions"][0]
    profile["functions"].append(dict(add, name="lost", line=30, lines=[], callers=[dict(add["callers"][0], calls=5)]))
    profile["functions"].append(dict(add, name="twice", line=40, lines=[], callers=add["callers"]))
    profile["functions"].append(dict(add, name="certain", line=50, calls=7, timed_calls=7, callers=[
        {"function": 3, "calls": 7, "primitive_calls": 7, "total_ns": 1, "self_ns": 1},
        {"function": 4, "calls": 3, "primitive_calls": 0, "total_ns": 1, "self_ns": 1}]))
    path = directory / "exact.json"
    path.write_text(json.dumps(profile))
    return path


def test_hostile_names(checks, directory):
    count = exported.write_hostile(directory / "hostile.json")
    profile = exported.load(directory / "hostile.json")
    profile.update(stacks=[], frames=[])
    (directory / "hostile.json").write_text(json.dumps(profile))
    ended = measuring.succeed([measuring.LPROF, "export", directory / "hostile.json", "-o", directory / "hostile.folded"])
    checks.that(re.search(r"[1-9]\d* names were shortened", ended.stderr), f"shortened names: {ended.stderr!r}")
    folded = read_folded(checks, "hostile names", directory / "hostile.folded")
    checks.equal(sum(folded.values()), 1100000 + 4000000 * (count + 1), "time below hostile names")
    checks.that(all(len(stack) <= 4 for stack in folded), "a name became two frames")
    checks.that(not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", (directory / "hostile.folded").read_text()),
                "a control character got through")
    views, notes = read_speedscope(checks, "hostile names",
                                   exported.export(directory / "hostile.json", directory / "hostile.speedscope.json"))
    checks.equal(sum(views["time without callees, by line"].values()), 1100000 + 4000000 * (count + 1),
                 "speedscope's time below hostile names")
    checks.that(any("names were shortened" in note for note in notes), "shortened names are not said")


def test_nothing(checks, directory):
    """A profile without functions: files that readers take."""
    (directory / "empty.json").write_text('{"format": "lprof", "version": 1}')
    folded = exported.export(directory / "empty.json", directory / "empty.folded")
    checks.equal(folded.read_text(), "", "stacks of nothing")
    views, _ = read_speedscope(checks, "nothing", exported.export(directory / "empty.json", directory / "empty.speedscope.json"))
    checks.equal(list(views.values()), [{}], "speedscope's view of nothing")


def main():
    checks = measuring.Checks()
    with measuring.scratch() as scratch:
        directory = pathlib.Path(scratch)
        for what, source in exported.profiles(directory):
            check_profile(checks, what, source, directory)
        check_profile(checks, "an exact profile", without_samples(directory), directory)
        test_hostile_names(checks, directory)
        test_nothing(checks, directory)
    checks.finish(300, "flame graphs")


main()
