#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that a program knows come out exactly: in threads, in recursion 1,000 deep, in workers of workers.

With each way to attach and to see exits; every line of its leaf() runs once a call.
"""
import re
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402


def check_known(checks, program, what, method, way):
    """Calls that the program itself prints; every line of leaf() runs once a call."""
    title = f"{program.parent.name}/{program.name} {what} {method} {way}"
    profile = measuring.measure(["-l", "leaf", "-l", "call_leaf", "-l", "descend", "-f", "ping", "-f", "pong"],
                                program, what, options=(f"--attach={method}", f"--exit={way}"))
    measuring.check_profile(checks, profile, title)
    found = measuring.functions(profile)
    known = dict(re.findall(r"^calls (\w+) (\d+)$", profile["printed"], re.M))
    checks.that(known, f"{title}: the program printed {profile['printed']!r}")
    for name, function in found.items():
        checks.equal(function["calls"], int(known.get(name, 0)), f"{title}: calls of {name}")
        checks.equal(function["accounting"]["lost"], 0, f"{title}: lost calls of {name}")
        if way == "sites" or what in ("threads", "workers"):  # the kernel nests 64 return probes at most
            checks.equal(function["accounting"]["exits"], function["calls"], f"{title}: exits of {name}")
    calls = found["leaf"]["calls"]
    hits = [line["hits"] for line in found["leaf"]["lines"] if line["hits"]]
    checks.that(len(hits) >= 2 and set(hits) == {calls}, f"{title}: hits in leaf {hits}, not {calls} each")
    losses = [loss["cause"] for loss in profile["losses"]]
    deep = "returns" if way != "sites" and what in ("direct", "mutual") else None  # the kernel's 64 again
    checks.equal(losses, [deep] if deep else [], f"{title}: losses")


def test_known_calls(checks):
    everything = ("threads", "direct", "mutual", "workers")
    cases = [("gcc-O2", method, way, everything) for method in ("session", "multi") for way in ("return", "sites")]
    cases += [(variant, "session", way, everything) for variant in ("gcc-O0", "clang-O2") for way in ("auto", "sites")]
    cases += [("gcc-O2", "perf", "return", ("threads", "direct")), ("gcc-O2", "perf", "sites", ("mutual", "workers"))]
    for variant, method, way, kinds in cases:
        for what in kinds:
            check_known(checks, measuring.built("crowd", variant), what, method, way)


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    test_known_calls(checks)
    checks.finish(1000, "known calls")


main()
