#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A rate times its share of requests, each with its whole call tree, while calls stay exact.

Rates of 0 and 1 time nothing and everything.
"""
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402

CALLS = {"request": 1, "parse": 1, "step": 2, "finish": 1}  # of each request
TRIES = 3  # a fair draw of 1,000,000 is off by 1% once in 1,000 runs


def check_trees(checks, profile, requests, what):
    """Calls are exact, and those timed are whole trees; how many."""
    measuring.check_profile(checks, profile, what)
    found = measuring.functions(profile)
    timed = found["request"]["timed_calls"]
    for name, function in found.items():
        checks.equal(function["calls"], requests * CALLS[name], f"{what}: calls of {name}")
        checks.equal(function["timed_calls"], timed * CALLS[name], f"{what}: timed calls of {name}")
        checks.equal(function["accounting"]["untimed"], (requests - timed) * CALLS[name], f"{what}: untimed {name}")
        for line in function["lines"]:
            checks.that(line["hits"] % max(timed, 1) == 0 and line["hits"] <= timed * CALLS[name],
                        f"{what}: {line['hits']} hits of line {line['line']} in {timed} trees")
    checks.that(not profile["losses"], f"{what}: losses {profile['losses']}")
    return timed


def test_share(checks, rate, requests, within):
    program, shares = measuring.built("requests", "gcc-O0"), []
    specs = [part for name in CALLS for part in ("-f", name)]
    for _ in range(TRIES):
        profile = measuring.measure(specs, program, str(requests), options=("--rate", str(rate)))
        timed = check_trees(checks, profile, requests, f"rate {rate}")
        shares.append(timed / requests)
        print(f"rate {rate}: {timed} of {requests} requests timed")
        if abs(shares[-1] - rate) <= within * rate:
            break
    checks.that(abs(shares[-1] - rate) <= within * rate, f"rate {rate}: shares {shares}")


def test_lines(checks, rate, method, way):
    """Hits are exact for the calls that were timed."""
    what = f"lines at rate {rate}, {method}, {way}"
    specs = [part for name in CALLS for part in ("-l", name)]
    profile = measuring.measure(specs, measuring.built("requests", "gcc-O2"), "5000",
                                options=("--rate", str(rate), f"--attach={method}", f"--exit={way}"))
    timed = check_trees(checks, profile, 5000, what)
    hits = sum(line["hits"] for function in profile["functions"] for line in function["lines"])
    if rate == 0:
        checks.equal((timed, hits), (0, 0), what)
    elif rate == 1:
        checks.equal(timed, 5000, what)
    else:
        checks.that(0.8 * rate < timed / 5000 < 1.2 * rate, f"{what}: {timed} timed")
    checks.that(hits >= timed * 6, f"{what}: only {hits} hits")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    test_share(checks, 0.1, 1000000, 0.01)
    for rate in (0, 0.4, 1):
        test_lines(checks, rate, "session", "return")
    test_lines(checks, 0.4, "multi", "return")
    test_lines(checks, 0.4, "session", "sites")
    checks.finish(200, "rates")


main()
