#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills lprofd with SIGKILL again and again while a target runs: no call and no hit is lost.

LPROFD_CALLS and LPROFD_KILLS make it longer: 2000000 and 50 are the full form.
"""
import os
import pathlib
import random
import signal
import subprocess
import time

import daemon
import measuring

CALLS = int(os.environ.get("LPROFD_CALLS", "300000")) // 1000 * 1000
KILLS = int(os.environ.get("LPROFD_KILLS", "5"))

checks = measuring.Checks()


def hits_of(function):
    return {line["line"]: line["hits"] for line in function["lines"]}


def check_counts(server, outer, baseline):
    """Calls are as many as made; hits of each line as in a run that nobody disturbed."""
    step = server.function("step")
    checks.equal(step["calls"], CALLS, "calls of step")
    checks.equal(step["accounting"]["exits"], CALLS, "exits of step")
    checks.equal(outer["calls"], CALLS // 1000, "calls of outer")
    for line, hits in baseline.items():
        checks.equal(hits_of(outer).get(line), hits * (CALLS // 1000), f"hits of line {line}")
    measuring.check_profile(checks, server.call("Collect")["profile"], "the profile after the kills")


def errors(server):
    return [server.function(name)["error_ns"] for name in ("step", "outer")]


def check_kills(server, program):
    specs = [{"text": "step"}, {"text": "outer", "lines": True}]
    checks.that(server.start(), f"lprofd starts: {server.said}")
    server.call("Add", image=str(program), specs=specs)
    measuring.succeed([program, "1000"])
    baseline = hits_of(server.function("outer"))
    before = errors(server)
    server.kill()
    checks.that(server.start(), f"lprofd starts after SIGKILL: {server.said}")
    checks.that(min(before) > 0, f"times without errors: {before}")
    checks.equal(errors(server), before, "the errors of times that a lprofd before measured")
    server.call("Reset")
    target = subprocess.Popen([program, str(CALLS)], stdout=subprocess.DEVNULL, env=measuring.ENVIRONMENT)
    killed = 0
    while killed < KILLS:
        time.sleep(random.random() * 0.3)
        server.kill()
        killed += target.poll() is None
        checks.that(server.start(), f"lprofd starts after SIGKILL: {server.said}")
        if target.poll() is not None:
            break
    checks.that(killed >= min(KILLS, 3), f"only {killed} kills while the target ran")
    checks.equal(target.wait(), 0, "status of the target")
    checks.that(server.call("Status")["restarts"] >= killed, "restarts survived")
    check_counts(server, server.function("outer"), baseline)
    print(f"{killed} kills during {CALLS} calls")


def check_target_killed(server, program):
    """A target that is killed leaves what it did up to then."""
    server.call("Reset")
    target = subprocess.Popen([program, "1000000000"], stdout=subprocess.DEVNULL, env=measuring.ENVIRONMENT)
    daemon.eventually(lambda: server.function("step")["calls"] > 10000)
    target.send_signal(signal.SIGKILL)
    target.wait()
    function = server.function("step")
    account = function["accounting"]
    checks.that(function["calls"] > 10000, "calls of a killed target")
    checks.equal(account["open"], 0, "open calls of a killed target")
    checks.equal(account["entries"], account["exits"] + account["unwound"], "entries of a killed target")


def check_attaching(server, program):
    """Kills while Add is under way: afterwards the probe stands, or it does not, and counts are right."""
    server.call("Remove", probes=["step"])
    for delay in (0.0, 0.005, 0.01, 0.02, 0.05):
        server.call("Reset")
        connection = server.connect()
        connection.send("Add", {"image": str(program), "specs": [{"text": "step"}]})
        time.sleep(delay)
        server.kill()
        checks.that(server.start(), f"lprofd starts after a kill in Add: {server.said}")
        server.call("Add", image=str(program), specs=[{"text": "step"}])
        server.call("Reset")
        measuring.succeed([program, "7000"])
        checks.equal(server.function("step")["calls"], 7000, f"calls after a kill {delay} s into Add")
        server.call("Remove", probes=["step"])


def main():
    daemon.need_daemon()
    with measuring.scratch() as directory:
        program = pathlib.Path(measuring.build(directory, "stepper.c", "gcc", "-O1"))
        server = daemon.Daemon(directory)
        try:
            check_kills(server, program)
            check_target_killed(server, program)
            check_attaching(server, program)
            checks.equal(server.stop(), 0, "status after SIGTERM")
        finally:
            server.close()
    checks.finish(20, "lprofd's kills")


if __name__ == "__main__":
    main()
