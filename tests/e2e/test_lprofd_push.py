#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lprofd pushes each count once, whatever the store, the disk, a reset or a kill does; and says what it dropped."""
import collections
import os
import pathlib
import random
import re
import resource
import shutil
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
import daemon  # noqa: E402
import exported  # noqa: E402
import measuring  # noqa: E402
import profile_store  # noqa: E402
import test_lprofd_disk  # noqa: E402

LEAF_CALLS = 7919
INTERVAL = "push_interval = 200ms\npush_timeout = 1s\n"
SPECS = [{"text": "leaf", "lines": True}, {"text": "outer"}]
COUNTED = ("calls", "hits")

checks = measuring.Checks()


class Pushing(daemon.Daemon):
    """An lprofd that pushes to a store, with the probes of `counted`."""

    def __init__(self, directory, store, name, more="", path="/ingest", host="127.0.0.1"):
        directory.mkdir()
        url = store.url(path).replace("127.0.0.1", host)
        super().__init__(directory, f"push_url = {url}\n{INTERVAL}{more}", name)
        self.store = store
        self.spool = self.state / "push"

    def begin(self, program, specs=tuple(SPECS)):
        if not checks.that(self.start(), "lprofd starts"):
            raise SystemExit(self.log())
        if specs and not self.call("List")["probes"]:
            self.call("Add", image=str(program), specs=list(specs))

    def push_status(self):
        return self.call("Status")["push"]

    def spooled(self):
        return sorted(self.spool.glob("*.pb.gz"))

    def settle(self):
        """Waits until all that is counted was accepted, with nothing running."""
        time.sleep(0.5)  # two intervals
        return daemon.eventually(lambda: not self.push_status()["spooled"], 60)


def sum_of(what, requests, directory):
    """What profiles that were accepted add up to, as go tool pprof reads them: by (type, function) and by line."""
    found = collections.Counter()
    paths = []
    bodies = {request.profile()[0] for request in requests}  # one whose answer was lost comes twice, bit by bit the same
    for number, body in enumerate(bodies):
        paths.append(directory / f"pushed-{number}.pb.gz")
        paths[-1].write_bytes(body)
    if not paths:
        return found
    for values, stack in exported.read_raw(checks, what, paths)[0]:
        name, file, line = stack[0]
        for kind, value in values.items():
            found[kind, name] += value
            found[kind, name, file, line] += value
    for path in paths:
        path.unlink()
    return found


def sum_of_profiles(*profiles):
    """The same of what lprofd says it has counted."""
    wanted = collections.Counter()
    for function in (function for profile in profiles for function in profile["functions"]):
        name = function["name"]
        wanted["calls", name] += function["calls"]
        wanted["error", name] += function["error_ns"] + function["self_error_ns"]
        wanted["wall", name] += function["total_ns"]
        wanted["self", name] += function["self_ns"]
        for line in function["lines"]:
            place = (name, line["file"], line["line"])
            wanted["hits", name] += line["hits"]
            wanted[("hits", *place)] += line["hits"]
            wanted[("wall", *place)] += line["total_ns"]
            wanted[("self", *place)] += line["self_ns"]
    return wanted


def check_sums(what, requests, directory, *profiles):
    """All that was accepted is what was counted: counts exactly. Corrected times sink at times by a little, which was pushed."""
    found, wanted = sum_of(what, requests, directory), sum_of_profiles(*profiles)
    for key in sorted(wanted, key=str):
        if key[0] == "error":
            continue
        if key[0] in COUNTED:
            checks.equal(found[key], wanted[key], f"{what}: {key}")
        else:
            sunk = wanted["error", key[1]] + 10000
            checks.that(wanted[key] <= found[key] <= wanted[key] + sunk, f"{what}: {key}: {found[key]}, not {wanted[key]}")
    return found


def check_good(directory, program):
    """A store that is well: what it is sent, by each protocol."""
    store = profile_store.Store()
    token = directory / "token"
    token.write_text("opensesame\n")
    token.chmod(0o600)
    ways = (("/ingest", f"push_token_file = {token}\n", "Bearer opensesame"),
            ("/push.v1.PusherService/Push", "", None),
            ("/parca/profiles/writeraw", f"push_password_file = {token}\n", "Basic b3BlbnNlc2FtZTo="))
    for number, (path, more, authorization) in enumerate(ways):
        store.accepted.clear()
        token.write_text("opensesame:\n" if authorization and authorization.startswith("Basic") else "opensesame\n")
        server = Pushing(directory / f"good{number}", store, f"g{number}",
                         f"{more}push_labels = service_name=web shop, region=north-1\n", path,
                         "localhost" if number else "127.0.0.1")  # looked up
        try:
            server.begin(program)
            for _ in range(2):
                measuring.succeed([program, "leaf"])
                time.sleep(0.3)
            checks.that(server.settle(), f"{path}: all is accepted")
            found = check_sums(path, store.accepted, directory, server.call("Collect")["profile"])
            checks.equal(found["calls", "leaf"], 2 * LEAF_CALLS, f"{path}: calls of leaf")
            request = store.accepted[0]
            labels = request.profile()[1]
            checks.equal((request.method, request.path), ("POST", path), f"{path}: request")
            checks.equal(request.headers.get("authorization"), authorization, f"{path}: credentials")
            checks.equal((labels.get("service_name"), labels.get("region")), ("web shop", "north-1"), f"{path}: labels")
            checks.that(labels.get("instance") == os.uname().nodename, f"{path}: instance: {labels}")
            checks.equal(request.query.get("format"), "pprof" if path == "/ingest" else None, f"{path}: format")
            checks.equal(labels.get("__name__"), None if path == "/ingest" else "lprof", f"{path}: name")
            status = server.push_status()
            checks.equal((status["pushed"], status["failed"], status["dropped"]), (len(store.accepted), 0, 0), f"{path}: status")
            store.accepted.clear()
            time.sleep(0.6)
            checks.equal(len(store.accepted), 0, f"{path}: pushes of nothing")
        finally:
            server.close()
    store.down()


def check_samples(directory, program):
    """Samples of CPU time are pushed as counts are."""
    store = profile_store.Store()
    server = Pushing(directory / "samples", store, "s")
    try:
        server.begin(program, ())
        server.call("Add", image=str(program), specs=[{"text": "busy"}], cpu_hz=999)
        for _ in range(2):
            measuring.succeed([program, "busy", "2000000"])
        checks.that(server.settle(), "samples are accepted")
        profile = server.call("Collect")["profile"]
        wanted = sum(stack["cpu_samples"] for stack in profile["stacks"]) * profile["sampling_period_ns"]
        found = sum_of("samples", store.accepted, directory)
        checks.that(len(store.accepted) > 3 and wanted > 8e8, f"{len(store.accepted)} profiles of {wanted} ns")
        checks.equal(sum(value for key, value in found.items() if key[0] == "cpu" and len(key) == 2), wanted, "CPU time")
        checks.equal(found["calls", "busy"], 802, "calls of busy")
    finally:
        server.close()
        store.down()


def check_misbehaviour(directory, program):
    """Each way to fail: tried again, accepted in the end; and what will never do is dropped and said."""
    store, other = profile_store.Store(), profile_store.Store()
    token = directory / "secret"
    token.write_text("opensesame\n")
    token.chmod(0o600)
    server = Pushing(directory / "bad", store, "b", f"push_token_file = {token}\n")
    orders = [*profile_store.MISBEHAVIOURS, 401, 403, 404, 429, 500, 503, (307, f"Location: {other.url()}\r\n")]
    try:
        server.begin(program)
        checks.that(server.settle(), "the first profile is accepted")
        for order in orders:
            before = server.push_status()
            store.orders.append(order)
            measuring.succeed([program, "leaf"])
            checks.that(daemon.eventually(lambda: server.push_status()["failed"] == before["failed"] + 1), f"{order}: fails once")
            checks.that(server.push_status().get("problem"), f"{order}: says why")
            checks.that(server.settle(), f"{order}: is accepted in the end")
            after = server.push_status()
            checks.equal(after["dropped"], 0, f"{order}: dropped")
            checks.that("problem" not in after, f"{order}: well again")
        for order in profile_store.TALKATIVE:
            before = server.push_status()
            store.orders.append(order)
            measuring.succeed([program, "leaf"])
            checks.that(daemon.eventually(lambda: store.accepted and store.accepted[-1].order == order), f"{order}: comes")
            checks.that(server.settle(), f"{order}: is accepted")
            checks.equal(server.push_status()["failed"], before["failed"], f"{order}: attempts that failed")
        checks.equal(len(other.requests), 0, "requests where a redirection led")
        checks.that("\x1b" not in server.log(), "a store's control characters got into the log")
        check_sums("misbehaviour", store.accepted, directory, server.call("Collect")["profile"])
        check_refusals(store, server, program)
        check_delays(store, server, program)
        found = sum_of("what was refused as well", [*store.accepted, *(each for each in store.requests if each.done in (400, 413, 422))],
                       directory)
        checks.equal(found["calls", "leaf"], server.function("leaf")["calls"], "calls that were accepted or refused")
        check_token(store, server, token, program)
        check_metrics(server)
        check_sums("all, in the end", [each for each in store.requests if each.done in (200, 400, 413, 422)], directory,
                   server.call("Collect")["profile"])
    finally:
        server.close()
        store.down()
        other.down()


def check_refusals(store, server, program):
    for status in (400, 413, 422):
        before = server.push_status()
        store.orders.append(status)
        measuring.succeed([program, "leaf"])
        checks.that(server.settle(), f"{status}: the spool is empty again")
        after = server.push_status()
        checks.equal((after["dropped"], after["failed"]), (before["dropped"] + 1, before["failed"]), f"{status}: dropped and failed")
        checks.that(re.search(rf"dropped the profile of 2\S+Z: it answers {status} \(it is", server.log()), f"{status}: is said")


def check_delays(store, server, program):
    """Twice as long each time; not before the store says."""
    first = len(store.requests)
    store.orders += [503, 503, 503, (429, "Retry-After: 3\r\n")]
    measuring.succeed([program, "leaf"])
    checks.that(store.wait(lambda store: len(store.requests) >= first + 5 and store.accepted[-1].time > store.requests[first + 3].time),
                "is accepted after four failures")
    times = [request.time for request in store.requests[first:first + 5]]
    gaps = [b - a for a, b in zip(times, times[1:])]
    for gap, low, high in zip(gaps, (0.5, 1, 2, 4), (1.3, 2.3, 4.5, 9)):
        checks.that(low <= gap <= high, f"delays of {gaps} s: not from {low} to {high}")
    checks.that(server.settle(), "is well again")


def check_token(store, server, token, program):
    """Credentials that everybody may read are not sent; once they are mended all goes on."""
    requests = len(store.requests)
    token.chmod(0o604)
    measuring.succeed([program, "leaf"])
    checks.that(daemon.eventually(lambda: "everybody may read" in server.push_status().get("problem", "")), "a token for everybody is refused")
    checks.equal(len(store.requests), requests, "requests with it")
    printed = server.lprof("status").stdout
    checks.that("everybody may read" in printed and "again in" in printed, f"lprof status: {printed}")
    token.chmod(0o600)
    checks.that(server.settle(), "goes on with a token of its own")


def check_metrics(server):
    text = fetch(server.port)
    status = server.push_status()
    for result, key in (("ok", "pushed"), ("failed", "failed"), ("dropped", "dropped")):
        checks.that(f'lprofd_pushes_total{{result="{result}"}} {status[key]}\n' in text, f"metrics of {result}: {status}")
    checks.that("lprofd_push_spool_bytes 0\n" in text and "lprofd_push_spool_profiles 0\n" in text, "metrics of the spool")


def fetch(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as reply:
        return reply.read().decode()


def check_restarts(directory, program):
    """A store that is down, kills, a reset and a clean end: nothing is lost or comes twice."""
    store = profile_store.Store()
    server = Pushing(directory / "restarts", store, "r")
    caller = None
    try:
        server.begin(program)
        measuring.succeed([program, "leaf"])
        store.down()
        for _ in range(3):
            measuring.succeed([program, "leaf"])
            time.sleep(0.3)
        checks.that(daemon.eventually(lambda: len(server.spooled()) > 1), "profiles wait while the store is down")
        server.kill()
        measuring.succeed([program, "leaf"])  # probes go on
        number = int((server.spool / "told").read_text().split()[2])
        uncommitted = server.spool / f"{number + 1:020}-1-2.pb.gz"
        uncommitted.write_bytes(server.spooled()[0].read_bytes())  # as if killed before it was told
        server.begin(program)
        checks.that(not uncommitted.exists(), "a profile that was not told is not pushed")
        store.up()
        checks.that(server.settle(), "all that waited is accepted")
        before = server.call("Collect")["profile"]
        found = check_sums("after a kill", store.accepted, directory, before)
        checks.equal(found["calls", "leaf"], 5 * LEAF_CALLS, "after a kill: calls of leaf")

        measuring.succeed([program, "leaf"])
        before = server.call("Collect")["profile"]
        server.call("Reset")
        measuring.succeed([program, "leaf"])
        checks.that(server.settle(), "what was before and after a reset is accepted")
        check_sums("after a reset", store.accepted, directory, before, server.call("Collect")["profile"])

        check_ends(store, server, directory, program)

        server.call("Reset")
        store.accepted.clear()
        caller = daemon.Caller(program)
        calls = torment(store, server, program, caller)
        found = check_sums("after many kills", store.accepted, directory, server.call("Collect")["profile"])
        checks.equal(found["calls", "leaf"], calls, "after many kills: calls of leaf")
    finally:
        if caller:
            caller.end()
        server.close()
        store.down()


def check_ends(store, server, directory, program):
    """What was counted last is pushed after the end; and what was counted without pushing, once there is pushing."""
    config = server.directory / "lprofd.conf"
    often = config.read_text()
    server.kill()
    config.write_text(often.replace("push_interval = 200ms", "push_interval = 1h"))
    server.begin(program)
    store.accepted.clear()
    measuring.succeed([program, "leaf"])
    checks.equal(server.stop(), 0, "status of the end")
    checks.equal(len(store.accepted), 0, "pushes before the end")
    config.write_text("[lprofd]\nbudget = 0\nbudget_total = 0\n")
    server.begin(program)
    checks.that("push" not in server.call("Status"), "nothing is said of pushes where there are none")
    measuring.succeed([program, "leaf"])
    server.kill()
    config.write_text(often)
    server.begin(program)
    checks.that(server.settle(), "what was counted up to the end, and without pushing, is accepted")
    found = sum_of("after the end", store.accepted, directory)
    checks.equal(found["calls", "leaf"], 2 * LEAF_CALLS, "after the end: calls of leaf")


def torment(store, server, program, caller):
    """Kills at random moments, of a store that fails at random, while calls go on; how many."""
    chance = random.Random(20261123)
    calls = 0
    for _ in range(int(os.environ.get("LPROFD_KILLS", "6"))):
        store.orders += chance.choices([200, 503, "reset", "cut"], k=2)
        for _ in range(3):
            caller.calls(101)
            calls += 101
            time.sleep(chance.random() * 0.15)
        server.kill()
        server.begin(program)
    store.orders.clear()
    checks.that(daemon.eventually(lambda: server.function("leaf")["calls"] == calls), "all calls are counted")
    checks.that(server.settle(), "after many kills all is accepted")
    return calls


def check_bound(directory, program):
    """The spool keeps its bound but while one is put in; the oldest go, and that is said; what stays is pushed."""
    store = profile_store.Store()
    store.down()
    limit = 2000
    server = Pushing(directory / "bound", store, "l", f"push_spool_bytes = {limit}\n")
    try:
        server.begin(program)
        sizes = []
        for _ in range(16):
            measuring.succeed([program, "leaf"])
            for _ in range(3):
                sizes.append(sum(path.stat().st_size for path in server.spooled() if path.exists()))
                time.sleep(0.1)
        checks.that(0 < max(sizes) < 2 * limit, f"bytes in the spool: {sizes}")
        time.sleep(0.3)
        checks.that(sum(path.stat().st_size for path in server.spooled()) <= limit, "bytes in the spool, in the end")
        status = server.push_status()
        last = max(int(path.name[:20]) for path in server.spooled())
        checks.that(status["dropped"] > 0, f"nothing was dropped: {status}")
        checks.equal(status["dropped"] + status["spooled"], last, "profiles dropped and waiting")
        checks.equal(status["spool_bytes"], sum(path.stat().st_size for path in server.spooled()), "bytes in the status")
        said = [int(number) for number in re.findall(r"dropped the oldest (\d+) profiles", server.log())]
        checks.equal(sum(said), status["dropped"], "dropped profiles that were said")
        checks.that(f'lprofd_pushes_total{{result="dropped"}} {status["dropped"]}\n' in fetch(server.port), "dropped in the metrics")
        waiting = {path.read_bytes() for path in server.spooled()}
        store.up()
        checks.that(server.settle(), "what stays is accepted")
        checks.equal({request.body for request in store.accepted}, waiting, "what stayed, beside what was accepted")
        checks.equal(server.function("leaf")["calls"], 16 * LEAF_CALLS, "what lprofd itself has counted")
    finally:
        server.close()
        store.down()


def check_dropped_under_way(directory, program):
    """The profile that is under way is dropped, after one that failed: the next are pushed all the same."""
    store = profile_store.Store()
    server = Pushing(directory / "under-way", store, "d", "push_spool_bytes = 2000\n")
    try:
        server.begin(program)
        store.orders += ["reset"] + ["hang"] * 100
        for _ in range(16):
            measuring.succeed([program, "leaf"])
            time.sleep(0.3)
        checks.that(server.push_status()["dropped"] > 0, "nothing was dropped")
        store.orders.clear()
        checks.that(server.settle(), f"what stays is accepted: {server.push_status()}")
    finally:
        server.close()
        store.down()


def check_no_descriptors(directory, program):
    """While files cannot be opened, what waits is not taken for lost."""
    store = profile_store.Store()
    store.down()
    server = Pushing(directory / "descriptors", store, "n")
    try:
        server.begin(program)
        measuring.succeed([program, "leaf"])
        checks.that(daemon.eventually(lambda: server.push_status()["spooled"] and server.push_status()["failed"]), "a profile waits")
        server.call("Remove", probes=[str(probe["id"]) for probe in server.call("List")["probes"]])
        own = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, own[1]))
        time.sleep(5)  # several attempts
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, own)
        checks.equal(server.push_status()["dropped"], 0, "dropped for want of descriptors")
        store.up()
        checks.that(server.settle(), "is accepted")
        found = sum_of("want of descriptors", store.accepted, directory)
        checks.equal(found["calls", "leaf"], LEAF_CALLS, "want of descriptors: calls of leaf")
    finally:
        server.close()
        if store.listener.fileno() >= 0:
            store.down()


SLOW_NAMES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

	if (node && !strcmp(node, "store.invalid"))
		sleep(20);
	return next(node, service, hints, found);
}
"""


def check_slow_names(directory, program):
    """lprofd goes on while the name server does not answer, also when it gives up on it."""
    store = profile_store.Store()
    server = Pushing(directory / "names", store, "m", host="store.invalid")
    source, library = directory / "names.c", directory / "names.so"
    source.write_text(SLOW_NAMES)
    measuring.succeed(["gcc", "-shared", "-fPIC", "-o", library, source])
    server.environment["LD_PRELOAD"] = str(library)
    try:
        server.begin(program)
        measuring.succeed([program, "leaf"])
        longest, failed, end = 0, 0, time.monotonic() + 60
        while time.monotonic() < end and failed < 2:
            begun = time.monotonic()
            failed = server.push_status()["failed"]
            longest = max(longest, time.monotonic() - begun)
            time.sleep(0.05)
        checks.that("timed out" in server.push_status().get("problem", ""), f"the lookup is given up: {server.push_status()}")
        checks.that(longest < 5, f"a call took {longest:.1f} s while a name was looked up")
        checks.equal(server.stop(), 0, "status of the end while a name is looked up")
    finally:
        server.close()
        store.down()


def check_disk(directory, program):
    """A full disk: what was counted meanwhile is pushed when there is room."""
    disk = test_lprofd_disk.SmallDisk(directory / "small", "1m")
    store = profile_store.Store()
    server = Pushing(directory / "full", store, "f")
    server.state = disk.path / "state"
    server.spool = server.state / "push"
    try:
        server.begin(program)
        measuring.succeed([program, "leaf"])
        checks.that(server.settle(), "the first is accepted")
        disk.fill()
        measuring.succeed([program, "leaf"])
        checks.that(daemon.eventually(lambda: "No space left" in server.log()), "a full disk is said")
        measuring.succeed([program, "leaf"])
        time.sleep(0.5)
        checks.equal(server.log().count("No space left"), 1, "how often it is said")
        disk.free()
        checks.that(daemon.eventually(lambda: "takes profiles again" in server.log()), "room is said")
        checks.that(server.settle(), "what was counted meanwhile is accepted")
        found = check_sums("a full disk", store.accepted, directory, server.call("Collect")["profile"])
        checks.equal(found["calls", "leaf"], 3 * LEAF_CALLS, "a full disk: calls of leaf")
        server.kill()
        (server.spool / "told").write_text("lprof-told 1 nonsense\n")
        server.begin(program)
        checks.that("only what is counted from now on" in server.log(), "a damaged file of what was told is said")
        measuring.succeed([program, "leaf"])
        checks.that(server.settle(), "goes on after it")
        found = sum_of("a damaged file", store.accepted, directory)
        checks.equal(found["calls", "leaf"], 4 * LEAF_CALLS, "a damaged file: calls of leaf")
    finally:
        server.close()
        disk.gone()
        store.down()


def check_tls(directory, program):
    """A certificate that nobody signed is refused, unless it is configured."""
    pem = directory / "server.pem"
    measuring.succeed(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=store",
                       "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "key.pem", "-out", directory / "ca.pem"])
    pem.write_text((directory / "key.pem").read_text() + (directory / "ca.pem").read_text())
    store = profile_store.Store(pem)
    for name, more in (("t", ""), ("u", f"push_ca_file = {directory / 'ca.pem'}\n")):
        server = Pushing(directory / f"tls-{name}", store, name, more)
        try:
            server.begin(program)
            measuring.succeed([program, "leaf"])
            if more:
                checks.that(server.settle(), "TLS with its certificate")
                found = check_sums("TLS", store.accepted, directory, server.call("Collect")["profile"])
                checks.equal(found["calls", "leaf"], LEAF_CALLS, "TLS: calls of leaf")
            else:
                checks.that(daemon.eventually(lambda: "certificate" in server.push_status().get("problem", "")), "a foreign certificate is refused")
                checks.equal(len(store.requests), 0, "requests through it")
        finally:
            server.close()
    store.down()


def check_configuration(directory):
    """What cannot be meant is refused at the start, with what to do."""
    for number, (text, part) in enumerate((
            ("push_url = ftp://store/ingest", "is not a URL"),
            ("push_url = http://store/", "ends in none of"),
            ("push_url = http://user:secret@store/ingest", "push_password_file"),
            ("push_url = http://store/ingest\npush_labels = a", "NAME=VALUE"),
            ("push_url = http://store/ingest\npush_labels = 1a=b", "not a label's name"),
            ("push_url = http://store/ingest\npush_labels = a={b}", "the value of a"),
            ("push_url = http://store/ingest\npush_interval = 0s", "push_interval"),
            ("push_url = http://store/ingest\npush_token_file = /a\npush_password_file = /b", "only one of them"))):
        place = directory / f"wrong{number}"
        place.mkdir()
        server = daemon.Daemon(place, text + "\n", "w")
        try:
            checks.that(not server.start() and part in server.log(), f"{text!r}: {server.log()}")
            checks.that("secret" not in server.log(), f"{text!r}: a password in the log")
        finally:
            server.close()
            checks.that(not (server.state / "push").exists(), f"{text!r}: a spool stays after --purge")


def main():
    daemon.need_daemon()
    measuring.need_tools("go", "openssl")
    parts = [check_good, check_samples, check_misbehaviour, check_restarts, check_bound, check_dropped_under_way, check_no_descriptors,
             check_slow_names, check_disk, check_tls]
    wanted = sys.argv[1:]
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        program = pathlib.Path(shutil.copy(measuring.built("counted", "gcc-O2"), directory)).resolve()  # nobody else runs it
        for part in parts:
            if not wanted or part.__name__ in wanted:
                part(directory, program)
        if not wanted or check_configuration.__name__ in wanted:
            check_configuration(directory)
    checks.finish(3 if wanted else 250, "pushes")


if __name__ == "__main__":
    main()
