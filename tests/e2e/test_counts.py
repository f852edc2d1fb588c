#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts are exact. Programs of two compilers at three levels run twice, under lprof and under callgrind,
which counts every instruction: hits of each line are those of the sites that `lprof plan` names for it,
calls of each function are callgrind's. With each way to attach and to see exits.
"""
import collections
import json
import re
import sys

sys.dont_write_bytecode = True
import callgrind  # noqa: E402
import measuring  # noqa: E402

LEVELS = ("-O0", "-O2", "-O3")
METHODS = ("session", "multi", "perf")
EXITS = ("auto", "return", "sites")
# Else string hashes differ from run to run, and the cache of strings goes by their addresses.
LUA_FLAGS = ("-O2", "-g", "-Dluai_makeseed(L)=0x5eed", "-DSTRCACHE_N=1", "-DSTRCACHE_M=2")

# Calls that exceptions end, in a round of objects.cc; all others return.
THROWN = {"parse_digit": 2, "parse_number": 4, "parse_or": 2}


class Symbols:
    """The functions of an image as nm lists them, by address."""

    def __init__(self, image):
        self.names = {}
        for line in measuring.succeed(["nm", image]).stdout.splitlines():
            fields = line.split()
            if len(fields) == 3 and fields[1] in "tTwW":
                self.names.setdefault(int(fields[0], 16), set()).add(fields[2])
        self.starts = sorted(self.names)
        self.call_addresses = {
            int(match[1], 16) for match in re.finditer(
                r"^ *([0-9a-f]+):\s+(?:bnd )?call", measuring.succeed(
                    ["objdump", "-d", "--no-show-raw-insn", image]).stdout, re.M)}

    def start(self, address):
        """The symbol that an address belongs to: an entry's probe may stand some instructions on."""
        return max((start for start in self.starts if start <= address), default=None)


def without_suffix(name):
    return re.sub(r"(\.(part|constprop|isra|cold|lto_priv)(\.\d+)?)+$", "", name or "")


def source_calls(counts, symbols, entry):
    """
    Calls to the machine function at an entry, tail jumps among them. Its own jumps back to its start are
    none, and a part that was split off does not count its own function's calls.
    """
    start = symbols.start(entry)
    names = symbols.names.get(start, set())
    part_of = {without_suffix(name) for name in names if ".part." in name}
    return sum(count for (caller, address, called), count in counts.calls.items()
               if called == start and (caller not in names or address in symbols.call_addresses)
               and not (part_of and without_suffix(caller) in part_of))


def check_lines(checks, profile, plan, counts, what):
    columns = collections.defaultdict(collections.Counter)
    for site in plan["sites"]:
        for line in site["lines"]:
            place = line["function"], line["file"], line["line"]
            columns[place][line["column"]] += counts.executed[int(site["address"], 16)]
    found = collections.Counter()
    for function in profile["functions"]:
        for line in function["lines"]:
            found[function["name"], line["file"], line["line"]] += line["hits"]
    for place in columns.keys() | found.keys():
        wanted = max(columns[place].values(), default=0)
        checks.equal(found[place], wanted, f"{what}: hits of {place[1]}:{place[2]} in {place[0]}")
    return sum(found.values())


def check_calls(checks, profile, plan, counts, program, what):
    """Functions of one name are compared by their sum. Those of the C runtime have no source."""
    symbols = Symbols(program)
    found, wanted = collections.Counter(), collections.Counter()
    for function in profile["functions"]:
        if function["file"]:
            found[function["name"]] += function["calls"]
    for site in plan["sites"]:
        if site["role"] == "entry" and site["function"] in found:
            wanted[site["function"]] += source_calls(counts, symbols, int(site["address"], 16))
    for name, calls in found.items():
        checks.equal(calls, wanted[name], f"{what}: calls of {name}")
    return sum(found.values())


def compare(checks, program, *arguments, specs=("-l", "*"), options=(), at_least=400, counts=None):
    """Runs a program under both; gives the profile and callgrind's counts."""
    what = " ".join([program.parent.name + "/" + program.name, *options])
    counts, printed = counts or callgrind.count(program, *arguments)
    plan = json.loads(measuring.succeed(
        [measuring.LPROF, "plan", "--json", *specs, *[o for o in options if "exit" in o], program]).stdout)
    profile = measuring.measure(specs, program, *arguments, options=options)
    checks.equal(profile["printed"], printed, f"{what}: output, beside callgrind's")
    measuring.check_profile(checks, profile, what)
    hits = check_lines(checks, profile, plan, counts, what)
    calls = check_calls(checks, profile, plan, counts, program, what)
    checks.that(hits + calls >= at_least, f"{what}: only {hits} hits and {calls} calls")
    print(f"{what}: {hits} hits, {calls} calls")
    return profile, (counts, printed)


def check_thrown(checks, profile, rounds, what):
    """C++ exits are seen at their sites, so what ends unseen is what was thrown through."""
    for name, function in measuring.functions(profile).items():
        checks.equal(function["accounting"]["unwound"], THROWN.get(name, 0) * rounds, f"{what}: {name}: unwound")


def test_compilers(checks, directory):
    for compiler in ("gcc", "clang"):
        for level in LEVELS:
            compare(checks, measuring.built("shapes", compiler + level))
    for compiler in ("g++", "clang++"):
        for level in LEVELS:
            program = measuring.build(directory, "objects.cc", compiler, level)
            profile, _ = compare(checks, program)
            if level == "-O0":
                check_thrown(checks, profile, 3, program.name)


def test_lua(checks, directory):
    measuring.succeed([measuring.WORKLOADS / "build-lua", directory, "gcc", *LUA_FLAGS])
    compare(checks, directory / "lua", measuring.WORKLOADS / "bench.lua", "1", at_least=1000000)


def test_ways(checks):
    """Each way to attach and to see exits counts the same. Perf's probes are slow to remove: take few."""
    few = ("-f", "walk", "-f", "compare_keys", "-l", "find_prime", "-l", "apply_checked")
    program, counts = measuring.built("shapes", "gcc-O2"), None
    for method in METHODS:
        for way in EXITS:
            if (method, way) != ("session", "auto"):  # was the first comparison
                _, counts = compare(checks, program, specs=few if method == "perf" else ("-l", "*"),
                                    options=(f"--attach={method}", f"--exit={way}"), counts=counts)


def main():
    measuring.need_measuring()
    measuring.need_tools("valgrind", "setarch", "g++", "clang++")
    checks = measuring.Checks()
    with measuring.scratch() as name:
        directory = measuring.pathlib.Path(name)
        test_compilers(checks, directory)
        test_ways(checks)
        test_lua(checks, directory)
    checks.finish(10000, "counts")


main()
