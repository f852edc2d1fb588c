# SPDX-License-Identifier: GPL-2.0-or-later
"""How true short times are under probes: of lprof, which corrects them, and of tools that do not."""
import re
import sys

sys.dont_write_bytecode = True
import peers
import programs
import busy_times
import measuring

ROUNDS = 25


def by_lprof(program):
    """Means by function, and the truth of that run."""
    specs = [word for name in busy_times.FUNCTIONS for word in ("-f", name)]
    profile = measuring.measure(specs, program, ROUNDS, options=["--exit=return"])
    means = {function["name"]: function["total_ns"] / function["calls"] for function in profile["functions"]}
    return means, busy_times.truth(profile["printed"])


def by_bpftrace(program):
    with peers.bpftrace(program, busy_times.FUNCTIONS, "stats") as watched:
        printed = measuring.succeed([program, ROUNDS]).stdout
    found = re.findall(r"@(\w+): count \d+, average (\d+)", watched.printed)
    return {name: float(mean) for name, mean in found}, busy_times.truth(printed)


def by_funclatency(program):
    """One function at a time, the middles of its histogram's buckets."""
    means, wanted = {}, {}
    for name in busy_times.FUNCTIONS:
        with peers.funclatency(program, [name]) as watched:
            printed = measuring.succeed([program, ROUNDS]).stdout
        buckets = [[int(number) for number in bucket] for bucket in re.findall(r"(\d+) -> (\d+)\s*: (\d+)", watched.printed)]
        means[name] = sum((low + high) / 2 * count for low, high, count in buckets) / sum(count for *_, count in buckets)
        wanted[name] = busy_times.truth(printed)[name]
    return means, wanted


def bench(results, _rounds):
    results.section("Short times under probes", "Means of functions that spend 1, 3, 10 and 100 us, nested three deep (inner; middle, which calls "
                    "three; outer, which calls three of those), all measured at once (by funclatency alone), less what the program finds by its cycle counter "
                    "of the same functions without probes. funclatency has buckets of powers of two only: their middles.")
    tools = {"lprof": by_lprof, "bpftrace": by_bpftrace, "funclatency": by_funclatency}
    for which in busy_times.CLASSES:
        program = busy_times.build(programs.directory("own"), which)
        found = {tool: measure(program) for tool, measure in tools.items() if tool == "lprof" or not peers.missing(tool)}
        for name in busy_times.FUNCTIONS:
            for tool, (means, wanted) in found.items():
                off = means[name] - wanted[name]
                results.row(f"{name} us, {which}: {tool}", f"{off:+.0f} ns ({100 * off / wanted[name]:+.1f}%)",
                            "", busy_times.is_near(means[name], wanted[name], which) if tool == "lprof" else None)
