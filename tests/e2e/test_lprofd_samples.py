#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lprofd samples CPU time: where the targets' own clocks say it was spent, for each who asks, across kills.

Processes that are named, and what they execute; whoever runs an image, with its threads and workers;
probes beside samples; two who sample one process; removing, resetting, another frequency; users.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
import daemon  # noqa: E402
import measuring  # noqa: E402

checks = measuring.Checks()
SOURCE = measuring.WORKLOADS / "spender.c"
LINES = {name: number for number, line in enumerate(SOURCE.read_text().splitlines(), 1)
         for name in re.findall(r"/\* at (\w+) \*/", line)}
PERIOD_NS = 1000000000 // 999
MS = 300
EVENT = None  # as `lprof run` says


class Spender:
    """A shell that becomes `spender` when it is told to: a process that can be named before it spends."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen(["sh", "-c", 'read line; exec "$@"', "sh", str(program), *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=measuring.ENVIRONMENT)
        self.pid = self.process.pid

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        """What the program printed of each place: ns of CPU time."""
        printed = self.process.communicate(timeout=60)[0]
        return spent_in(printed)

    def run(self):
        self.go()
        return self.end()


def spent_in(printed):
    found = {}
    for name, ns in re.findall(r"^cpu (\w+) (\d+)$", printed, re.M):
        found[name] = found.get(name, 0) + int(ns)
    return found


def rows_of(profile, name):
    return [line for function in profile["functions"] for line in function["lines"]
            if line["file"].endswith("spender.c") and line["line"] == LINES[name]]


def samples_at(profile, name, key="cpu_total_samples"):
    return sum(row[key] for row in rows_of(profile, name))


def samples(profile):
    return sum(function["cpu_samples"] for function in profile["functions"])


def collect(server):
    return server.call("Collect")["profile"]


def check_shape(profile, what):
    checks.equal(profile["sampling_period_ns"], PERIOD_NS, f"{what}: the period")
    checks.equal(profile.get("sampling_event"), EVENT, f"{what}: the event")
    checks.equal(sum(stack["cpu_samples"] for stack in profile["stacks"]), samples(profile), f"{what}: samples of all stacks")
    lost = [loss for loss in profile["losses"] if loss["cause"] in ("samples", "stacks")]
    checks.equal(lost, [], f"{what}: losses")


def check_spent(profile, spent, what, starts=3, times=1):
    """Samples stand for the CPU time that the program saw: at each place, and in all."""
    check_shape(profile, what)
    for name, ns in spent.items():
        sampled = samples_at(profile, name) * PERIOD_NS
        checks.that(abs(sampled - times * ns) <= 0.05 * times * ns + 2 * starts * PERIOD_NS,
                    f"{what}: line '{name}': {sampled / 1e6:.1f} ms sampled, {times * ns / 1e6:.1f} ms spent")


def ended(server, probe):
    """Probes of processes end with them."""
    return daemon.eventually(lambda: not [each for each in server.call("List")["probes"] if each["id"] == probe["id"]][0]["active"])


def check_watch(server, program):
    """What Watch and `lprof top` tell is what Collect tells, and CPU time is that of the target."""
    profile = collect(server)
    told = {(row["name"], row["file"], row["line"]): row for row in server.call("Watch", lines=True)["functions"]}
    wanted = {(each["name"], each["file"], each["line"]): each for each in profile["functions"]}
    checks.equal(sorted(told), sorted(wanted), "functions that Watch tells")
    for key, row in told.items():
        for name in ("cpu_samples", "cpu_total_samples"):
            checks.equal(row[name], wanted[key][name], f"Watch: {name} of {key}")
        lines = {(line.get("file", row["file"]), line["line"]): line["cpu_samples"] for line in row.get("lines", [])}
        checks.equal(lines, {(line["file"], line["line"]): line["cpu_samples"] for line in wanted[key]["lines"]}, f"Watch: lines of {key}")
    spender = Spender(program, 10 * MS)
    server.call("Add", specs=[], pids=[spender.pid], cpu_hz=999)
    spender.go()
    daemon.eventually(lambda: os.readlink(f"/proc/{spender.pid}/exe") == str(program))
    before = ran_ns(spender), time.monotonic()
    text = server.lprof("top", "-b", "-n", "1", "-d", "1s").stdout
    most = (ran_ns(spender) - before[0]) / 1e7  # all of the interval, and what was before it and behind it
    least = most - 100 * (time.monotonic() - before[1] - 1)
    head, *rows = text.split("\n\n")[1].splitlines()
    checks.equal(head.split(), ["CALLS/S", "TIME%", "SELF%", "CPU%", "CPU+%", "PER", "CALL", "CALLS", "TOTAL", "OWN", "FUNCTION"], "headings of top")
    cells = [row.split() for row in rows]
    spin = [row for row in cells if row[9] == "spin"][0]
    checks.equal((spin[:3], spin[5:9]), (["-"] * 3, ["-"] * 4), "what is only sampled has no calls")
    checks.that(least - 3 <= float(spin[4]) <= most + 3, f"top: {spin[4]}% of a CPU in spin, of {least:.1f} to {most:.1f}% that the target ran")
    checks.that([float(row[3]) for row in cells] == sorted((float(row[3]) for row in cells), reverse=True), f"by CPU time, without being asked: {text}")
    spent = sum(float(row[3]) for row in cells)
    checks.that(least - 3 <= spent <= most + 3, f"top: {spent:.1f}% of a CPU in all, of {least:.1f} to {most:.1f}% that the target ran")
    lines = server.lprof("top", "-b", "-n", "1", "-d", "300ms", "--lines").stdout
    checks.that(re.search(r"\n +- +- +- +\d+\.\d .* spin:\d+ ", lines), f"lines that are only sampled: {lines}")
    spender.process.kill()
    spender.end()
    daemon.eventually(lambda: not any(probe["active"] for probe in server.call("List")["probes"]))


def check_process(server, program):
    """A process that is named, which executes the program only then; the probe ends with it and keeps its samples."""
    spender = Spender(program, MS)
    added = server.lprof("add", "-p", spender.pid, "--cpu")
    checks.that(added.returncode == 0 and "probe" in added.stdout, f"lprof add --cpu: {added}")
    checks.that(f"--cpu=999 of process {spender.pid}" in server.lprof("list").stdout, "lprof list")
    probe = server.call("List")["probes"][-1]
    again = server.call("Add", specs=[], pids=[spender.pid], cpu_hz=999)
    checks.that(not again["created"] and again["probe"]["id"] == probe["id"], "the same request is the same probe")
    spent = spender.run()
    checks.that(ended(server, probe), "the probe ends with its process")
    profile = collect(server)
    check_spent(profile, spent, "a process")
    report = server.lprof("collect").stdout
    checks.that("CPU time" in report and "(spin)" in report, f"lprof collect: {report[:300]}")
    status = json.loads(server.lprof("status", "--json").stdout)
    checks.equal((status["sampling_hz"], status["cpu_samples"]), (999, samples(profile)), "lprof status")
    check_watch(server, program)
    server.call("Reset")
    profile = collect(server)
    checks.equal((samples(profile), profile["stacks"]), (0, []), "samples after Reset")
    checks.that(not list(server.pins.glob("samples*")), "nothing of samples is pinned when there are none")


def check_image(server, program):
    """Whoever runs the image: alone, with threads, workers, workers that execute it again; and nobody else."""
    probe = server.call("Add", specs=[{"text": "spin"}], image=str(program), cpu_hz=999)["probe"]
    other = measuring.built("spender", "clang-O2").resolve()
    for kind, starts in (((), 3), (("threads",), 9), (("workers",), 9), (("execs",), 9)):
        strange = subprocess.Popen([str(other), str(MS)], stdout=subprocess.DEVNULL, env=measuring.ENVIRONMENT)
        spent = spent_in(measuring.succeed([program, MS, *kind]).stdout)
        strange.kill()
        strange.wait()
        what = "an image, " + " ".join(kind or ("alone",))
        profile = collect(server)
        check_spent(profile, spent, what, starts)
        paths = {image["path"] for image in profile["images"]}
        checks.that(str(other) not in paths, f"{what}: another program was sampled")
        spin = measuring.functions(profile)["spin"]
        checks.that(spin["calls"] >= 4, f"{what}: {spin['calls']} calls of spin beside its samples")
        checks.that(spin["cpu_total_samples"] * PERIOD_NS >= 0.9 * sum(spent.values()), f"{what}: samples of the function that was asked for")
        server.call("Reset")
    server.call("Remove", probes=[str(probe["id"])])
    measuring.succeed([program, MS])
    checks.equal(samples(collect(server)), 0, "samples of a probe that was removed")
    server.call("Reset")


def check_running(server, program):
    """Whoever runs the image already when it is asked for."""
    spender = subprocess.Popen([str(program), str(2 * MS)], stdout=subprocess.DEVNULL, env=measuring.ENVIRONMENT)
    time.sleep(0.3)
    server.call("Add", specs=[], image=str(program), cpu_hz=999)
    spender.wait()
    profile = collect(server)
    spin = measuring.functions(profile).get("spin", {"cpu_total_samples": 0})
    checks.that(spin["cpu_total_samples"] * PERIOD_NS >= MS * 1e6, f"a program that ran before: {spin['cpu_total_samples']} samples")
    unknown = sum(function["cpu_samples"] for function in profile["functions"] if function["name"] == "[unknown]")
    checks.equal(unknown, 0, "a program that ran before: samples in code that is not known")
    server.call("Remove", probes=[str(server.call("List")["probes"][-1]["id"])])
    server.call("Reset")


def check_made_code(server):
    """Code that a process makes, and names, while it is sampled, has its name in what is collected next."""
    spender = Spender(measuring.built("odd_stacks", "gcc-O2").resolve(), 2 * MS, "jit")
    server.call("Add", specs=[], pids=[spender.pid], cpu_hz=999)
    spender.go()
    checks.that(daemon.eventually(lambda: "LazyCompile:*plain file.js:7" in measuring.functions(collect(server))), "code that is named at once")
    path = pathlib.Path(f"/tmp/perf-{spender.pid}.map")
    first, size, _ = path.read_bytes().split(b" ", 2)
    with open(path, "ab") as told:
        told.write(b"%x %s late\n" % (int(first, 16) + 2 * 4096, size))
    found = daemon.eventually(lambda: measuring.functions(collect(server)).get("late", {}).get("cpu_samples", 0) > 50)
    checks.that(found and spender.process.poll() is None, "code that is named later")
    spender.end()
    daemon.eventually(lambda: not any(probe["active"] for probe in server.call("List")["probes"]))
    server.call("Reset")


def check_losses(server, program):
    """What was lost is forgotten with the samples, though sampling goes on."""
    def cut():
        return sum(loss["count"] for loss in collect(server)["losses"] if loss["cause"] == "stack_cut")
    spender, deep = Spender(program, 20 * MS), Spender(measuring.built("odd_stacks", "gcc-O2").resolve(), MS, "deep")
    server.call("Add", specs=[], pids=[spender.pid], cpu_hz=999)
    probe = server.call("Add", specs=[], pids=[deep.pid], cpu_hz=999)["probe"]
    spender.go()
    deep.run()
    checks.that(ended(server, probe), "the probe ends with its process")
    checks.that(cut() > 50, f"{cut()} stacks of a deep recursion were cut")
    server.call("Reset")
    checks.that(daemon.eventually(lambda: samples(collect(server)) > 100), "samples come after Reset")
    checks.equal(cut(), 0, "cut stacks after Reset")
    spender.process.kill()
    spender.end()
    daemon.eventually(lambda: not any(probe["active"] for probe in server.call("List")["probes"]))
    server.call("Reset")


def check_apart(server, program, directory):
    """Two probes sample one process, one of them another too: each has its own, all have each sample once."""
    outputs = [directory / "one.json", directory / "two.json"]
    first, second = Spender(program, MS), Spender(program, MS)
    server.call("Add", specs=[], pids=[first.pid, second.pid], cpu_hz=999, outputs=[str(outputs[0])])
    probe = server.call("Add", specs=[], pids=[second.pid], cpu_hz=999, outputs=[str(outputs[1])])["probe"]
    spent = [first.run(), second.run()]
    checks.that(ended(server, probe), "probes end")
    daemon.eventually(lambda: all(path.exists() for path in outputs))
    both = {name: spent[0][name] + spent[1][name] for name in spent[0]}
    check_spent(collect(server), both, "two probes, all", 6)
    check_spent(json.loads(outputs[0].read_text()), both, "the probe of both processes", 6)
    own = json.loads(outputs[1].read_text())
    check_spent(own, spent[1], "the probe of one process")
    server.call("Reset")
    checks.equal(samples(collect(server)), 0, "samples after Reset")


def check_reset_running(server, program):
    """Reset forgets what was sampled, and sampling goes on."""
    spender = Spender(program, 10 * MS)
    server.call("Add", specs=[], pids=[spender.pid], cpu_hz=999)
    spender.go()
    checks.that(daemon.eventually(lambda: samples(collect(server)) > 500), "samples come")
    server.call("Reset")
    begun = time.monotonic()
    few = samples(collect(server))
    checks.that(few <= 1000 * (time.monotonic() - begun) + 100, f"{few} samples right after Reset")
    checks.that(daemon.eventually(lambda: samples(collect(server)) > few + 200), "samples come after Reset")
    try:
        server.call("Add", specs=[], pids=[spender.pid], cpu_hz=99)
        checks.that(False, "another frequency was not refused")
    except daemon.Refused as error:
        checks.equal(error.code, "EBUSY", f"another frequency: {error.message}")
        checks.that("--cpu=999" in error.message, f"another frequency: {error.message}")
    server.call("Remove", probes=[str(server.call("List")["probes"][-1]["id"])])
    before = samples(collect(server))
    time.sleep(0.3)
    checks.equal(samples(collect(server)), before, "samples of a probe that was removed")
    spender.process.kill()
    spender.end()
    server.call("Reset")
    spender = Spender(program, 1)
    server.call("Add", specs=[], pids=[spender.pid], cpu_hz=99)
    checks.equal(json.loads(server.lprof("status", "--json").stdout)["sampling_hz"], 99, "another frequency, once nothing is kept")
    spender.run()
    server.call("Reset")
    daemon.eventually(lambda: not any(probe["active"] for probe in server.call("List")["probes"]))
    server.call("Reset")


def ran_ns(process):
    """CPU time of a process's first thread, as the kernel has it."""
    return int(pathlib.Path(f"/proc/{process.pid}/schedstat").read_text().split()[0])


def check_kills(server, program):
    """Killed again and again: no sample that was counted is lost, and what was not sampled is not invented."""
    spender = Spender(program, 10 * MS)
    spender.go()
    daemon.eventually(lambda: os.readlink(f"/proc/{spender.pid}/exe") == str(program))
    server.call("Add", specs=[{"text": "spin_deep"}], pids=[spender.pid], cpu_hz=999)
    begun = ran_ns(spender)
    alive = 0
    last = {}
    for turn in range(4):
        sampled_from = ran_ns(spender)
        time.sleep(0.6)
        alive += ran_ns(spender) - sampled_from
        found = {function["name"]: function["cpu_total_samples"] for function in collect(server)["functions"]}
        for name, count in last.items():
            checks.that(found.get(name, 0) >= count, f"kill {turn}: {name}: {found.get(name, 0)} samples, {count} before the kill")
        last = found
        server.kill()
        time.sleep(0.2)
        checks.that(server.start(), f"lprofd starts again: {server.said}")
    profile = collect(server)
    check_shape(profile, "kills")
    all_ns, total = ran_ns(spender) - begun, samples(profile)
    spun = measuring.functions(profile)["spin"]["cpu_total_samples"]
    checks.that(0.97 * alive <= (total + 4) * PERIOD_NS <= 1.03 * all_ns,
                f"{total} samples in {all_ns / 1e6:.0f} ms, for {alive / 1e6:.0f} of which there surely was an lprofd")
    checks.that(spun >= 0.97 * total, f"only {spun} of {total} samples in spin and what it inlines")
    server.kill()
    spender.process.kill()
    spender.end()
    checks.that(server.start(), f"lprofd starts again: {server.said}")
    checks.that(daemon.eventually(lambda: not any(probe["active"] for probe in server.call("List")["probes"])),
                "the probe of a process that ended meanwhile ends")
    checks.that(samples(collect(server)) >= total, "samples of a process that ended while there was no lprofd")
    server.call("Reset")


def check_metrics(server, program):
    """Prometheus sees the samples that Collect sees: of functions, of lines that are measured, of all code."""
    server.call("Add", specs=[{"text": "spin_deep", "lines": True}], image=str(program), cpu_hz=999)
    measuring.succeed([program, MS])
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as reply:
        values = dict(line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if line[0] != "#")
    profile = collect(server)
    found = {name.split('"')[1]: int(value) for name, value in values.items() if name.startswith("lprof_function_cpu_samples_total")}
    wanted = {name: function["cpu_samples"] for name, function in measuring.functions(profile).items()
              if function["cpu_samples"] or function["calls"]}
    checks.equal(found, wanted, "lprof_function_cpu_samples_total")
    checks.equal(int(values["lprof_cpu_samples_total"]), samples(profile), "lprof_cpu_samples_total")
    checks.equal(round(float(values["lprof_cpu_sampling_period_seconds"]) * 1e9), PERIOD_NS, "lprof_cpu_sampling_period_seconds")
    lines = {name: int(value) for name, value in values.items() if name.startswith("lprof_line_cpu_samples_total")}
    deep = measuring.functions(profile)["spin_deep"]
    checks.that(lines and all('function="spin_deep"' in name for name in lines), f"lines with samples: {list(lines)}")
    checks.that(sum(lines.values()) <= deep["cpu_samples"], "samples of lines beside those of their function")
    checks.that(not any('calls_total{function="spin"' in name for name in values), "a function that is only sampled has other series")
    server.call("Remove", probes=[str(server.call("List")["probes"][-1]["id"])])
    server.call("Reset")


def check_killed_image(server, program):
    """After a kill an image's new users are sampled again."""
    server.call("Add", specs=[], image=str(program), cpu_hz=999)
    measuring.succeed([program, MS])
    before = collect(server)
    server.kill()
    checks.that(server.start(), f"lprofd starts again: {server.said}")
    spent = spent_in(measuring.succeed([program, MS]).stdout)
    after = collect(server)
    for name, ns in spent.items():
        sampled = (samples_at(after, name) - samples_at(before, name)) * PERIOD_NS
        checks.that(abs(sampled - ns) <= 0.05 * ns + 6 * PERIOD_NS, f"after a kill: line '{name}': {sampled / 1e6:.1f} ms, not {ns / 1e6:.1f}")
    server.call("Remove", probes=[str(server.call("List")["probes"][-1]["id"])])
    server.call("Reset")


def check_users(server, program):
    """Who is not root sees samples of its own probes alone."""
    spender = Spender(program, MS)
    probe = server.call("Add", specs=[], pids=[spender.pid], cpu_hz=999)["probe"]
    spender.run()
    ended(server, probe)
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import json, os, daemon, encodings.idna\n"
            "os.setgroups([]); os.setgid(1); os.setuid(12345)\n"
            "profile = daemon.Connection(sys.argv[2]).call('Collect')['profile']\n"
            "print(sum(function['cpu_samples'] for function in profile['functions']), len(profile['stacks']))\n")
    seen = measuring.command([sys.executable, "-c", code, pathlib.Path(__file__).parent, server.socket])
    checks.equal(seen.stdout.split(), ["0", "0"], f"what another user sees {seen.stderr[-200:]}")
    checks.that(samples(collect(server)) > 0, "what root sees")
    server.call("Reset")


def event_of_run(directory, program):
    output = directory / "run.json"
    measuring.succeed([measuring.LPROF, "run", "--cpu", "-o", output, "--", program, "1"])
    return json.loads(output.read_text())["sampling_event"]


def main():
    global EVENT  # pylint: disable=global-statement
    daemon.need_daemon()
    program = measuring.built("spender", "gcc-O2").resolve()
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        directory.chmod(0o755)
        EVENT = event_of_run(directory, program)
        server = daemon.Daemon(directory, "group = daemon\n")
        try:
            checks.that(server.start(), f"lprofd starts: {server.said}")
            check_process(server, program)
            check_image(server, program)
            check_running(server, program)
            check_apart(server, program, directory)
            check_made_code(server)
            check_losses(server, program)
            check_reset_running(server, program)
            check_users(server, program)
            check_metrics(server, program)
            check_kills(server, program)
            check_killed_image(server, program)
            checks.equal(server.stop(), 0, "status after SIGTERM")
            checks.that(not server.pins.exists(), "no pins stay")
        finally:
            server.close()
    checks.finish(90, "lprofd's samples")


if __name__ == "__main__":
    main()
