# SPDX-License-Identifier: GPL-2.0-or-later
"""What measuring costs real programs, by lprof and by other tools in turns, beside the price that lprof foretells.

A job is done in equal units, so many that each turn takes about the same time whatever it costs: what is compared
is the CPU time of a unit.
"""
import contextlib
import fnmatch
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import peers
import programs
import measuring

TURN_SECONDS = 0.4
MANY = 100
PEER_ROUNDS = 3  # at most
PRICED_ROUNDS = 9  # what is compared with a price: a tenth of a noisy time
PRICE_FACTOR = 1.5
PRICED_SECONDS = 20  # longer than a price takes


class Job:
    """A program, its command for a number of units, and what of it is measured."""

    def __init__(self, name, build, hot, many, lined, command):
        self.name, self.build, self.hot, self.many, self.lined, self.command = name, build, hot, many, lined, command

    def program(self, *flags):
        return self.build("-O2", "-g", *flags)

    def some_functions(self):
        """A hundred of those that the globs name, of those that are not the compiler's."""
        printed = measuring.succeed(["nm", "--defined-only", self.program()]).stdout
        names = sorted(set(re.findall(r" [tT] (\w+)$", printed, re.M)))
        return [name for name in names if any(fnmatch.fnmatchcase(name, glob) for glob in self.many)][:MANY]


def lua_command(program, units):
    script = f"arg = {{'10'}} for i = 1, {units} do dofile('{measuring.WORKLOADS / 'bench.lua'}') end"
    return [program, "-e", script]


def sqlite_command(program, units):
    """A twentieth of the script for CPU samples, so that all of it comes by many times a second."""
    script = programs.directory("sqlite-input") / "work.sql"
    text = (programs.BENCH / "work.sql").read_text()
    script.write_text(text.replace("200000", "4000").replace("1500000", "30000"))
    return [program, ":memory:", *[f".read {script}"] * units]


def zstd_command(program, units):
    text = programs.directory("zstd-input") / "unit"
    source = programs.fetch("libzstd")
    text.write_bytes((source / "lib/compress/zstd_opt.c").read_bytes()[:40000])
    return [program, "-17", "-q", "-f", "-c", *[text] * units]


# Functions that are called some 100,000 times a second: what people measure, and where costs tell.
JOBS = (
    Job("Lua", programs.lua, "luaH_resize", ("lua[EFGKXY]_*", "luaB_*"), "luaK_dischargevars", lua_command),
    Job("SQLite", programs.sqlite, "sqlite3BtreeIndexMoveto", ("sqlite3Expr*", "sqlite3Where*", "sqlite3Select*", "sqlite3VdbeA*"),
        "sqlite3VdbeFinishMoveto", sqlite_command),
    Job("zstd", programs.zstd_program, "ZSTD_setBasePrices", ("ZSTD_*", "HUF_*", "FSE_*"), "ZSTD_insertBt1", zstd_command),
)


def processor_seconds(pid):
    """Of all threads of a process that runs."""
    stats = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in stats) / 1e9


def run_units(prefix, job, program, units):
    """CPU seconds of a unit."""
    with measuring.scratch() as directory:
        times = pathlib.Path(directory) / "times"
        environment = {**peers.ENVIRONMENT, "LD_PRELOAD": str(programs.preload("cpu_time")), "CPU_TIME": str(times)}
        measuring.succeed([*prefix, *job.command(program, units)], env=environment, text=False, cwd=directory)
        (_, seconds), = (line.split() for line in times.read_text().splitlines() if line.startswith(program.name + " "))
    return float(seconds) / units


class Side:
    """One way of running a job; how many units it does in a turn is found by the first."""

    def __init__(self, job, prefix=None, standing=None, flags=(), rounds=PEER_ROUNDS):
        self.job, self.program, self.units, self.rounds = job, job.program(*flags), None, rounds
        self.prefix, self.standing = prefix or (lambda directory: []), standing or contextlib.nullcontext
        self.seconds = []

    def turn(self):
        with measuring.scratch() as directory, self.standing():
            if not self.units:
                first = run_units(self.prefix(directory), self.job, self.program, 1)
                self.units = max(1, min(1000, int(TURN_SECONDS / max(first, 1e-4))))
            self.seconds.append(run_units(self.prefix(directory), self.job, self.program, self.units))


def under_lprof(kind, names, *options):
    specs = [word for name in names for word in (kind, name)]
    return lambda directory: [measuring.LPROF, "run", *specs, *options, "-o", f"{directory}/x.json", "--"]


def sides_of(job, functions):
    """By (case, tool). Once must do for what is slow: a program under callgrind, 25 s of bpftrace letting go of many probes."""
    return {
        ("one function", "lprof"): Side(job, under_lprof("-f", [job.hot]), rounds=PRICED_ROUNDS),
        (f"{len(functions)} functions", "lprof"): Side(job, under_lprof("-f", functions), rounds=PRICED_ROUNDS),
        ("lines of one function", "lprof"): Side(job, under_lprof("-l", [job.lined]), rounds=PRICED_ROUNDS),
        ("one function", "bpftrace"): Side(job, standing=lambda: peers.bpftrace(job.program(), [job.hot])),
        ("one function", "funclatency"): Side(job, standing=lambda: peers.funclatency(job.program(), [job.hot])),
        (f"{len(functions)} functions", "bpftrace"): Side(job, standing=lambda: peers.bpftrace(job.program(), functions), rounds=1),
        ("samples", "lprof"): Side(job, under_lprof("", [])),
        ("samples", "perf record"): Side(job, peers.perf),
        ("every instruction", "callgrind"): Side(job, peers.callgrind, rounds=1),
        ("one function", "uftrace"): Side(job, lambda directory: peers.uftrace(directory, job.hot), flags=["-pg"]),
    }


def foretold_share(pid, kind, names):
    specs = [word for name in names for word in (kind, name)]
    return json.loads(measuring.succeed([measuring.LPROF, "plan", "--price", "--json", "-p", pid, *specs]).stdout)["share_of_cpu"]


def job_price(job, kind, names):
    """While the job goes on and on: the share of a CPU that is foretold, and that which the job has."""
    units = int(PRICED_SECONDS / run_units([], job, job.program(), 20))
    command = [str(word) for word in job.command(job.program(), units)]
    target = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=measuring.ENVIRONMENT)
    try:
        time.sleep(0.2)
        began, used = time.monotonic(), processor_seconds(target.pid)
        foretold = foretold_share(target.pid, kind, names)
        return foretold, (processor_seconds(target.pid) - used) / (time.monotonic() - began)
    finally:
        target.kill()
        target.wait()


def bench_price(results, title, foretold, slower, busy):
    """Beside the share of a CPU that probes took in fact: of what the program had of one, `busy`."""
    cost = (1 - 1 / statistics.median(slower)) * busy
    factor = foretold / cost
    kept = 1 / PRICE_FACTOR <= factor <= PRICE_FACTOR
    results.row(f"{title}: share of a CPU, foretold / cost", f"{100 * foretold:.1f}% / {100 * cost:.1f}%", f"within {PRICE_FACTOR}", kept)


def bench_job(results, job, rounds):
    functions = job.some_functions()
    plain, sides = Side(job), peers.with_tools(results, job.name, sides_of(job, functions))
    slower = {key: [] for key in sides}
    for _ in range(rounds):
        for key, side in sides.items():
            if len(slower[key]) >= side.rounds:
                continue
            plain.turn()
            side.turn()
            slower[key].append(side.seconds[-1] / plain.seconds[-1])
    for (case, tool), factors in slower.items():
        middle = statistics.median(factors)
        results.row(f"{job.name}, {case}: {tool}", f"{middle:.2f} times")
        results.cost(f"{job.name}, {case}", tool, f"{middle:.2f} x")
    for (case, tool), factors in slower.items():
        if tool == "lprof":
            results.ratio(f"{job.name}, {case}: lprof / plain", factors)
        elif (case, "lprof") in slower and tool != "uftrace" and len(factors) > 1:
            results.ratio(f"{job.name}, {case}: lprof / {tool}", [ours / theirs for ours, theirs in zip(slower[case, "lprof"], factors)])
    measured = {"one function": ("-f", [job.hot]), f"{len(functions)} functions": ("-f", functions), "lines of one function": ("-l", [job.lined])}
    for case, (kind, names) in measured.items():
        foretold, busy = job_price(job, kind, names)
        bench_price(results, f"{job.name}, {case}", foretold, slower[case, "lprof"], busy)


def bench(results, rounds):
    results.section("What measuring costs programs", "CPU time of a fixed job, as a multiple of the same without probes, in turns. One hot "
                    "function and a hundred others are timed call by call; lprof's lines are those of one function. uftrace's program is built "
                    "with -pg, and that is part of its cost. The price is `lprof plan --price` on the running program: the share of a CPU "
                    "that probes take.")
    for job in JOBS:
        bench_job(results, job, rounds)
