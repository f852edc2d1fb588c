#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A budget holds what probes cost: they go when it is spent, come back for slices, and the target runs on.

A program that calls measured functions without a pause would stand still under its probes, as it does here
without a budget. With one it computes the same, nearly as fast; a program that costs less than the budget is
measured to the last call.
"""
import json
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import measuring  # noqa: E402

BUDGET, SECONDS, TRIES = 2.0, 3.0, 4
SPECS = [part for name in ("request", "parse", "step", "finish") for part in ("-l", name)]
CALLS = {"request": 1, "parse": 1, "step": 2, "finish": 1}  # of each request


def timed_run(program, requests):
    began = time.monotonic()
    printed = measuring.succeed([program, str(requests)]).stdout
    return time.monotonic() - began, printed


def test_spent(checks, program):
    """The target keeps most of its speed, which it loses without a budget; the cost is near the budget."""
    seconds, _ = timed_run(program, 20_000_000)
    requests = int(20_000_000 * SECONDS / seconds)
    shares, slower = [], []
    for _ in range(TRIES):
        seconds, printed = timed_run(program, requests)
        began = time.monotonic()
        profile = measuring.measure(SPECS, program, str(requests), options=("--budget", str(BUDGET)))
        slower.append((time.monotonic() - began) / seconds)
        measuring.check_identity(checks, profile, "over budget")
        checks.equal(profile["printed"], printed, "what the target printed")
        cost = profile["cost"]
        shares.append(100 * cost["share_of_cpu"])
        print(f"{requests} requests: {shares[-1]:.1f}% of a CPU, {slower[-1]:.2f} times the time, {cost['budget']}")
        checks.equal(cost["budget"]["state"], "sliced", "state")
        checks.that(0 < cost["budget"]["stood_ns"] < profile["duration_ns"] / 2, f"stood: {cost['budget']}")
        for name, function in measuring.functions(profile).items():
            checks.that(0 < function["calls"] < requests * CALLS[name], f"{function['calls']} calls of {name}")
        if slower[-1] < 2 and shares[-1] < 3 * BUDGET:
            break
    checks.that(min(slower) < 2, f"times slower: {slower}")
    checks.that(min(shares) < 3 * BUDGET, f"shares: {shares}")


def test_without(checks, program):
    """The same functions cost most of the time where nothing holds them down."""
    profile = measuring.measure(SPECS, program, "20000")
    share = profile["cost"]["share_of_cpu"]
    checks.that(share > 10 * BUDGET / 100, f"share without a budget: {share}")
    checks.that("budget" not in profile["cost"], "no budget was asked for")


def test_kept(checks, program):
    """Under the budget everything is counted."""
    profile = measuring.measure(SPECS, program, "50", options=("--budget", "100"))
    measuring.check_profile(checks, profile, "within the budget")
    checks.equal(profile["cost"]["budget"]["state"], "full", "state")
    for name, function in measuring.functions(profile).items():
        checks.equal(function["calls"], 50 * CALLS[name], f"calls of {name}")


def test_price(checks, program):
    """What a second foretells is what probes cost then; where the budget ended it early, too."""
    factors = []
    for options in (["-f", "request"], SPECS):
        for _ in range(TRIES):
            target = subprocess.Popen([program, "100000000000"], stdout=subprocess.DEVNULL)
            try:
                pid = str(target.pid)
                told = json.loads(measuring.succeed([measuring.LPROF, "plan", "--price", "--json", "-p", pid, *options]).stdout)
                with measuring.scratch() as directory:
                    path = f"{directory}/x.json"
                    measuring.succeed([measuring.LPROF, "record", "-p", pid, "-d", "1s", *options, "-o", path])
                    cost = json.loads(open(path, encoding="utf-8").read())["cost"]["share_of_cpu"]
            finally:
                target.kill()
                target.wait()
            factors.append(told["share_of_cpu"] / cost)
            print(f"price of {options[1::2]}: {100 * told['share_of_cpu']:.1f}%, cost {100 * cost:.1f}%")
            if 1 / 1.5 < factors[-1] < 1.5:
                break
        checks.that(1 / 1.5 < factors[-1] < 1.5, f"price beside cost: {factors}")
        names = {row["function"] for row in told["functions"]}
        checks.equal(names, set(options[1::2]), "functions with a price")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    program = measuring.built("requests", "gcc-O2")
    test_spent(checks, program)
    test_without(checks, program)
    test_kept(checks, program)
    test_price(checks, program)
    checks.finish(20, "the budget")


main()
