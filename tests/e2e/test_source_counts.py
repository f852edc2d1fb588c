#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts are the source's: at -O0 hits equal gcov's for every plain statement, at -O2 for at least 80% of
Lua's statement lines that gcov says ran, while at most 3% of those that never ran show hits.
"""
import sys

sys.dont_write_bytecode = True
import gcov_counts  # noqa: E402
import measuring  # noqa: E402

# Without these, hashes of strings and a cache of them go by addresses.
LUA_FLAGS = ("-Dluai_makeseed(L)=0x5eed", "-DSTRCACHE_N=1", "-DSTRCACHE_M=2")
COVERED = ("-O0", "-g", "--coverage", "-fprofile-update=atomic")


def test_plain_statements(checks, directory, source, *arguments, compiler="gcc"):
    """The sources' lines at -O0, each by itself."""
    covered = directory / f"covered-{source}-{'-'.join(arguments)}"
    covered.mkdir()
    measuring.succeed([measuring.build(covered, source, compiler, *COVERED), *arguments], cwd=covered)
    counts = gcov_counts.read(covered)
    name, _, kind = source.partition(".")
    program = measuring.built(name, f"{compiler}-O0") if kind == "c" else measuring.build(directory, source, compiler, "-O0")
    profile = measuring.measure(["-l", "*"], program, *arguments)
    measuring.check_profile(checks, profile, source)
    text, found, plain = gcov_counts.Text(measuring.WORKLOADS / source), gcov_counts.hits(profile), 0
    for (file, line), count in counts.items():
        if file == source and text.is_plain(line):
            plain += 1
            checks.equal(found[file, line], count, f"{file}:{line}: hits, beside gcov's: {text.at(line)}")
    print(f"{source} {' '.join(arguments)}: {plain} plain statements")
    checks.that(plain >= 10, f"{source}: only {plain} plain statements")


def test_lua(checks, directory):
    covered = directory / "covered-lua"
    job = (measuring.WORKLOADS / "bench.lua", "1")
    measuring.succeed([measuring.WORKLOADS / "build-lua", covered, "gcc", *COVERED, *LUA_FLAGS])
    measuring.succeed([measuring.WORKLOADS / "build-lua", directory / "lua", "gcc", "-O2", "-g", *LUA_FLAGS])
    printed = measuring.succeed([covered / "lua", *job]).stdout
    profile = measuring.measure(["-l", "*"], directory / "lua" / "lua", *job)
    checks.equal(profile["printed"], printed, "Lua: output, beside the covered one's")
    measuring.check_profile(checks, profile, "Lua")
    shares = gcov_counts.Shares(profile, gcov_counts.read(covered))
    print(f"Lua: {shares}")
    checks.that(shares.executed > 4000 and shares.never > 2000, f"Lua: {shares.executed} and {shares.never} lines only")
    checks.that(shares.equal_share >= 0.80, f"Lua: {shares}")
    checks.that(shares.ghost_share <= 0.03, f"Lua: {shares}")


def main():
    measuring.need_measuring()
    measuring.need_tools("gcov", "g++")
    checks = measuring.Checks()
    with measuring.scratch() as name:
        directory = measuring.pathlib.Path(name)
        test_plain_statements(checks, directory, "shapes.c")
        test_plain_statements(checks, directory, "crowd.c", "mutual")
        test_plain_statements(checks, directory, "crowd.c", "threads")
        test_plain_statements(checks, directory, "objects.cc", compiler="g++")
        test_lua(checks, directory)
    checks.finish(1000, "counts, beside gcov's")


main()
