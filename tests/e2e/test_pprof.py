#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`go tool pprof` shows of our .pb.gz the numbers of the .json: -raw each sample, -top functions, -list lines.

lprof reads its own files and Go's.
"""
import collections
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import exported  # noqa: E402
import measuring  # noqa: E402


def check_samples(checks, what, profile, path):
    """Values by the innermost place are those of functions and lines; callers are those of the edges."""
    rows, head, mappings = exported.read_raw(checks, what, path)
    flat = collections.Counter()
    edges = collections.Counter()
    for values, stack in rows:
        name, file, line = stack[0]
        for kind, value in values.items():
            flat[kind, name] += value
            flat[kind, name, file, line] += value
        if values["calls"] and len(stack) > 1:
            edges[stack[1][0], name] += values["calls"]
    functions = profile["functions"]
    for function in functions:
        name = function["name"]
        checks.equal(flat["calls", name], function["calls"], f"{what}: calls of {name}")
        checks.equal(flat["wall", name], function["total_ns"], f"{what}: wall of {name}")
        checks.equal(flat["self", name], function["self_ns"], f"{what}: self of {name}")
        for kind in ("blocked", "waiting"):
            checks.equal(flat[kind, name], function[f"{kind}_ns"], f"{what}: {kind} of {name}")
            checks.equal(any(kind in values for values, _ in rows), profile["off_cpu"] and bool(rows), f"{what}: type {kind}")
        for line in function["lines"]:
            for kind, key in (("hits", "hits"), ("wall", "total_ns"), ("self", "self_ns"), ("blocked", "blocked_ns"),
                              ("waiting", "waiting_ns")):
                checks.equal(flat[kind, name, line["file"], line["line"]], line[key],
                             f"{what}: {key} of {name}:{line['line']}")
        for caller in function["callers"]:
            if caller["function"] is not None:
                key = (functions[caller["function"]]["name"], name)
                checks.equal(edges[key], caller["calls"], f"{what}: calls {key}")
    stacks = collections.Counter()
    for stack in profile["stacks"]:
        frames = [profile["frames"][at] for at in reversed(stack["frames"])]
        key = tuple((frame["name"], frame["file"], frame["line"]) for frame in frames)
        stacks[key] += stack["cpu_samples"] * profile["sampling_period_ns"]
    if stacks:
        found = collections.Counter({tuple(stack): values["cpu"] for values, stack in rows if values["cpu"]})
        checks.equal(found, stacks, f"{what}: sampled stacks")
    used = {function.get("image_index") for function in functions}
    for image in (profile["images"][at] for at in used if at is not None):
        checks.that(f"{image['path']} {image['build_id']}" in mappings, f"{what}: {image} is not in {mappings}")
    for loss in profile["losses"]:
        checks.that(re.search(rf"^Comment: not measured: {loss['count']} ", head, re.M), f"{what}: {loss} is not said")


def check_certain_stacks(checks, what, profile, path):
    """Above a function stand callers only that all of its calls came from."""
    rows, _, _ = exported.read_raw(checks, what, path)
    functions = {function["name"]: function for function in profile["functions"]}
    for values, stack in rows:
        for callee, caller in zip(stack, stack[1:]):
            if not values["self"]:
                continue
            function = functions[callee[0]]
            callers = {profile["functions"][edge["function"]]["name"] if edge["function"] is not None else None
                       for edge in function["callers"]} - {callee[0]}
            checks.equal(callers, {caller[0]}, f"{what}: what stands above {callee[0]}")
            checks.equal(sum(edge["calls"] for edge in function["callers"]), function["timed_calls"],
                         f"{what}: calls known of {callee[0]}")


def check_top(checks, what, profile, path):
    """The table of functions, by the unit in which nothing is rounded."""
    for kind, key in (("wall", "total_ns"), ("self", "self_ns"), ("calls", "calls")):
        text = exported.pprof(checks, what, path, f"-sample_index={kind}", "-unit=ns", "-nodefraction=0", "-top")
        rows = dict((name, float(flat)) for flat, name in re.findall(r"^ *([\d.]+)(?:ns)? +[\d.e+-]+% .*% +(\S.*)$", text, re.M))
        for function in profile["functions"]:
            checks.equal(rows.get(function["name"], 0), function[key], f"{what}: -top: {kind} of {function['name']}")
        checks.that(rows or not sum(function[key] for function in profile["functions"]), f"{what}: no rows in {text}")


def check_list(checks, what, profile, path):
    """Measured lines beside their source, where that is here."""
    for function in profile["functions"]:
        if not function["lines"] or not (measuring.TOP / function["file"]).exists():
            continue
        source = (measuring.TOP / function["file"]).read_text().splitlines()
        for kind, key in (("wall", "total_ns"), ("hits", "hits"), ("self", "self_ns")):
            if not any(line[key] for line in function["lines"]):
                continue
            text = exported.pprof(checks, what, path, f"-sample_index={kind}", "-unit=ns", "-list", f"^{function['name']}$")
            rows = {int(line): (flat, code) for flat, line, code in
                    re.findall(r"^ *([\d.]+)(?:ns)? +[\d.]+(?:ns)? +(\d+):(.*)$", text, re.M)}
            for line in function["lines"]:
                if line["file"] == function["file"] and line[key]:
                    flat, code = rows.get(line["line"], ("0", None))
                    checks.that(flat != "." and float(flat) == line[key],
                                f"{what}: -list: {kind} of {function['name']}:{line['line']}: {flat}, not {line[key]}")
                    checks.equal(code, source[line["line"] - 1], f"{what}: -list: source of line {line['line']}")


def check_read_back(checks, what, original, path, directory):
    """What the format holds comes back; report, merge and diff take it."""
    again = exported.load(exported.export(path, directory / "again.json"))
    found = {(function["name"], function["file"], function["line"]): function for function in again["functions"]}
    for before in original["functions"]:
        after = found.get((before["name"], before["file"], before["line"]))
        if not checks.that(after or not (before["calls"] or before["total_ns"]), f"{what}: {before['name']} was lost"):
            continue
        for key in ("calls", "total_ns", "self_ns", "timed_calls", "blocked_ns", "waiting_ns"):
            if after and (key != "timed_calls" or not before["accounting"]["open"]):
                checks.equal(after[key], before[key], f"{what}: read back: {key} of {before['name']}")
        lines = {line["line"]: line for line in after["lines"]} if after else {}
        for line in before["lines"]:
            if line["hits"] and before["lines_measured"]:
                numbers = [[each.get(key) for key in ("hits", "total_ns", "self_ns", "blocked_ns", "waiting_ns")]
                           for each in (lines.get(line["line"], {}), line)]
                checks.equal(*numbers, f"{what}: read back: {before['name']}:{line['line']}")
    checks.equal([stack["cpu_samples"] for stack in again["stacks"]], [stack["cpu_samples"] for stack in original["stacks"]],
                 f"{what}: read back: stacks")
    checks.equal(again["losses"], original["losses"], f"{what}: read back: losses")
    measuring.succeed([measuring.LPROF, "report", path])
    ended = measuring.succeed([measuring.LPROF, "diff", "--json", path, path])
    checks.that('_changed": true' not in ended.stdout, f"{what}: it differs from itself")
    compared = {function["name"]: function["new"].get("blocked_ns") for function in json.loads(ended.stdout)["functions"]}
    wanted = {function["name"]: function["blocked_ns"] if function["off_cpu"] else None for function in again["functions"]}
    checks.equal(compared, wanted, f"{what}: diff: blocked")
    measuring.succeed([measuring.LPROF, "merge", path, path, "-o", directory / "sum.pb.gz"])
    total = sum(values["calls"] for values, _ in exported.read_raw(checks, what, directory / "sum.pb.gz")[0])
    checks.equal(total, 2 * sum(function["calls"] for function in original["functions"]), f"{what}: merged: calls")
    total = sum(values.get("blocked", 0) for values, _ in exported.read_raw(checks, what, directory / "sum.pb.gz")[0])
    checks.equal(total, 2 * sum(function["blocked_ns"] for function in original["functions"]), f"{what}: merged: blocked")


def test_go_profile(checks, directory):
    """A profile that Go wrote: our samples of functions, own and with callees, are those of `go tool pprof`."""
    environment = {**measuring.ENVIRONMENT, "HOME": str(directory), "GOCACHE": str(measuring.BUILD / "go-cache"), "GO111MODULE": "off"}
    measuring.succeed(["go", "build", "-o", directory / "burn", measuring.WORKLOADS / "burn.go"], env=environment)
    path = directory / "burn.pb.gz"
    measuring.succeed([directory / "burn", path])
    profile = exported.load(exported.export(path, directory / "burn.json"))
    text = exported.pprof(checks, "Go's profile", path, "-sample_index=samples", "-nodefraction=0", "-nodecount=10000", "-top")
    theirs = {name: (int(flat), int(cum)) for flat, cum, name in
              re.findall(r"^ *(\d+) +[\d.e+-]+% +[\d.e+-]+% +(\d+) +[\d.e+-]+% +(\S.*?)(?: \(inline\))?$", text, re.M)}
    ours = {function["name"]: (function["cpu_samples"], function["cpu_total_samples"]) for function in profile["functions"]}
    checks.equal(ours, theirs, "Go's profile: samples")
    checks.that(ours.get("main.fibonacci", (0, 0))[0] > 5, f"Go's profile: fibonacci has {ours.get('main.fibonacci')}")
    checks.equal(profile["sampling_period_ns"], 10000000, "Go's profile: period")
    listed = exported.pprof(checks, "Go's profile", path, "-sample_index=samples", "-list", "main.fibonacci")
    lines = {int(line): int(flat) for flat, line in re.findall(r"^ +(\d+) +\d+ +(\d+):", listed, re.M)}
    fibonacci = next(function for function in profile["functions"] if function["name"] == "main.fibonacci")
    checks.equal({line["line"]: line["cpu_samples"] for line in fibonacci["lines"] if line["cpu_samples"]}, lines,
                 "Go's profile: samples of lines")
    again = read_foreign(checks, exported.export(path, directory / "again.pb.gz"))
    checks.equal(again, read_foreign(checks, path), "Go's profile, written by lprof")


def read_foreign(checks, path):
    """Own CPU time by function."""
    text = exported.pprof(checks, path.name, path, "-sample_index=cpu", "-unit=ns", "-nodefraction=0", "-nodecount=10000", "-top")
    return {name: float(flat) for flat, name in re.findall(r"^ *([\d.]+)(?:ns)? +[\d.e+-]+% .*% +(\S.*?)(?: \(inline\))?$", text, re.M)}


def test_hostile_names(checks, directory):
    count = exported.write_hostile(directory / "hostile.json")
    path = exported.export(directory / "hostile.json", directory / "hostile.pb.gz")
    text = exported.pprof(checks, "hostile names", path, "-raw")
    checks.that(re.search(r"^Comment: [1-9]\d* names were shortened", text, re.M), "shortened names are not said")
    checks.that(not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text.replace("\t", "")), "a control character got through")
    own = [line for line in text.splitlines() if re.match(r"^ +\d+ +\d+ +\d+ +3000000 ", line)]
    checks.equal(len(own), count + 1, "hostile functions' line 6")
    first, again = (exported.export(directory / "hostile.json", directory / f"{name}.pb.gz").read_bytes() for name in "ab")
    checks.that(first == again, "equal profiles give different files")


def main():
    measuring.need_tools("go")
    if exported.run(["go", "tool", "pprof", "-help"]).returncode not in (0, 2):
        measuring.skip("no go tool pprof")
    checks = measuring.Checks()
    with measuring.scratch() as scratch:
        directory = pathlib.Path(scratch)
        for what, source in exported.profiles(directory):
            path = exported.export(source, directory / "x.pb.gz")
            profile = exported.load(source)
            check_samples(checks, what, profile, path)
            check_certain_stacks(checks, what, profile, path)
            check_top(checks, what, profile, path)
            check_list(checks, what, profile, path)
            check_read_back(checks, what, profile, path, directory)
        test_hostile_names(checks, directory)
        test_go_profile(checks, directory)
    checks.finish(200, "pprof's format")


main()
