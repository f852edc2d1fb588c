# SPDX-License-Identifier: GPL-2.0-or-later
"""What `spender MS mixed` says of its four lines, and whether a profile says the same."""
import re

import measuring

SOURCE = measuring.WORKLOADS / "spender.c"
LINES = {name: number for number, line in enumerate(SOURCE.read_text().splitlines(), 1)
         for name in re.findall(r"/\* at (\w+) \*/", line)}
SHARE, SLACK_NS = 0.05, 1000000


def known(printed, kind):
    return {name: int(ns) for name, ns in re.findall(rf"^{kind} (\w+) (\d+)$", printed, re.M)}


def check(checks, profile, printed, title):
    """Each line's time is where the program and the kernel's account of its thread say it is."""
    rows = {line["line"]: line for line in measuring.functions(profile)["four_lines"]["lines"]}
    wall, ran, waited = (known(printed, kind) for kind in ("wall", "ran", "waited"))
    checks.equal(set(wall), {"compute", "sleep", "read", "lock"}, f"{title}: what the program printed")
    for name in wall:
        row = rows[LINES[name]]
        found = {"on": row["total_ns"] - row["blocked_ns"] - row["waiting_ns"], "waiting": row["waiting_ns"],
                 "blocked": row["blocked_ns"]}
        wanted = {"on": ran[name], "waiting": waited[name], "blocked": wall[name] - ran[name] - waited[name]}
        for part, ns in wanted.items():
            checks.that(abs(found[part] - ns) <= SHARE * wall[name] + SLACK_NS,
                        f"{title}: line '{name}': {found[part] / 1e6:.1f} ms {part}, not {ns / 1e6:.1f}")
        longest = max(found, key=lambda part: found[part] if part != "waiting" else 0)
        checks.equal(longest, "on" if name == "compute" else "blocked", f"{title}: line '{name}': where its time is")
