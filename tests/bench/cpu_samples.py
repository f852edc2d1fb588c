# SPDX-License-Identifier: GPL-2.0-or-later
"""What samples of CPU time cost, and how they agree with perf's: of three programs that compute, at -O2."""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import programs  # puts tests/e2e on the path
import measuring
import perf_shares

SHARE, POINTS, WHOLE, COST = 10, 3.0, 0.95, 0.01
ROUNDS_LEAST = 5  # fewer tell no quartiles
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")

# CPU seconds of a command, with what interrupts take of them.
TIMED = ["bash", "-c", "TIMEFORMAT='cpu %U %S'; time \"$@\" > /dev/null", "timed"]


def commands():
    source = programs.fetch("libzstd")
    into = programs.directory("zstd-input")
    texts = [into / f"text{number}" for number in range(12)]  # of their own: what repeats is cheap
    for text in texts:
        text.write_bytes(b"".join(path.read_bytes() for path in sorted(source.glob("lib/**/*.c"))))
    script = measuring.TOP / "tests" / "bench" / "work.sql"
    return {
        "Lua": [programs.lua("-O2", "-g"), measuring.WORKLOADS / "bench.lua", 4000],
        "SQLite": [programs.sqlite("-O2", "-g"), ":memory:", *[f".read {script}"] * 4],
        "zstd": [programs.zstd_program("-O2", "-g"), "-17", "-q", "-f", "--output-dir-flat", into, *texts],
    }


def agreement(table, name, command):
    with measuring.scratch() as directory:
        *theirs, perf_samples = perf_shares.by_perf(directory, command)
    profile = perf_shares.sampled(command)
    *ours, samples = perf_shares.by_lprof(profile)
    for kind, perf, lprof in zip(("functions", "lines"), theirs, ours):
        same, worst, _ = perf_shares.compare(
            perf_shares.without_kernel(perf), perf_shares.without_kernel(lprof), min(samples, perf_samples))
        table.row(f"{name}: top ten {kind}, the same of {SHARE}", f"{same}", f"{SHARE}", same == SHARE)
        table.row(f"{name}: shares of {kind}, largest difference", f"{100 * worst:.2f} points",
                  f"under {POINTS:.0f} points", 100 * worst < POINTS)
    whole = perf_shares.whole_stacks(profile)
    table.row(f"{name}: stacks that reach the start, of {samples}", f"{100 * whole:.2f}%", f"at least {100 * WHOLE:.0f}%",
              whole >= WHOLE)


def cpu_seconds(prefix, command):
    ended = measuring.succeed([*prefix, *TIMED, *command])
    return sum(map(float, re.findall(r"^cpu ([\d.]+) ([\d.]+)$", ended.stderr, re.M)[0]))


def by_kernel(directory, command):
    """The share of a CPU that the sampling program runs, by the kernel's own account of it: also where no target ran."""
    def shown():
        return json.loads(measuring.succeed(["bpftool", "-j", "prog", "show"]).stdout)
    last = max((each["id"] for each in shown()), default=0)
    found, before = {}, STATS.read_text()
    try:
        STATS.write_text("1")
        with subprocess.Popen([measuring.LPROF, "run", "-o", f"{directory}/x.json", "--", *map(str, command)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=measuring.ENVIRONMENT) as running:
            while running.poll() is None:
                time.sleep(0.2)
                found = next((each for each in shown() if each["id"] > last and each.get("name") == "sample_cpu" and each.get("run_cnt")), found)
    finally:
        STATS.write_text(before)
    return found["run_time_ns"] / 1e9 * 999 * os.cpu_count() / found["run_cnt"]


def differences(rounds, prefixes, command):
    """What each side costs beside the one before it, as shares of the first: medians, and how far they may be off.

    There and back in each round, so that what slows the machine steadily or for a while slows all alike; the error is
    the median's, from the quartiles of the rounds.
    """
    sides = list(prefixes)
    found = {side: [] for side in sides}
    for _ in range(rounds):
        spent = dict.fromkeys(sides, 0)
        for side in sides + sides[::-1]:
            spent[side] += cpu_seconds(prefixes[side], command)
        for before, side in zip(sides, sides[1:]):
            found[side].append((spent[side] - spent[before]) / spent[sides[0]])
    for side in sides[1:]:
        low, middle, high = statistics.quantiles(found[side], n=4)
        yield middle, 2 * 0.93 * (high - low) / len(found[side]) ** 0.5


def cost(table, name, command, rounds):
    bare = programs.own("bare_events", "-lbpf")
    with measuring.scratch() as directory:
        (timer, timer_off), (own, own_off) = differences(max(rounds, ROUNDS_LEAST), {
            "plain": [], "bare": [bare, "999"], "lprof": [measuring.LPROF, "run", "-o", f"{directory}/x.json", "--"]}, command)
        kernels = by_kernel(directory, command)
    whole = timer + own
    table.row(f"{name}: CPU time that 999 samples a second cost", f"{100 * whole:.2f}%", f"under {100 * COST:.0f}%", whole < COST)
    table.row(f"{name}: of it, the timer's interrupt with an empty program", f"{100 * timer:.2f}% +- {100 * timer_off:.2f}%")
    table.row(f"{name}: of it, lprof beside the empty program", f"{100 * own:.2f}% +- {100 * own_off:.2f}%")
    table.row(f"{name}: lprof's program, by the kernel's account of it", f"{100 * kernels:.2f}%", f"under {100 * COST:.0f}%", kernels < COST)


def price(table, rounds):
    """What a program loses at each sample, as it sees itself: many samples a second, of one frame."""
    hz, seconds = "4001", "1"
    gaps, bare = programs.own("gaps"), programs.own("bare_events", "-lbpf")
    with measuring.scratch() as directory:
        sides = {
            "the timer's interrupt with an empty program": [bare, hz],
            "perf record": ["perf", "record", "-q", "-e", "cpu-clock", "-F", hz, "-o", f"{directory}/perf.data"],
            "perf record -g": ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", hz, "-o", f"{directory}/perf.data"],
            "lprof run": [measuring.LPROF, "run", f"--cpu={hz}", "-o", f"{directory}/x.json", "--"],
        }
        found = {side: [] for side in sides}
        for _ in range(rounds):
            for side, prefix in sides.items():
                found[side].append(float(measuring.succeed([*prefix, gaps, hz, seconds]).stdout))
    for side, each in found.items():
        ns = statistics.median(each)
        table.row(f"a sample: {side}", f"{ns / 1000:.2f} us, {ns * 999 / 1e7:.2f}% at 999 Hz")


def bench(table, rounds):
    table.section("CPU samples", "Beside `perf record` at the same frequency, in runs of their own: functions as addr2line has them "
                  "(inlined ones apart), lines as perf's srcline. The kernel's time is left out of the shares: what else "
                  "the machine does is in it. The programs have no frame pointers. What the interrupt alone takes, and why: [SAMPLING.md](SAMPLING.md).")
    price(table, rounds)
    for name, command in commands().items():
        agreement(table, name, command)
        cost(table, name, command, max(1, rounds // 2 + 1))
