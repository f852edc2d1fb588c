#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU time is sampled where it is spent: beside what the threads' own clocks say, by line and by stack.

In threads, forked workers, programs that workers execute, signal handlers; without any probe, beside
probes, and where return probes stand in the stack.
"""
import re
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402

SOURCE = measuring.WORKLOADS / "spender.c"
LINES = {name: number for number, line in enumerate(SOURCE.read_text().splitlines(), 1)
         for name in re.findall(r"/\* at (\w+) \*/", line)}
MS = 300
STARTS = {"_start", "clone3", "__clone3", "clone", "__clone"}  # what stacks begin at


def line_of(profile, name):
    """The row of a marked line, whatever function it is in."""
    rows = [line for function in profile["functions"] for line in function["lines"]
            if line["file"].endswith("spender.c") and line["line"] == LINES[name]]
    return {key: sum(row[key] for row in rows) for key in ("cpu_samples", "cpu_total_samples", "total_ns")}


def known(profile, kind):
    found = {}
    for name, ns in re.findall(rf"^{kind} (\w+) (\d+)$", profile["printed"], re.M):
        found[name] = found.get(name, 0) + int(ns)
    return found


def names(profile, stack):
    return [profile["frames"][frame]["name"] for frame in stack["frames"]]


def check_shape(checks, profile, title):
    """What every sampled profile must keep: samples are neither lost nor invented on the way."""
    period = profile["sampling_period_ns"]
    checks.equal(period, 1000000000 // 999, f"{title}: the period")
    samples = sum(stack["cpu_samples"] for stack in profile["stacks"])
    functions = sum(function["cpu_samples"] for function in profile["functions"])
    checks.equal(functions, samples, f"{title}: samples of all functions, beside those of all stacks")
    for function in profile["functions"]:
        checks.that(function["cpu_total_samples"] >= function["cpu_samples"], f"{title}: {function['name']}: own > total")
        lines = sum(line["cpu_samples"] for line in function["lines"])
        checks.that(lines <= function["cpu_samples"], f"{title}: {function['name']}: lines' samples > the function's")
    lost = [loss for loss in profile["losses"] if loss["cause"] in ("samples", "stacks")]
    checks.equal(lost, [], f"{title}: losses")


def check_times(checks, profile, title, names_of, starts=3):
    """Each marked call's samples stand for the CPU time that the program saw there."""
    period = profile["sampling_period_ns"]
    spent = known(profile, "cpu")
    checks.equal(set(spent), {"once", "deep", "aligned"}, f"{title}: what the program printed")
    for name in names_of:
        ns = spent[name]
        sampled = line_of(profile, name)["cpu_total_samples"] * period
        checks.that(abs(sampled - ns) <= 0.04 * ns + 2 * starts * period,
                    f"{title}: line '{name}': {sampled / 1e6:.1f} ms sampled, {ns / 1e6:.1f} ms spent")
    found = measuring.functions(profile)
    spinning = found["spin"]["cpu_total_samples"] * period
    checks.that(spinning >= 0.97 * sum(spent.values()), f"{title}: spin: only {spinning / 1e6:.1f} ms")
    own = found["spin"]["cpu_samples"] + found["mix"]["cpu_samples"]
    checks.that(own >= 0.95 * found["spin"]["cpu_total_samples"], f"{title}: only {own} samples in the loop itself")


def check_stacks(checks, profile, title, at_least=0.95):
    """So many samples have a stack that begins where the thread began."""
    samples = whole = 0
    for stack in profile["stacks"]:
        found = names(profile, stack)
        if found == ["[probes]"]:
            continue
        samples += stack["cpu_samples"]
        if found[0] in STARTS and "[cut off]" not in found:
            whole += stack["cpu_samples"]
    checks.that(samples and whole >= at_least * samples, f"{title}: only {whole} of {samples} stacks are whole")


def test_kinds(checks, program, what, names_of=("once", "deep", "aligned"), options=()):
    """Every kind of target; nobody names a function."""
    for kind in ("alone", "threads", "workers", "execs", "signals"):
        title = f"{what} {kind}"
        profile = measuring.measure([], program, MS, *([] if kind == "alone" else [kind]), options=options)
        check_shape(checks, profile, title)
        check_times(checks, profile, title, names_of, 3 if kind in ("alone", "signals") else 9)
        check_stacks(checks, profile, title)


def test_beside_probes(checks, program, *options):
    """The exact tables' lines know how much of their time was on a CPU; probes' own time is nobody's."""
    profile = measuring.measure(["-l", "four_lines", "-f", "spin", "--cpu"], program, MS, "mixed", options=options)
    check_shape(checks, profile, "mixed")
    period = profile["sampling_period_ns"]
    for name in ("compute", "sleep", "read", "lock"):
        row = line_of(profile, name)
        wanted = known(profile, "ran")[name] / known(profile, "wall")[name]
        share = row["cpu_total_samples"] * period / row["total_ns"]
        checks.that(abs(share - wanted) <= 0.05, f"mixed: line '{name}': {share:.2f} of its time on a CPU, not {wanted:.2f}")
    spin = measuring.functions(profile)["spin"]
    checks.equal(spin["calls"], 2, "mixed: calls of spin, exact beside samples")


def test_own_cost(checks, program):
    """A program that does next to nothing but hit probes: its samples are the probes', as many as they cost."""
    for way in ("return", "sites"):
        profile = measuring.measure(["-l", "leaf", "--cpu"], program, "threads", options=(f"--exit={way}",))
        title = f"own cost, {way}"
        samples = sum(function["cpu_samples"] for function in profile["functions"])
        probes, period = profile["cost"]["cpu_samples"], profile["sampling_period_ns"]
        checks.that(probes >= 50, f"{title}: only {probes} samples in probes")
        checks.equal(measuring.functions(profile)["[probes]"]["cpu_samples"], probes, f"{title}: the row of probes")
        checks.that(samples - probes <= 0.1 * samples + 5, f"{title}: {samples - probes} of {samples} samples not in probes")
        cost = profile["cost"]["overhead_ns"]
        checks.that(abs(probes * period - cost) <= 0.25 * cost, f"{title}: {probes} samples, {cost / 1e6:.1f} ms of cost")


def test_no_follow(checks, program):
    """What a target forks is left out where that is asked for."""
    profile = measuring.measure([], program, MS, "workers", options=("--no-follow",))
    checks.equal(line_of(profile, "once")["cpu_total_samples"], 0, "no-follow: samples of the workers")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    with measuring.scratch() as directory:
        plain = measuring.build(directory, "spender.c", "gcc", "-O2")
        # Where frame pointers are all there is, a leaf that sets up no frame hides its caller.
        framed = measuring.build(directory, "spender.c", "gcc", "-O2", "-fno-omit-frame-pointer",
                                 "-fno-asynchronous-unwind-tables")
        test_kinds(checks, plain, "unwinding tables")
        test_kinds(checks, measuring.build(directory, "spender.c", "clang", "-O2"), "clang")
        # Linked like this, an image has no table of its call frame information.
        test_kinds(checks, measuring.build(directory, "spender.c", "gcc", "-O2", "-static"), "static")
        test_kinds(checks, framed, "frame pointers", ("deep",))
        test_beside_probes(checks, plain, "--exit=sites")
        test_beside_probes(checks, plain, "--exit=return")  # which replaces return addresses in the stack
        test_no_follow(checks, plain)
        test_own_cost(checks, measuring.built("crowd", "gcc-O2"))
    checks.finish(100, "CPU samples")


main()
