# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of lprofd share: a daemon of the test's own, and calls over its socket."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import measuring

LPROFD = str(pathlib.Path(measuring.LPROF).with_name("lprofd"))
BPFFS = pathlib.Path("/sys/fs/bpf")
CONTROL = "io.lprof.Control."
READY = "lprofd: ready\n"  # not the "already" of an error


class Refused(Exception):
    """lprofd answered with an error; `code` is its errno's name."""

    def __init__(self, reply):
        self.code = reply["parameters"].get("code")
        self.message = reply["parameters"].get("message", "")
        super().__init__(f"{reply['error']}: {self.code}: {self.message}")


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.input = b""

    def send(self, method, parameters=None, **flags):
        name = method if "." in method else CONTROL + method
        message = {"method": name, "parameters": parameters or {}, **flags}
        self.socket.sendall(json.dumps(message).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.input:
            more = self.socket.recv(1 << 20)
            if not more:
                raise EOFError("lprofd closed the connection")
            self.input += more
        text, self.input = self.input.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.send(method, parameters)
        reply = self.receive()
        if "error" in reply:
            raise Refused(reply)
        return reply["parameters"]

    def close(self):
        self.socket.close()


class Daemon:
    """lprofd in a directory of its own; nothing of it is left behind by close()."""

    def __init__(self, directory, config="", name="a"):
        self.directory = pathlib.Path(directory)
        self.state = self.directory / "state"
        self.socket = self.directory / "control.sock"
        self.pins = BPFFS / f"lprof-test-{os.getpid()}{name}"
        self.probes = self.directory / "probes.d"
        self.probes.mkdir(exist_ok=True)
        # Tests that say nothing of budgets want every call
        budget = "" if "budget" in config else "\nbudget = 0\nbudget_total = 0\n"
        (self.directory / "lprofd.conf").write_text("[lprofd]\n" + config + budget)
        self.port = measuring.free_port()
        self.environment = dict(measuring.ENVIRONMENT)
        self.process = None
        self.said = ""

    def command(self, *more):
        return [LPROFD, "--config", self.directory / "lprofd.conf", "--probes", self.probes, "--state", self.state,
                "--socket", self.socket, "--pins", self.pins, "--metrics-port", str(self.port), *more]

    def start(self):
        log = open(self.directory / "log", "a+", encoding="utf-8")
        begun = log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen([str(word) for word in self.command()], stderr=log, env=self.environment)
        end = time.monotonic() + measuring.RUN_SECONDS
        while time.monotonic() < end:
            log.seek(begun)
            self.said = log.read()
            if READY in self.said or self.process.poll() is not None:
                break
            time.sleep(0.02)
        log.close()
        return READY in self.said

    def log(self):
        return (self.directory / "log").read_text()

    def connect(self):
        return Connection(self.socket)

    def call(self, method, **parameters):
        connection = self.connect()
        try:
            return connection.call(method, **parameters)
        finally:
            connection.close()

    def function(self, name):
        """The one function of that name in the profile."""
        found = [each for each in self.call("Collect")["profile"]["functions"] if each["name"] == name]
        assert len(found) == 1, (name, found)
        return found[0]

    def lprof(self, *arguments):
        environment = {**measuring.ENVIRONMENT, "LPROFD_SOCKET": str(self.socket)}
        return measuring.command([measuring.LPROF, *arguments], env=environment)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        measuring.command(self.command("--purge"))


class Caller:
    """`counted wait`: a call of leaf() for each byte it is given."""

    def __init__(self, program):
        self.process = subprocess.Popen([str(program), "wait"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        env=measuring.ENVIRONMENT)
        self.pid = self.process.pid

    def calls(self, count):
        self.process.stdin.write(b"x" * count)
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(timeout=60)


def eventually(holds, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def need_daemon():
    measuring.need_measuring()
    if not BPFFS.is_dir() or "bpf /sys/fs/bpf bpf" not in pathlib.Path("/proc/self/mounts").read_text().replace("none", "bpf"):
        measuring.skip("no BPF file system at /sys/fs/bpf")
