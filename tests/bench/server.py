# SPDX-License-Identifier: GPL-2.0-or-later
"""What measuring costs a server under full load: redis-server, asked by redis-benchmark on loopback."""
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import jobs
import peers
import programs
import daemon
import measuring

HOT, LINED = "lookupKey", ("dictFind", "call", "lookupKey")
REQUESTS = 150000
BUDGET, LOSS, TOP = 1, 0.02, 3
SETTLE_SECONDS, WINDOW_SECONDS, WINDOWS = 1, 10, 3


def build():
    """The server and its benchmark, as upstream's Makefile builds them, with the libraries that it brings."""
    into, source = programs.directory("redis"), programs.fetch("redis")
    if not (into / "src" / "redis-benchmark").exists():
        measuring.succeed(["cp", "-rT", source, into])
        measuring.succeed(["make", "-C", into / "src", "-j", programs.JOBS, "redis-server", "redis-benchmark", "MALLOC=libc",
                           "USE_SYSTEMD=no", "OPT=-O2 -g"], timeout=1200)
    return into / "src"


class Server:
    """redis-server under some prefix, alone on a port of its own."""

    def __init__(self, prefix=()):
        self.port = 20000 + (os.getpid() * 7 + 11) % 20000
        command = [*prefix, build() / "redis-server", "--port", self.port, "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen([str(word) for word in command], env=peers.ENVIRONMENT, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        if not daemon.eventually(self.answers):
            raise RuntimeError(f"redis-server does not answer under {prefix}")
        self.pid = int(re.search(r"process_id:(\d+)", self.ask("INFO server"))[1])

    def ask(self, question):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(f"{question}\r\nQUIT\r\n".encode())
            return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()

    def answers(self):
        with contextlib.suppress(OSError):
            return "PONG" in self.ask("PING")
        return False

    def commands(self):
        return int(re.search(r"total_commands_processed:(\d+)", self.ask("INFO stats"))[1])

    def load(self, *arguments, **options):
        command = [build() / "redis-benchmark", "-p", self.port, "-t", "get", *arguments]
        return subprocess.Popen([str(word) for word in command], text=True, **{"stdout": subprocess.PIPE, **options})

    def benchmark(self):
        """Requests a second, the 99th percentile of latency in ms, CPU seconds of the server for a request, and the share
        of a CPU that it had."""
        used, began = jobs.processor_seconds(self.pid), time.monotonic()
        printed, _ = self.load("-n", REQUESTS, "--csv").communicate(timeout=measuring.RUN_SECONDS)
        used, seconds = jobs.processor_seconds(self.pid) - used, time.monotonic() - began
        fields = printed.strip().split("\n")[-1].replace('"', "").split(",")
        return float(fields[1]), float(fields[6]), used / REQUESTS, used / seconds

    def close(self):
        with contextlib.suppress(OSError):
            self.ask("SHUTDOWN NOSAVE")
        self.process.wait(timeout=measuring.RUN_SECONDS)


def sides_of():
    """By (case, tool): a prefix, and what stands by meanwhile."""
    program, idle = build() / "redis-server", contextlib.nullcontext
    return {
        ("one function", "lprof"): (jobs.under_lprof("-f", [HOT]), idle),
        ("one function, --exit=return", "lprof"): (jobs.under_lprof("-f", [HOT], "--exit=return"), idle),
        ("lines of one function", "lprof"): (jobs.under_lprof("-l", [HOT]), idle),
        ("samples", "lprof"): (jobs.under_lprof("", []), idle),
        ("one function", "bpftrace"): (lambda _: [], lambda: peers.bpftrace(program, [HOT])),
        ("one function", "funclatency"): (lambda _: [], lambda: peers.funclatency(program, [HOT])),
        ("samples", "perf record"): (peers.perf, idle),
    }


def bench_tools(results, rounds):
    plain_side = {("", "plain"): (lambda _: [], contextlib.nullcontext)}
    sides = plain_side | peers.with_tools(results, "redis-server", sides_of())
    found = {key: [] for key in sides}
    for _ in range(rounds):
        for key, (prefix, standing) in sides.items():
            with measuring.scratch() as directory, standing():
                server = Server(prefix(directory))
                try:
                    found[key].append(server.benchmark())
                finally:
                    server.close()
    plain = found.pop(("", "plain"))
    results.row("redis-server, plain", f"{statistics.median(each[0] for each in plain):.0f}/s", f"p99 {statistics.median(each[1] for each in plain):.2f} ms")
    slower, busy = {}, {}
    for (case, tool), values in found.items():
        kept, p99 = (statistics.median(ours[at] / theirs[at] for ours, theirs in zip(values, plain)) for at in (0, 1))
        busy[case, tool] = [each[3] for each in values]
        slower[case, tool] = [ours[2] / theirs[2] for ours, theirs in zip(values, plain)]
        results.row(f"redis-server, {case}: {tool}", f"{100 * kept:.0f}% of requests/s", f"p99 {p99:.2f} times")
        results.cost(f"redis-server, {case}: requests/s", tool, f"{100 * kept:.0f}%")
    for (case, tool), factors in slower.items():
        if tool == "lprof":
            results.ratio(f"redis-server, {case}: CPU time of a request, lprof / plain", factors)
    return slower, busy


def bench_prices(results, slower, busy):
    """Beside the CPU time that a request took more."""
    for case, kind in (("one function", "-f"), ("lines of one function", "-l")):
        server = Server()
        load = server.load("-l", "-q", stdout=subprocess.DEVNULL)  # which a pipe that nobody reads would end
        try:
            time.sleep(0.3)
            foretold = jobs.foretold_share(server.pid, kind, [HOT])
        finally:
            load.kill()
            load.wait()
            server.close()
        jobs.bench_price(results, f"redis-server, {case}", foretold, slower[case, "lprof"], statistics.median(busy[case, "lprof"]))


# ---- lprofd with a budget ----

def rate(server, seconds):
    commands, began = server.commands(), time.monotonic()
    time.sleep(seconds)
    return (server.commands() - commands) / (time.monotonic() - began)


def top_lines(collected):
    lines = [(line["total_ns"], function["name"], line["line"]) for function in collected["profile"]["functions"]
             for line in function["lines"]]
    return [place for _, *place in sorted(lines, reverse=True)[:TOP]]


def measured_window(lprofd, server, seconds, *options):
    """Requests a second while lprofd measures, from a second on; and its top lines."""
    specs = [word for name in LINED for word in ("-l", name)]
    added = lprofd.lprof("add", "-p", server.pid, *specs, *options, "--json")
    measuring.need_success(["lprof", "add"], added)
    time.sleep(SETTLE_SECONDS)
    requests, lines = rate(server, seconds), top_lines(lprofd.call("Collect"))
    removed = lprofd.lprof("remove", str(json.loads(added.stdout)["probe"]["id"]))
    measuring.need_success(["lprof", "remove"], removed)
    return requests, lines


def bench_budget(results):
    title = f"redis-server, lines of {len(LINED)} functions, lprofd with --budget {BUDGET}"
    if "--budget" not in measuring.succeed([measuring.LPROF, "add", "--help"]).stdout:
        return results.left_out(title, "lprof add has no --budget")
    with measuring.scratch() as directory:
        lprofd, server = daemon.Daemon(directory), Server()
        load = server.load("-l", "-q", stdout=subprocess.DEVNULL)  # which a pipe that nobody reads would end
        try:
            assert lprofd.start(), lprofd.said
            time.sleep(0.5)
            losses = []
            for _ in range(WINDOWS):
                before = rate(server, WINDOW_SECONDS / 2)
                requests, budgeted = measured_window(lprofd, server, WINDOW_SECONDS, "--budget", BUDGET)
                losses.append(1 - 2 * requests / (before + rate(server, WINDOW_SECONDS / 2)))
            _, unbudgeted = measured_window(lprofd, server, 2)
        finally:
            load.kill()
            load.wait()
            server.close()
            lprofd.close()
    for loss in losses:
        results.row(f"{title}: requests lost over {WINDOW_SECONDS} s", f"{100 * loss:.1f}%", f"at most {100 * LOSS:.0f}%", loss <= LOSS)
    same = sum(line in unbudgeted for line in budgeted)
    results.row(f"{title}: top {TOP} lines, the same", str(same), str(TOP), same == TOP)


def bench(results, rounds):
    results.section("A server under load", f"redis-server (-O2 -g, with the C library's malloc) on loopback, asked by redis-benchmark -t get with 50 "
                    f"connections, {REQUESTS} requests each turn; of it, {HOT} or its lines. The price is beside the CPU time that a request took more. "
                    f"Under lprofd, lines of {', '.join(LINED)} in windows of {WINDOW_SECONDS} s, beside plain ones around them.")
    bench_prices(results, *bench_tools(results, max(1, rounds // 2 + 1)))
    bench_budget(results)
