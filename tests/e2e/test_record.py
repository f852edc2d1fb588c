#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`lprof record` leaves a running process as it found it, whatever ends the measuring.

Where it cannot measure it fails with one line. What is left in the kernel, tests/system-state finds.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import measuring  # noqa: E402

SPECS = ["-l", "turn", "-f", "mix"]


class Steady:
    """A process that works until its input ends, and then says what it did."""

    def __init__(self):
        self.program = measuring.built("steady", "gcc-O2")
        self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=measuring.ENVIRONMENT)
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid
        self.code = self.read_code()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def read_code(self):
        """The bytes of its executable mappings of the program."""
        code = []
        with open(f"/proc/{self.pid}/maps") as maps, open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            for low, high in re.findall(r"^(\w+)-(\w+) r-xp .*/steady$", maps.read(), re.M):
                memory.seek(int(low, 16))
                code.append(memory.read(int(high, 16) - int(low, 16)))
        return code

    def check_unchanged(self, checks, what):
        checks.that(self.code and self.code[0], f"{what}: no code read")
        deadline = time.monotonic() + measuring.RUN_SECONDS
        while self.read_code() != self.code and time.monotonic() < deadline:
            time.sleep(0.1)  # of a killed lprof the kernel removes the probes a little later
        checks.that(self.read_code() == self.code, f"{what}: the process's code has changed")
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        checks.that(re.search(r"^TracerPid:\s*0$", status, re.M), f"{what}: it is traced")
        checks.that(not re.search(r"^State:\s*[tTZX]", status, re.M), f"{what}: it does not run: {status[:200]}")

    def finish(self, checks, what):
        """Ends it: its checksum must be that of as many turns done in peace. How many those are."""
        printed = self.process.communicate(timeout=measuring.RUN_SECONDS)[0].strip()
        checks.equal(self.process.returncode, 0, f"{what}: the process's exit status")
        turns = re.match(r"turn (\d+)", printed)
        peaceful = measuring.succeed([self.program, turns[1] if turns else "0"]).stdout.strip()
        checks.equal(printed, peaceful, f"{what}: the process's output")
        return int(turns[1]) if turns else 0


def record(*arguments, **options):
    return measuring.command([measuring.LPROF, "record", *arguments], **options)


def start_record(*arguments):
    return subprocess.Popen([measuring.LPROF, "record", *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=measuring.ENVIRONMENT)


def check_failed(checks, ended, pattern, what):
    """One line on stderr that names the thing, nothing on stdout, status 1."""
    checks.equal(ended.returncode, 1, f"{what}: exit status")
    checks.equal(ended.stdout, "", f"{what}: stdout")
    checks.that(re.fullmatch(r"lprof: .*\n", ended.stderr) and re.search(pattern, ended.stderr),
                f"{what}: no '{pattern}' in the one line of stderr: {ended.stderr!r}")


def check_measured(checks, path, most, what):
    """What a profile of a while of turns must look like."""
    profile = json.loads(path.read_text())
    measuring.check_profile(checks, profile, what)
    found = measuring.functions(profile)
    calls = {name: found[name]["calls"] for name in ("turn", "mix")}
    for name, ratio in (("turn", 1), ("mix", 3)):
        checks.that(0 < calls[name] <= most * ratio, f"{what}: {calls[name]} calls of {name} in {most} turns")
    # The call that measuring began in counts in part: it was not seen to begin.
    checks.that(abs(calls["mix"] - 3 * calls["turn"]) <= 3, f"{what}: calls {calls}")
    hits = max(line["hits"] for line in found["turn"]["lines"])
    checks.that(abs(hits - 4 * calls["turn"]) <= 4, f"{what}: {hits} hits of the loop's head in {calls['turn']} turns")
    return calls["turn"]


def test_attach(checks, directory):
    """Measures a process, with each way to see exits and to attach; it goes on as if nothing had been."""
    for options in ([], ["--exit=sites"], ["--attach=multi"], ["--attach=perf"], ["--rate", "0.1"]):
        what = " ".join(["record", *options])
        with Steady() as steady:
            path = directory / "x.json"
            ended = record("-p", steady.pid, "-d", "1s", *SPECS, *options, "-o", path)
            checks.equal(ended.returncode, 0, f"{what}: exit status, {ended.stderr}")
            checks.equal(ended.stdout, "", f"{what}: stdout")
            steady.check_unchanged(checks, what)
            turns = steady.finish(checks, what)
            if "--rate" not in options:
                print(f"{what}: {check_measured(checks, path, turns, what)} of {turns} turns")
            else:
                measuring.check_identity(checks, json.loads(path.read_text()), what)
            path.unlink()


def test_report(checks):
    """Without -o the report is on stdout."""
    with Steady() as steady:
        ended = record("-p", steady.pid, "-d", "300ms", *SPECS)
        checks.equal(ended.returncode, 0, f"report: exit status, {ended.stderr}")
        checks.that("Line #" in ended.stdout and "ncalls" in ended.stdout, f"report: {ended.stdout[:300]!r}")
        steady.check_unchanged(checks, "report")
        steady.finish(checks, "report")


def test_two(checks, directory):
    with Steady() as one, Steady() as other:
        path = directory / "two.json"
        ended = record("-p", f"{one.pid},{other.pid}", "-d", "1s", *SPECS, "-o", path)
        checks.equal(ended.returncode, 0, f"two processes: exit status, {ended.stderr}")
        turns = sum(steady.finish(checks, "two processes") for steady in (one, other))
        profile = json.loads(path.read_text())
        measuring.check_profile(checks, profile, "two processes")
        checks.equal({target["pid"] for target in profile["targets"]}, {one.pid, other.pid}, "two processes: targets")
        checks.that(0 < measuring.functions(profile)["turn"]["calls"] <= turns, "two processes: calls")


def test_signals(checks, directory):
    """SIGINT and SIGTERM end measuring early and still report; SIGKILL leaves the process alone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        what, path = number.name, directory / f"{number.name}.json"
        with Steady() as steady:
            recorder = start_record("-p", steady.pid, "-d", "10m", *SPECS, "-o", path)
            wait_until_probed(steady, recorder)
            recorder.send_signal(number)
            _, errors = recorder.communicate(timeout=measuring.RUN_SECONDS)
            steady.check_unchanged(checks, what)
            turns = steady.finish(checks, what)
            if number == signal.SIGKILL:
                checks.that(not path.exists(), f"{what}: a file was written")
                continue
            if checks.equal(recorder.returncode, 0, f"{what}: exit status, {errors}"):
                check_measured(checks, path, turns, what)


def wait_until_probed(steady, recorder):
    """Returns when probes are seen in the process, or the recorder has ended."""
    while steady.read_code() == steady.code and recorder.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)


def test_dying_target(checks, directory):
    """A target that dies while it is measured: what was measured is there."""
    with Steady() as steady:
        path = directory / "dying.json"
        recorder = start_record("-p", steady.pid, "-d", "10m", *SPECS, "-o", path)
        wait_until_probed(steady, recorder)
        steady.process.kill()
        _, errors = recorder.communicate(timeout=measuring.RUN_SECONDS)
        if not checks.equal(recorder.returncode, 0, f"dying target: exit status, {errors}"):
            return
        profile = json.loads(path.read_text())
        measuring.check_identity(checks, profile, "dying target")
        checks.that(measuring.functions(profile)["turn"]["calls"] > 0, "dying target: no calls")


def test_gone_while_attaching(checks):
    """The target ends at some moment of the start: a report or one line, soon."""
    ways = set()
    for delay_ms in (0, 10, 30, 60, 100, 150, 200, 250, 300, 400, 500, 700, 1000):
        with Steady() as steady:
            recorder = start_record("-p", steady.pid, "-d", "10m", *SPECS)
            time.sleep(delay_ms / 1000)
            steady.process.kill()
            steady.process.wait()
            printed, errors = recorder.communicate(timeout=measuring.RUN_SECONDS)
            what = f"gone after {delay_ms} ms"
            ways.add(recorder.returncode)
            if recorder.returncode == 0:
                checks.that("ncalls" in printed or "Line #" in printed, f"{what}: no report: {printed!r}")
            else:
                check_failed(checks, subprocess.CompletedProcess("", recorder.returncode, printed, errors),
                             rf"process {steady.pid}\b|/proc/{steady.pid}\b|\b{steady.pid}\b", what)
    print(f"gone while attaching: statuses {sorted(ways)}")


def test_bad_use(checks):
    gone = subprocess.Popen(["true"])
    gone.wait()
    check_failed(checks, record("-p", gone.pid, *SPECS), str(gone.pid), "a pid that is gone")
    check_failed(checks, record("-p", 2, *SPECS), r"\b2\b", "a kernel thread")
    with Steady() as steady:
        check_failed(checks, record("-p", steady.pid, "-d", "1s", "-l", "trun"), "turn", "a name misspelt")
        check_failed(checks, record("-p", f"{steady.pid},{gone.pid}", "-d", "1s", *SPECS), str(gone.pid), "one of two gone")
        steady.check_unchanged(checks, "bad use")
        steady.finish(checks, "bad use")


def test_bad_output(checks, directory):
    """What cannot be written fails, but what was measured is shown."""
    full, nowhere = directory / "full.json", directory / "nowhere" / "x.json"
    full.symlink_to("/dev/full")
    cases = [(full, "full.json"), (nowhere, "nowhere"), (directory / "x.docx", "no format")]
    for path, pattern in cases:
        with Steady() as steady:
            what = f"-o {path.name}"
            ended = record("-p", steady.pid, "-d", "200ms", *SPECS, "-o", path)
            checks.equal(ended.returncode, 1, f"{what}: exit status")
            checks.equal(ended.stdout, "", f"{what}: stdout")
            errors = [line for line in ended.stderr.splitlines() if line.startswith("lprof: ")]
            checks.that(len(errors) == 1 and pattern in errors[0], f"{what}: stderr {ended.stderr[:300]!r}")
            steady.check_unchanged(checks, what)
            steady.finish(checks, what)
    left = {path.name for path in directory.iterdir()}
    checks.equal(left, {"full.json"}, "files left behind")
    ended = record("-p", os.getpid(), "-d", "200ms", "-f", "nothing_of_the_kind")
    check_failed(checks, ended, "nothing_of_the_kind", "a spec that matches nothing")
    with Steady() as steady, open("/dev/full", "w") as sink:
        ended = record("-p", steady.pid, "-d", "200ms", *SPECS, capture_output=False, stdout=sink,
                       stderr=subprocess.PIPE)
        checks.equal(ended.returncode, 1, "stdout full: exit status")
        checks.that(ended.stderr.startswith("lprof: "), f"stdout full: stderr {ended.stderr[:200]!r}")
        steady.finish(checks, "stdout full")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    with measuring.scratch() as name, measuring.scratch() as outputs:
        directory = pathlib.Path(name)
        test_attach(checks, directory)
        test_report(checks)
        test_two(checks, directory)
        test_signals(checks, directory)
        test_dying_target(checks, directory)
        test_gone_while_attaching(checks)
        test_bad_use(checks)
        test_bad_output(checks, pathlib.Path(outputs))
    checks.finish(150, "recording")


main()
