# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hit costs: of lprof, of probes whose program is empty, and of other tools on the same function."""
import contextlib
import os
import statistics
import sys

sys.dont_write_bytecode = True
import peers
import programs
import measuring

PROFILE = "/dev/shm/lprof-bench.json"
EMPTY_RATIO, PEER_RATIO = 1.15, 0.75


def run_hot(prefix, hot, what, count):
    """ns of CPU a turn, as the program finds; prefix is what it runs under."""
    printed = measuring.succeed([*prefix, hot, what, count], env=peers.ENVIRONMENT).stdout
    return float(printed.split()[0])


def sites_of(hot, spec, name):
    """What empty_probe takes for the sites that lprof would use."""
    sites = {}
    for site in programs.plan_of(hot, spec, name, "--exit=return")["sites"]:
        offset = str(site["offset"])
        sites[offset] = sites.get(offset, "") or ("=return" if site["role"] == "entry" else "")
    return [offset + suffix for offset, suffix in sites.items()]


def sides_of(hot, what, spec, attaching):
    """By name: a prefix to run under, and what stands by meanwhile."""
    idle = contextlib.nullcontext
    sides = {
        "plain": ([], idle),
        "empty program": ([programs.own("empty_probe"), hot, *sites_of(hot, spec, what), "--"], idle),
        "lprof": ([measuring.LPROF, "run", spec, what, "--exit=return", "-o", PROFILE, "--"], idle),
    }
    for tool in attaching:
        sides[tool] = ([], lambda tool=tool: peers.ATTACHING[tool](hot, [what]))
    return sides


def bench_hit(results, title, what, spec, count, rounds, hits=1, limited=True, attaching=()):
    """A turn without probes, with empty ones, under lprof and under others, in turns."""
    hot = programs.own("hot")
    sides = sides_of(hot, what, spec, attaching)
    costs = {side: [] for side in sides if side != "plain"}
    for _ in range(rounds):
        for side, (prefix, standing) in sides.items():
            with standing():
                took = run_hot(prefix, hot, what, count * 100 if side == "plain" else count)
            if side == "plain":
                plain = took
            else:
                costs[side].append((took - plain) / hits)
    os.unlink(PROFILE)
    for side, values in costs.items():
        results.row(f"{title}: {side}", f"{statistics.median(values):.0f} ns")
        if attaching and side != "empty program":
            results.cost(title, side, f"{statistics.median(values):.0f} ns")
    for side, values in costs.items():
        if side != "lprof":
            limit = (EMPTY_RATIO if side == "empty program" else PEER_RATIO) if limited else None
            results.ratio(f"{title}: lprof / {side}", [ours / theirs for ours, theirs in zip(costs["lprof"], values)], limit)


def bench_uftrace(results, rounds):
    """A call of a function that a compiler instrumented, beside lprof's hit on the same one."""
    title, what = "a call in C timed", "call_c"
    reason = peers.missing("uftrace")
    if reason:
        return results.left_out(f"{title}: uftrace", reason)
    hot, instrumented = programs.own("hot"), programs.own("hot", "-pg")
    theirs, ours = [], []
    for _ in range(rounds):
        with measuring.scratch() as directory:
            plain = run_hot([], hot, what, 10000000)
            theirs.append(run_hot(peers.uftrace(directory, what), instrumented, what, 200000) - plain)
            ours.append(run_hot([measuring.LPROF, "run", "-f", what, "-o", f"{directory}/x.json", "--"], hot, what, 20000) - plain)
    for side, values in (("uftrace", theirs), ("lprof", ours)):
        results.row(f"{title}: {side}", f"{statistics.median(values):.0f} ns")
        results.cost(f"{title} (stepped here)", side, f"{statistics.median(values):.0f} ns")


def bench(results, rounds):
    results.section("What a hit costs", "CPU time of a turn of a program, less the same turn without probes: under "
                    "lprof, under probes in the same places whose BPF program is empty, and under other tools that time the same function "
                    "(bpftrace and funclatency stand at its first byte). Stepped: where the kernel must single-step the instruction. "
                    "uftrace's program is built with -pg, its calls' cost in instrumented code included.")
    attaching = [tool for tool in peers.ATTACHING if not peers.missing(tool)]
    bench_hit(results, "entry + return, emulated", "call", "-f", 200000, rounds, attaching=attaching)
    bench_hit(results, "entry + return, behind endbr64", "call_marked", "-f", 20000, rounds, attaching=attaching)
    bench_hit(results, "entry + return, stepped", "call_stepped", "-f", 20000, rounds, limited=False, attaching=attaching)
    bench_hit(results, "line, emulated", "line", "-l", 200000, rounds, hits=2)
    for tool in peers.ATTACHING:
        if peers.missing(tool):
            results.left_out(f"entry + return: {tool}", peers.missing(tool))
    bench_uftrace(results, rounds)
