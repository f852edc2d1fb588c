#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lprofd splits times by what threads did, of those probes that ask for it, and across a kill.

Beside what a program's threads and the kernel's account of them say of four lines; other probes' times stay whole.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import daemon  # noqa: E402
import measuring  # noqa: E402
import off_cpu_lines  # noqa: E402

checks = measuring.Checks()
MS, BUDGET = 200, 0.5  # percent of a CPU
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")


def links(server):
    return sorted(path.name for path in server.pins.glob("off_cpu*link"))


def check_asked(server, program):
    """Who asks has its lines split; a probe beside it is whole, and not followed."""
    asked = server.lprof("add", "--image", program, "-l", "four_lines", "--off-cpu")
    checks.equal(asked.returncode, 0, f"lprof add --off-cpu: {asked.stderr}")
    checks.that("--off-cpu of" in server.lprof("list").stdout, "lprof list")
    checks.equal(links(server), ["off_cpu_switch_link", "off_cpu_wakeup_link"], "links to the scheduler")
    server.call("Add", image=str(program), specs=[{"text": "main"}])
    printed = measuring.succeed([program, MS, "mixed"]).stdout
    profile = server.call("Collect")["profile"]
    off_cpu_lines.check(checks, profile, printed, "asked")
    found = measuring.functions(profile)
    checks.equal([found[name]["off_cpu"] for name in ("four_lines", "main")], [True, False], "whose times are split")
    checks.equal((found["main"]["blocked_ns"], found["main"]["waiting_ns"]), (0, 0), "times of who did not ask")
    checks.that(found["main"]["total_ns"] > 3 * MS * 1e6, "time of main()")
    whole = found["four_lines"]
    for key in ("blocked_ns", "waiting_ns"):
        checks.equal(sum(line[key] for line in whole["lines"]), whole[key], f"lines' {key}")
    report = server.lprof("collect").stdout
    checks.equal(report.count("Blocked"), 1, "tables with a column of blocked time")
    check_watch(server, program, whole)


def check_watch(server, program, collected):
    """Watch tells what Collect tells, and `lprof top` what the program did meanwhile."""
    told = {row["name"]: row for row in server.call("Watch", lines=True)["functions"]}
    checks.that("blocked_ns" not in told["main"], "Watch: main()'s times are not split")
    for key in ("blocked_ns", "waiting_ns"):
        checks.equal(told["four_lines"][key], collected[key], f"Watch: {key}")
        checks.equal([line[key] for line in told["four_lines"]["lines"]], [line[key] for line in collected["lines"]], f"Watch: lines' {key}")
    spender = subprocess.Popen(["sh", "-c", 'read line; exec "$@"', "sh", program, str(MS), "mixed"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=measuring.ENVIRONMENT)
    top = subprocess.Popen([measuring.LPROF, "top", "-b", "-n", "1", "-d", "4s"], stdout=subprocess.PIPE, text=True,
                           env={**measuring.ENVIRONMENT, "LPROFD_SOCKET": str(server.socket)})
    time.sleep(0.5)
    spender.communicate("\n", timeout=60)
    head, *rows = top.communicate(timeout=60)[0].split("\n\n")[1].splitlines()
    checks.equal(head.split()[:5], ["CALLS/S", "TIME%", "SELF%", "BLOCK%", "WAIT%"], "headings of top")
    cells = {row.split()[-2]: row.split() for row in rows}
    after = measuring.functions(server.call("Collect")["profile"])["four_lines"]
    row = [float(cell) for cell in cells["four_lines"][:5]]
    spent = after["total_ns"] - collected["total_ns"]
    for key, cell in (("blocked_ns", 3), ("waiting_ns", 4)):
        part = (after[key] - collected[key]) / spent  # whatever top's interval was
        checks.that(abs(row[cell] - part * row[1]) <= 0.02 * part * row[1] + 0.1, f"top: {key} is {row[cell]} of {row[1]}, not {part:.3f} of it")
        share = (after[key] - collected[key]) / 4e9 * 100
        checks.that(abs(float(cells["four_lines"][cell]) - share) <= 0.05 * share + 0.5, f"top: {key} {cells['four_lines'][cell]}%, not {share:.1f}%")
    checks.equal(cells["main"][3:5], ["-", "-"], "main()'s times are not split")


def check_reset(server, program):
    server.call("Reset")
    found = measuring.functions(server.call("Collect")["profile"])["four_lines"]
    checks.equal([found["blocked_ns"], found["waiting_ns"], sum(line["blocked_ns"] for line in found["lines"])], [0, 0, 0], "after Reset")
    printed = measuring.succeed([program, MS, "mixed"]).stdout
    off_cpu_lines.check(checks, server.call("Collect")["profile"], printed, "after Reset")
    server.call("Reset")


def check_killed(server, program):
    """What threads do while there is no lprofd is split all the same."""
    spender = subprocess.Popen([program, str(3 * MS), "mixed"], stdout=subprocess.PIPE, text=True, env=measuring.ENVIRONMENT)
    for _ in range(3):
        time.sleep(2 * MS / 1000)
        server.kill()
        time.sleep(MS / 1000)
        checks.that(server.start(), f"lprofd starts again: {server.said}")
    printed = spender.communicate(timeout=60)[0]
    off_cpu_lines.check(checks, server.call("Collect")["profile"], printed, "killed")
    checks.equal(links(server), ["off_cpu_switch_link", "off_cpu_wakeup_link"], "links to the scheduler after kills")


def check_removed(server, program):
    """When nobody asks any more the scheduler is not followed; asked again, it is, without what was between."""
    server.call("Remove", probes=["four_lines"])
    checks.equal(links(server), [], "links to the scheduler of nobody")
    server.call("Reset")
    server.call("Remove", probes=["main"])
    server.call("Add", image=str(program), specs=[{"text": "four_lines", "lines": True}])
    measuring.succeed([program, MS, "mixed"])
    profile = server.call("Collect")["profile"]
    checks.equal(profile["off_cpu"], False, "not asked for")
    checks.that("Blocked" not in server.lprof("collect").stdout, "no column of blocked time")
    server.call("Remove", probes=["four_lines"])
    server.call("Reset")
    server.call("Add", image=str(program), specs=[{"text": "four_lines", "lines": True}], off_cpu=True)
    printed = measuring.succeed([program, MS, "mixed"]).stdout
    off_cpu_lines.check(checks, server.call("Collect")["profile"], printed, "asked again")


def share_by_kernel(seconds):
    """Percent of a CPU that the kernel says our programs on the scheduler take."""
    def ran():
        shown = json.loads(measuring.succeed(["bpftool", "-j", "prog", "show"]).stdout)
        return sum(each.get("run_time_ns", 0) for each in shown if each.get("name", "").startswith("off_cpu_"))
    before, begun = ran(), time.monotonic()
    time.sleep(seconds)
    return (ran() - before) / (time.monotonic() - begun) / 1e7


def check_budget(server, program, busy):
    """Switches of threads that nobody measures are paid by who has the scheduler followed: without a budget they go
    on, under one the scheduler is followed in slices; and one that stands beside is split as ever."""
    stats_before = STATS.read_text()
    server.call("Remove", probes=["four_lines"])
    STATS.write_text("1")
    switching = subprocess.Popen(["taskset", "-c", "0", busy, "1000000000"], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        server.call("Add", image=str(program), specs=[{"text": "four_lines"}], off_cpu=True)
        free = share_by_kernel(2)
        server.call("Remove", probes=["four_lines"])
        server.call("Add", image=str(program), specs=[{"text": "four_lines", "lines": True}], off_cpu=True, budget=BUDGET)
        time.sleep(2)
        held = share_by_kernel(8)
        print(f"switches of others take {free:.2f}% of a CPU, {held:.2f}% where {BUDGET}% may be taken")
        checks.that(free > 3 * BUDGET, f"{free}% without a budget: nothing to hold down")
        checks.that(BUDGET / 8 < held < 2 * BUDGET, f"held at {held}%")
        server.call("Reset")
        for _ in range(5):
            measuring.succeed([program, MS, "mixed"])
        for function in server.call("Collect")["profile"]["functions"]:
            off = function["blocked_ns"] + function["waiting_ns"]
            checks.that(off <= function["total_ns"] + off_cpu_lines.SLACK_NS, f"sliced: {off} ns of {function['total_ns']}")
        server.call("Add", image=str(program), specs=[{"text": "main"}], off_cpu=True, budget=0)
        time.sleep(0.5)
        beside = share_by_kernel(2)
        checks.that(beside > 2 * BUDGET, f"beside one without a budget the scheduler is followed on: {beside}%")
        measuring.succeed([program, MS, "mixed"])
        found = measuring.functions(server.call("Collect")["profile"])["main"]
        checks.that(found["blocked_ns"] > 0.9 * MS * 1e6, f"main() was blocked for {found['blocked_ns']} ns")
        server.call("Remove", probes=["main"])
        server.call("Remove", probes=["four_lines"])
        checks.equal(links(server), [], "links to the scheduler of nobody")
    finally:
        STATS.write_text(stats_before)
        os.killpg(switching.pid, signal.SIGKILL)
        switching.wait()


def main():
    daemon.need_daemon()
    program = measuring.built("spender", "gcc-O2").resolve()
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        server = daemon.Daemon(directory)
        try:
            checks.that(server.start(), f"lprofd starts: {server.said}")
            checks.equal(server.lprof("add", "--image", program, "--cpu", "--off-cpu").returncode, 2, "--off-cpu of no function")
            check_asked(server, program)
            check_reset(server, program)
            check_killed(server, program)
            check_removed(server, program)
            check_budget(server, program, measuring.built("handover", "gcc-O2").resolve())
            checks.equal(server.stop(), 0, "status after SIGTERM")
            checks.that(not server.pins.exists(), "no pins stay")
        finally:
            server.close()
    checks.finish(60, "lprofd's times off the CPU")


if __name__ == "__main__":
    main()
