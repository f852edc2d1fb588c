#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends lprofd what it should not get, and damages what it keeps: it says so, and others are unharmed."""
import json
import os
import pathlib
import random
import resource
import socket
import time

import daemon
import measuring

checks = measuring.Checks()

BAD_MESSAGES = [
    b"", b"x", b"{", b"[]", b"null", b"{}", b"{\"method\": 1}", b"{\"method\": \"\"}", b"{\"method\": \"a\", \"parameters\": []}",
    b"{\"method\": \"io.lprof.Control.Add\", \"parameters\": {\"specs\": 7}}", b"[" * 5000, b"\xff\xfe\xfd",
    b"{\"method\": \"io.lprof.Control.List\"} trailing", b"{\"method\": \"io.lprof.Control.Add\", \"parameters\": "
    b"{\"image\": \"/x\", \"specs\": [{\"text\": \"f\", \"rate\": 1e999}]}}", b"{\"method\":\"io.lprof.Control.SetRate\"}",
    b"{\"method\": \"io.lprof.Control.Add\", \"parameters\": {\"pids\": [-1], \"specs\": []}}",
    b"{\"method\": \"io.lprof.Control.Add\", \"parameters\": {\"image\": \"/dev/zero\", \"specs\": [{\"text\": \"f\"}]}}",
    b"{\"method\": \"io.lprof.Control.Add\", \"parameters\": {\"image\": \"relative\", \"specs\": [{\"text\": \"f\"}]}}",
    b"{\"method\": \"io.lprof.Control.Add\", \"parameters\": {\"image\": \"/etc/passwd\", \"specs\": [{\"text\": \"f\"}]}}",
]


def raw(server):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(str(server.socket))
    return connection


def is_well(server, what):
    begun = time.monotonic()
    checks.equal(server.call("Status")["probes"], 1, f"{what}: probes afterwards")
    checks.that(time.monotonic() - begun < 3, f"{what}: lprofd answers at once")


def check_messages(server):
    for message in BAD_MESSAGES:
        connection = raw(server)
        connection.sendall(message + b"\0")
        reply = b""
        while not reply.endswith(b"\0"):
            more = connection.recv(65536)
            if not more:
                break
            reply += more
        connection.close()
        checks.that(b'"error"' in reply, f"{message[:60]!r} is answered {reply[:200]!r}")
    is_well(server, "malformed messages")


def check_sizes(server):
    connection = raw(server)
    try:
        for _ in range(200):
            connection.sendall(b"a" * 65536)
        dropped = False
    except (BrokenPipeError, ConnectionResetError):
        dropped = True
    checks.that(dropped, "a message without end is cut off")
    half = raw(server)
    half.sendall(b'{"method": "io.lprof.Con')
    is_well(server, "oversized and half messages")
    half.close()
    generator = random.Random(1)
    for _ in range(50):
        connection = raw(server)
        connection.sendall(generator.randbytes(2000) + b"\0" + generator.randbytes(10))
        connection.close()
    is_well(server, "random bytes")


def check_crowd(server):
    """More clients than it takes: those beyond are told so, those before are served."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, max(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    crowd = [server.connect() for _ in range(100)]
    served = sum("parameters" in (each.send("List"), each.receive())[1] for each in crowd)
    checks.equal(served, 100, "clients served at once")
    more = []
    for _ in range(200):
        try:
            more.append(server.connect())
        except (BlockingIOError, TimeoutError, ConnectionRefusedError):
            break
    refused = 0
    for each in more:
        try:
            reply = each.receive() if each is more[-1] else None
            refused += bool(reply and reply["parameters"]["code"] == "EBUSY")
        except (EOFError, ConnectionResetError):
            refused += 1
    checks.equal(refused, 1, "the last of a crowd is refused")
    for each in crowd + more:
        each.close()
    checks.that(daemon.eventually(lambda: server.call("Status")["clients"] <= 2), "clients that left are gone")


def check_flood(server):
    """One that sends without reading, and one that never reads: both are held back, others served."""
    deaf = raw(server)
    deaf.setblocking(False)
    message = b'{"method": "io.lprof.Control.Collect"}\0' * 1000
    for _ in range(50):
        try:
            deaf.send(message)
        except BlockingIOError:
            break
    for _ in range(5):
        is_well(server, "a flood")
    deaf.close()
    greedy = server.connect()
    begun = time.monotonic()
    for _ in range(12):
        for _ in range(50):
            greedy.send("List")
        for _ in range(50):
            greedy.receive()
    checks.that(time.monotonic() - begun > 1, "calls beyond the rate wait")
    greedy.close()


def check_no_descriptors(server):
    """A client that comes while no descriptor is left is served later, and costs nothing meanwhile."""
    own = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, own[1]))
    connection = server.connect()
    connection.send("Status")
    begun = cpu_seconds_of(server)
    time.sleep(2)
    spent = cpu_seconds_of(server) - begun
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, own)
    checks.that(spent < 0.5, f"{spent} s of CPU time in 2 s without a descriptor")
    checks.equal(connection.receive()["parameters"]["probes"], 1, "what was asked without a descriptor")
    connection.close()


def cpu_seconds_of(server):
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int([line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")][0])


def check_damaged_state(server, program):
    """A damaged state file or pin is said and put aside; lprofd starts and works."""
    state = server.state / "state.json"
    damages = [b"", b"{", b'{"version": 99}', state.read_bytes()[:-40], *(os.urandom(300) for _ in range(4))]
    for damage in damages:  # several within a second, too
        server.kill()
        state.write_bytes(damage)
        checks.that(server.start(), f"lprofd starts with a damaged state: {server.said}")
        checks.that("state.json" in server.said, f"the damage is said: {server.said}")
    server.call("Add", image=str(program), specs=[{"text": "leaf"}])
    server.kill()
    (server.pins / "sites").unlink()
    checks.that(server.start(), f"lprofd starts without one of its pins: {server.said}")
    checks.that("cannot be gone on with" in server.said, f"the missing pin is said: {server.said}")
    server.kill()
    os.rename(server.pins / "edges", server.pins / "sites2")
    checks.that(server.start(), f"lprofd starts with a foreign pin: {server.said}")
    measuring.succeed([program, "leaf"])
    checks.equal(server.function("leaf")["calls"], 7919, "calls counted after all that")


def check_bad_configuration(server):
    conf = server.directory / "lprofd.conf"
    for text, wanted in (("[lprofd]\nfunctoins = 7\n", "lprofd.conf:2: there is no key `functoins`; did you mean `functions`"),
                         ("[lprofd]\n\nclients = many\n", "lprofd.conf:3: clients: 'many' is not a number"),
                         ("[lprofd]\nnonsense\n", "lprofd.conf:2:"), ("[other]\na = b\n", "no section [other]")):
        conf.write_text(text)
        ended = measuring.command(server.command())
        checks.that(ended.returncode == 1 and wanted in ended.stderr, f"{text!r}: {ended.stderr}")
    conf.write_text("")
    ended = measuring.command([*server.command()[:-4], "--pins", server.directory / "nowhere", "--metrics-port", "0"])
    checks.that(ended.returncode == 1 and "mount" in ended.stderr, f"pins outside a BPF file system: {ended.stderr}")


def main():
    daemon.need_daemon()
    program = measuring.built("counted", "gcc-O2").resolve()
    with measuring.scratch() as directory:
        server = daemon.Daemon(directory)
        try:
            checks.that(server.start(), f"lprofd starts: {server.said}")
            server.call("Add", image=str(program), specs=[{"text": "leaf"}])
            check_messages(server)
            check_sizes(server)
            before = memory_of(server)
            check_crowd(server)
            check_flood(server)
            check_no_descriptors(server)
            checks.that(memory_of(server) < before + 20000, f"memory grew from {before} to {memory_of(server)} KiB")
            check_damaged_state(server, program)
            checks.equal(server.stop(), 0, "status after SIGTERM")
            check_bad_configuration(server)
        finally:
            server.close()
    checks.finish(50, "hostile clients")


if __name__ == "__main__":
    main()
