#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples say of real programs what perf says: the same top functions and lines, with shares within 3 points.

And their stacks reach the start, though nothing is compiled with frame pointers. The kernel's own time is
left out of the comparison: what else the machine does is in it, and two runs have different shares of it.
"""
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402
import perf_shares  # noqa: E402

POINTS, WHOLE, SAMPLES = 0.03, 0.95, 1500
SAME, TRIES = 10, 3
SCALE = 4000


def sample_both(command):
    """(kind, how many of the top ten are the same, the worst difference, where) of functions and lines; more of both."""
    with measuring.scratch() as directory:
        *perf, perf_samples = perf_shares.by_perf(directory, command)
    profile = perf_shares.sampled(command)
    *lprof, lprof_samples = perf_shares.by_lprof(profile)
    samples = min(perf_samples, lprof_samples)
    found = [(kind, *perf_shares.compare(perf_shares.without_kernel(theirs), perf_shares.without_kernel(ours), samples))
             for kind, theirs, ours in zip(("functions", "lines"), perf, lprof)]
    return found, samples, profile


def check_agreement(checks, command, what):
    """Who has the tenth place is chance now and then, so each is sampled anew."""
    for _ in range(TRIES):
        found, samples, profile = sample_both(command)
        for kind, same, worst, where in found:
            print(f"{what}: top ten {kind}: {same} the same, shares within {100 * worst:.2f} points ({where})")
        if all(same >= SAME and worst <= POINTS for _, same, worst, _ in found):
            break
    checks.that(samples >= SAMPLES, f"{what}: {samples} samples")
    for kind, same, worst, where in found:
        checks.that(same >= SAME, f"{what}: only {same} of the top ten {kind} are the same")
        checks.that(worst <= POINTS, f"{what}: {kind}: {where} differs by {100 * worst:.1f} points")
    whole = perf_shares.whole_stacks(profile)
    print(f"{what}: {100 * whole:.2f}% of the stacks reach the start")
    checks.that(whole >= WHOLE, f"{what}: only {100 * whole:.1f}% of the stacks reach the start")


def main():
    measuring.need_measuring()
    measuring.need_tools("perf", "addr2line")
    checks = measuring.Checks()
    with measuring.scratch() as directory:
        measuring.succeed([measuring.WORKLOADS / "build-lua", directory, "gcc", "-O2", "-g"], timeout=600)
        check_agreement(checks, [f"{directory}/lua", measuring.WORKLOADS / "bench.lua", SCALE], "Lua")
    checks.finish(6, "agreement with perf")


main()
