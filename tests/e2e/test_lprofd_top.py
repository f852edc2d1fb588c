#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at `lprof top`: in batches, and in tmux as a person sees it, at several sizes, to its end by each way."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import daemon
import measuring

checks = measuring.Checks()
FIRST = 61  # bytes, hence calls of sleeper()


class Screen:
    """A terminal with a command in it, which says its status when it ends and whether keys are echoed again."""

    count = 0

    def __init__(self, server, directory, command="top -d 200ms", term=None):
        Screen.count += 1  # a server of tmux that ends disturbs the next one of its socket
        self.socket = directory / f"tmux-{Screen.count}"
        self.pid_file = directory / "top.pid"
        terminal = f"TERM={term} " if term else ""
        shell = (f"LC_ALL=C.UTF-8 LPROFD_SOCKET={server.socket} {terminal}sh -c 'echo $$ > {self.pid_file}; exec {measuring.LPROF} {command}'; "
                 "echo status $?; stty -a | grep -oE -- '-?(echo|icanon) ' | tr -d '\\n'; exec sleep 1000")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", shell)

    def tmux(self, *arguments):
        return measuring.succeed(["tmux", "-u", "-S", self.socket, *arguments]).stdout

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def shows(self, pattern, what):
        """Waits until the screen matches."""
        found = daemon.eventually(lambda: re.search(pattern, self.text()))
        return checks.that(found, f"{what}: no {pattern!r} on the screen:\n{self.text()}")

    def ended(self, status, what):
        """The command has ended and the terminal is as it was: its own screen gone, cursor and echo back."""
        self.shows(rf"status {status}\b.*\n+icanon echo", what)
        checks.equal(self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").split(), ["0", "1"],
                     f"{what}: alternate screen and cursor")

    def top_pid(self):
        return int(self.pid_file.read_text())

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, check=False)


def check_batch(server):
    printed = server.lprof("top", "-b", "-n", "2", "-d", "100ms", "--sort", "calls")
    checks.equal(printed.returncode, 0, f"status of a batch {printed.stderr}")
    blocks = printed.stdout.strip().split("\n\n")
    checks.equal(len(blocks), 4, "two intervals: a summary and a table each")
    checks.that("1 probe, 3 functions" in blocks[0] and "nothing lost" in blocks[0], blocks[0])
    rows = [line.split() for line in blocks[1].splitlines()]
    checks.equal(rows[0][:3] + rows[0][5:], ["CALLS/S", "TIME%", "SELF%", "CALLS", "TOTAL", "OWN", "FUNCTION"], "headings")
    checks.equal([(row[-2], row[4]) for row in rows[1:]],
                 [("größe", str(2 * FIRST)), ("sleeper", str(FIRST)), ("main", "1")], "functions by their calls")
    profile = {each["name"]: each for each in server.call("Collect")["profile"]["functions"]}
    checks.that(abs(profile["sleeper"]["total_ns"] / FIRST - 20e6) < 15e6, "a call sleeps 20 ms")
    lines = server.lprof("top", "-b", "-n", "1", "-d", "100ms", "--lines", "--sort", "calls").stdout
    checks.that(re.search(rf" {10 * FIRST} .*größe:\d+ sum \+= i \^ sink;", lines), f"a line's hits: {lines}")
    text = [json.loads(line) for line in server.lprof("top", "--json", "-n", "2", "-d", "100ms").stdout.splitlines()]
    checks.equal([each["functions"][0]["calls"] for each in text], [profile[text[0]["functions"][0]["name"]]["calls"]] * 2,
                 "calls in JSON")


def check_rates(server, target):
    """A hundred bytes in a second or two: some interval has the rate, and all of them the calls."""
    environment = {**measuring.ENVIRONMENT, "LPROFD_SOCKET": str(server.socket)}
    watching = subprocess.Popen([measuring.LPROF, "top", "--json", "-d", "200ms"], stdout=subprocess.PIPE, text=True, env=environment)
    first = json.loads(watching.stdout.readline())
    target.calls(50)
    batch = server.lprof("top", "-b", "-n", "1", "-d", "600ms").stdout
    row = [line.split() for line in batch.splitlines() if " sleeper " in line][0]
    checks.that(25 <= float(row[0]) <= 50, f"calls a second of 20 ms each: {row}")
    checks.that(90 <= float(row[1]) <= 105, f"share of the time: {row}")
    checks.that(18 <= float(row[3].removesuffix("ms")) <= 40, f"time of a call: {row}")
    checks.that(daemon.eventually(lambda: server.function("sleeper")["calls"] == FIRST + 50), "all calls are counted")
    time.sleep(0.5)
    watching.send_signal(signal.SIGINT)
    last = json.loads(watching.stdout.read().splitlines()[-1])
    checks.equal(watching.wait(timeout=20), 0, "status of a batch after SIGINT")
    calls = [[each["calls"] for each in reply["functions"] if each["name"] == "sleeper"] for reply in (first, last)]
    checks.equal(calls, [[FIRST], [FIRST + 50]], "calls in the first and the last reply")


def check_screen(server, directory):
    screen = Screen(server, directory)
    try:
        screen.shows(r"\d hits/s(?s:.*) sleeper  paced\.c:\d+", "functions")
        screen.shows(r"größe  paced\.c", "a name beyond ASCII")
        first = screen.text().splitlines()
        checks.that(re.match(r"lprofd: 1 probe, 3 functions, \d", first[0]), f"summary: {first[0]!r}")
        checks.that(first[23].startswith(" q Quit  Enter Source"), f"keys: {first[23]!r}")
        checks.equal([line for line in first if len(line) > 80], [], "lines that are too long")
        screen.keys("End")
        screen.keys("Home", "Enter")
        screen.shows(r"LINE SOURCE", "a function's source")
        screen.shows(r"\d+ (__attribute__.*|int main)\(", "its first line")
        screen.keys("Escape")
        screen.shows(r"FUNCTION\n", "functions again")
        screen.keys("Space")
        screen.shows(r"Paused\.", "a pause")
        screen.keys("Tab")
        screen.shows(rf" {10 * (FIRST + 50)} .*größe:\d+ sum \+= i \^", "lines")
        screen.keys(">", ">", ">", ">", ">", ">", ">")
        screen.shows(r"(?s)SOURCE\n.* größe:\d+ .* main:\d+ .* sleeper:\d+ ", "lines by name")
        screen.keys("r")
        screen.shows(r"(?s)SOURCE\n.* sleeper:\d+ .* main:\d+ .* größe:\d+ ", "lines by name, reversed")
        screen.keys("Tab")
        for width, height, pattern in ((40, 8, r"FUNCTION\n"), (12, 4, r"sleeper"), (3, 2, r"mai|gr|sle"), (1, 1, r""), (130, 30, r"SELF%.*OWN")):
            screen.resize(width, height)
            screen.shows(pattern, f"{width}x{height}")
            lines = screen.text().splitlines()
            checks.that(len(lines) <= height and all(len(line) <= width for line in lines), f"{width}x{height}: {lines}")
        check_restart(server, screen)
        screen.keys("q")
        screen.ended(0, "q")
    finally:
        screen.close()


def check_restart(server, screen):
    """Without lprofd the view says so, and goes on with the next one."""
    server.kill()
    screen.shows(r"lprofd (ended|does not run)", "lprofd killed")
    checks.that(server.start(), f"lprofd starts again: {server.said}")
    screen.shows(rf"(?m)^lprofd: 1 probe.*\n\n.*\n(.*\n)* .* {FIRST + 50} .* sleeper ", "the same counts, and no message")


def check_ends(server, directory):
    for what, end in (("Ctrl-C", lambda screen: screen.keys("C-c")),
                      ("SIGTERM", lambda screen: os.kill(screen.top_pid(), signal.SIGTERM)),
                      ("SIGHUP", lambda screen: os.kill(screen.top_pid(), signal.SIGHUP))):
        screen = Screen(server, directory)
        try:
            screen.shows("sleeper", what)
            end(screen)
            screen.ended(0, what)
        finally:
            screen.close()
    screen = Screen(server, directory, "top -n 2 -d 100ms")
    try:
        screen.ended(0, "after two updates")
    finally:
        screen.close()


def check_terminals(server, directory, target):
    screen = Screen(server, directory, term="dumb")
    try:
        screen.shows(r'terminal "dumb" cannot be drawn on: use lprof top --batch', "a dumb terminal")
        screen.ended(1, "a dumb terminal")
    finally:
        screen.close()
    for term, colored in (("vt100", False), ("screen-256color", True)):
        screen = Screen(server, directory, "top -d 200ms --sort name", term=term)
        try:
            screen.shows("sleeper", term)
            target.calls(100)  # sleeps for two seconds
            found = daemon.eventually(lambda: re.search(r"\x1b\[([0-9;]*;)?3[13]m", screen.text("-e")), seconds=10 if colored else 1.5)
            checks.equal(bool(found), colored, f"{term}: colours")
            screen.keys("q")
            screen.ended(0, term)
        finally:
            screen.close()


def check_misuse(server):
    for arguments, status, part in ((["-d", "1x"], 2, "is not an interval"), (["-n", "0"], 2, "from 1 on"),
                                    (["--sort", "x"], 2, "rate time self cpu cpuall blocked waiting each calls total own name"), (["x"], 2, "no argument"),
                                    ([], 1, "use lprof top --batch")):
        ended = server.lprof("top", *arguments)
        checks.that(ended.returncode == status and part in ended.stderr, f"lprof top {arguments}: {ended}")


def check_no_daemon(server):
    ended = server.lprof("top")
    checks.that(ended.returncode == 1 and "lprofd does not run" in ended.stderr and not ended.stdout, f"without lprofd: {ended}")
    ended = server.lprof("top", "--json")
    checks.equal((ended.returncode, json.loads(ended.stderr)["code"]), (1, "ECONNREFUSED"), "without lprofd, as JSON")


def main():
    daemon.need_daemon()
    measuring.need_tools("tmux")
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        program = measuring.build(directory, "paced.c", "gcc", "-O1")
        server = daemon.Daemon(directory)
        check_no_daemon(server)
        target = None
        try:
            checks.that(server.start(), f"lprofd starts: {server.said}")
            server.call("Add", image=str(program), specs=[{"text": "sleeper", "lines": True}, {"text": "größe", "lines": True}, {"text": "main", "lines": True}])
            target = daemon.Caller(program)
            target.calls(FIRST)
            checks.that(daemon.eventually(lambda: server.function("sleeper")["timed_calls"] == FIRST), "the first calls")
            check_misuse(server)
            check_batch(server)
            check_rates(server, target)
            check_screen(server, directory)
            check_ends(server, directory)
            check_terminals(server, directory, target)
        finally:
            if target:
                target.end()
            server.close()
    checks.finish(60, "lprof top")


if __name__ == "__main__":
    main()
