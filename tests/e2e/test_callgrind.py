#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""callgrind_annotate shows of our .callgrind the totals, functions, lines and calls that the .json has."""
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import exported  # noqa: E402
import measuring  # noqa: E402


def annotate(checks, what, path, *options, sources=()):
    """callgrind_annotate's rows, [([number, ...], text), ...]; it must have found nothing wrong."""
    command = ["callgrind_annotate", "--threshold=100", "--auto=no", *options, path, *sources]
    ended = exported.run(command, cwd=measuring.TOP)
    checks.equal((ended.returncode, ended.stderr), (0, ""), f"{what}: callgrind_annotate {' '.join(options)}")
    rows = []
    for line in ended.stdout.splitlines():
        plain = re.sub(r"\( ?[\d.]+%\)", " ", line)
        found = re.match(r" *((?:(?:[\d,]+|\.) +){2,7})(.*)$", plain)
        if found:
            numbers = [int(number.replace(",", "")) if number != "." else 0 for number in found[1].split()]
            rows.append((numbers, found[2].strip()))
    return rows


def name_of(function):
    return f"{function['file'] or '???'}:{function['name']}"


def by_name(rows):
    """Rows of functions, without their object files."""
    return {re.sub(r" \[[^]]*\]$", "", text): numbers for numbers, text in rows}


def numbers_of(profile, line):
    """What stands in the columns for a line, or for a function without its hits."""
    numbers = [line["self_ns"], line["total_ns"], line.get("hits", 0)] if exported.is_timed(profile) else []
    if profile["sampling_period_ns"]:
        numbers += [line["cpu_samples"] * profile["sampling_period_ns"], line["cpu_total_samples"] * profile["sampling_period_ns"]]
    if profile["off_cpu"]:
        numbers += [line["blocked_ns"], line["waiting_ns"]]
    return numbers


def add(sum_of, numbers):
    return [a + b for a, b in zip(sum_of, numbers)] if sum_of else numbers


def check_totals(checks, what, profile, rows):
    """All own time, twice, since shares of times with callees are shares of that as well; hits; CPU time, alike; off the CPU too."""
    wanted = []
    if exported.is_timed(profile):
        own = sum(function["self_ns"] for function in profile["functions"])
        wanted = [own, own, sum(line["hits"] for function in profile["functions"] for line in function["lines"])]
    if profile["sampling_period_ns"]:
        wanted += [sum(function["cpu_samples"] for function in profile["functions"]) * profile["sampling_period_ns"]] * 2
    if profile["off_cpu"]:
        wanted += [own, own]
    checks.equal([numbers for numbers, text in rows if text == "PROGRAM TOTALS"], [wanted], f"{what}: totals")


def check_functions(checks, what, profile, path):
    """Own times, times with callees as lprof has them, and those that the reader adds up by calls."""
    rows = annotate(checks, what, path)
    check_totals(checks, what, profile, rows)
    own, inclusive = by_name(rows), by_name(annotate(checks, what, path, "--inclusive=yes"))
    for function in profile["functions"]:
        name = name_of(function)
        if any(line["file"] != function["file"] for line in function["lines"]):
            continue  # rows in other files are functions of their own there
        wanted = numbers_of(profile, function)
        # of lines that called each other the same samples stand at each
        for at in [4] if profile["sampling_period_ns"] and exported.is_timed(profile) else [1] if profile["sampling_period_ns"] else []:
            lines = sum(line["cpu_total_samples"] for line in function["lines"]) * profile["sampling_period_ns"]
            wanted[at] = max(wanted[at], lines)
        if exported.is_timed(profile):
            wanted[2] = sum(line["hits"] for line in function["lines"])
        checks.equal(own.get(name, [0] * len(wanted)), wanted, f"{what}: {name}: own numbers")
        if not exported.is_timed(profile):
            total = function["cpu_total_samples"] * profile["sampling_period_ns"]
            checks.equal(inclusive.get(name, [0])[0], total, f"{what}: {name}: inclusive CPU time")
        elif function["calls"]:
            checks.equal(inclusive.get(name, [0])[0], function["total_ns"], f"{what}: {name}: inclusive time")


def check_calls(checks, what, profile, path):
    """Callers and callees with their counts."""
    ended = exported.run(["callgrind_annotate", "--threshold=100", "--auto=no", "--tree=both", path])
    caller, found = None, {}
    for line in ended.stdout.splitlines():
        row = re.search(r" ([<*>]) +(.*?)(?: \((\d+)x\))? \[[^]]*\]$", line)
        if row and row[1] == "*":
            caller = row[2]
            for above in found.pop(None, {}).items():
                found[above[0], caller] = above[1]
        elif row and row[1] == "<":
            found.setdefault(None, {})[row[2]] = int(row[3])
    functions = profile["functions"]
    for function in functions:
        known = 0
        for edge in function["callers"]:
            if edge["function"] is not None and edge["calls"]:
                known += edge["calls"]
                key = (name_of(functions[edge["function"]]), name_of(function))
                checks.equal(found.get(key), edge["calls"], f"{what}: calls {key}")
        if function["calls"] > known:
            key = ("???:[not measured]", name_of(function))
            checks.equal(found.get(key), function["calls"] - known, f"{what}: calls {key}")


def check_lines(checks, what, profile, path):
    """Each measured line of a source that is here, as annotated."""
    sources = {function["file"] for function in profile["functions"] if function["lines"]}
    for source in sources:
        text = measuring.TOP / source
        if not text.exists():
            continue
        wanted = {}
        for function in profile["functions"]:
            lines = function["lines"] or [function]
            for line in lines:
                if line["file"] == source:
                    wanted[line["line"]] = add(wanted.get(line["line"]), numbers_of(profile, line))
        rows = [row for row in annotate(checks, what, path, sources=[source]) if not row[1].startswith("=>")]
        lines = text.read_text().splitlines()
        for number, numbers in wanted.items():
            contents = lines[number - 1].strip()
            shown = [row[0] for row in rows if row[1] == contents]
            checks.that(numbers in shown or not any(numbers), f"{what}: line {number}: {numbers} is not in {shown}")


def test_names_of_files(checks, directory):
    path = exported.export(exported.EXAMPLE, directory / "callgrind.out.1234")
    checks.that(path.read_text().startswith("# callgrind format"), f"{path.name} is another format")


def test_hostile_names(checks, directory):
    """Nothing malformed, no function lost to its name, and what names lost is said in the file."""
    count = exported.write_hostile(directory / "hostile.json")
    path = exported.export(directory / "hostile.json", directory / "hostile.callgrind")
    checks.that("desc: 4 names were shortened" in path.read_text(), "shortened names are not said")
    rows = annotate(checks, "hostile names", path)
    names = by_name(rows)
    own = [numbers[0] for name, numbers in names.items() if ":" in name and "[not measured]" not in name]
    in_header = names.get("/src/more.h:main", [None])[0]
    checks.equal(in_header, 0, "own time of main's line in a header")
    checks.equal(sorted(own), [0, 1100000] + [4000000] * (count + 1), "own times of hostile names")
    checks.that(max(map(len, path.read_text().splitlines())) < 1100, "a line is too long")


def main():
    measuring.need_tools("callgrind_annotate")
    checks = measuring.Checks()
    with measuring.scratch() as scratch:
        directory = pathlib.Path(scratch)
        for what, source in exported.profiles(directory):
            path = exported.export(source, directory / "x.callgrind")
            profile = exported.load(source)
            check_functions(checks, what, profile, path)
            if exported.is_timed(profile):
                check_calls(checks, what, profile, path)
            check_lines(checks, what, profile, path)
        test_names_of_files(checks, directory)
        test_hostile_names(checks, directory)
    checks.finish(100, "callgrind's format")


main()
