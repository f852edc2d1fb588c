# SPDX-License-Identifier: GPL-2.0-or-later
"""What samples of CPU time cost, and how they agree with perf's: of three programs that compute, at -O2."""
import re
import statistics
import sys

sys.dont_write_bytecode = True
import programs  # puts tests/e2e on the path
import measuring
import perf_shares

SHARE, POINTS, WHOLE, COST = 10, 3.0, 0.95, 0.01

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


def cost(table, name, command, rounds):
    """In turns, so that a busy machine slows all alike; medians of the ratios."""
    bare = programs.own("bare_events", "-lbpf")
    ratios = {"bare": [], "lprof": []}
    with measuring.scratch() as directory:
        prefixes = {"bare": [bare, "999"], "lprof": [measuring.LPROF, "run", "-o", f"{directory}/x.json", "--"]}
        for _ in range(rounds):
            plain = cpu_seconds([], command)
            for side, prefix in prefixes.items():
                ratios[side].append(cpu_seconds(prefix, command) / plain - 1)
    whole, nothing = (statistics.median(ratios[side]) for side in ("lprof", "bare"))
    table.row(f"{name}: CPU time that 999 samples a second cost", f"{100 * whole:.2f}%", f"under {100 * COST:.0f}%", whole < COST)
    table.row(f"{name}: of it, the timer's interrupt with an empty program", f"{100 * nothing:.2f}%")
    table.row(f"{name}: lprof's own part", f"{100 * (whole - nothing):.2f}%", f"under {100 * COST:.0f}%", whole - nothing < COST)


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
        cost(table, name, command, rounds)
