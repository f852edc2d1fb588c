#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A forked child goes on with the calls it was forked in: its lines and time count, the calls do so once."""
import re
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402

ROUNDS = 5  # of the program


def check_forked(checks, program, way, lines):
    title = f"{program.parent.name} --exit={way} {'-l' if lines else '-f'}"
    names = ("serve", "fork_below", "spin")
    specs = [part for name in names for part in ("-l" if lines and name != "spin" else "-f", name)]
    profile = measuring.measure(specs, program, options=(f"--exit={way}",))
    measuring.check_profile(checks, profile, title)
    found = measuring.functions(profile)
    for name in names:
        known = int(re.search(rf"^calls {name} (\d+)$", profile["printed"], re.M)[1])
        account = found[name]["accounting"]
        checks.equal((found[name]["calls"], account["exits"]), (known, known), f"{title}: calls and exits of {name}")
    callers = {profile["functions"][caller["function"]]["name"]: caller["calls"]
               for caller in found["spin"]["callers"] if caller.get("function") is not None}
    checks.equal(callers, {"serve": 2 * ROUNDS}, f"{title}: who calls spin, in parents and children")
    known = int(re.search(r"^time (\d+)$", profile["printed"], re.M)[1])
    total = found["serve"]["total_ns"]
    checks.that(0.9 * known - 1e6 < total < 1.05 * known + 1e6, f"{title}: serve took {total} ns, of {known}")
    checks.that(found["fork_below"]["total_ns"] < known / 2, f"{title}: fork_below took {found['fork_below']}")
    checks.equal(profile["losses"], [], f"{title}: losses")
    if lines:
        hits = max(line["hits"] for line in found["serve"]["lines"])
        checks.equal(hits, 2 * ROUNDS, f"{title}: hits of the line behind the fork")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    for variant in ("gcc-O0", "gcc-O2", "clang-O2"):
        for way in ("return", "sites"):
            for lines in (False, True):
                check_forked(checks, measuring.built("forked", variant), way, lines)
    checks.finish(100, "forks")


main()
