#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives lprofd through its socket and its commands: what is asked for is probed, counted, removed."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import daemon
import measuring

MOST = 512  # probes at once
checks = measuring.Checks()


def refused(call, code, part, what):
    try:
        call()
    except daemon.Refused as error:
        checks.equal(error.code, code, f"{what}: code")
        checks.that(part in error.message, f"{what}: {error.message}")
        return
    checks.that(False, f"{what}: was not refused")


def check_service(server):
    info = server.call("org.varlink.service.GetInfo")
    checks.that("io.lprof.Control" in info["interfaces"], f"interfaces {info}")
    text = server.call("org.varlink.service.GetInterfaceDescription", interface="io.lprof.Control")["description"]
    for method in ("Add", "Remove", "List", "SetRate", "Collect", "Reset", "Status", "Watch"):
        checks.that(f"method {method}(" in text, f"{method} is described")
    refused(lambda: server.call("Nothing"), "ENOSYS", "no method", "unknown method")
    refused(lambda: server.call("Add", specs=[{"text": "f"}]), "EBADMSG", "processes or an image", "nothing named")


def check_image(server, program):
    """A probe on an image covers who runs later; it is idempotent; others are not disturbed."""
    specs = [{"text": "leaf"}, {"text": "outer", "lines": True}]
    added = server.call("Add", image=str(program), specs=specs)
    checks.that(added["created"], "the probe is new")
    checks.that(all(function["price_ns"] > 0 for function in added["functions"]), f"prices {added['functions']}")
    again = server.call("Add", image=str(program), specs=specs)
    checks.that(not again["created"] and again["probe"]["id"] == added["probe"]["id"], "add is idempotent")
    refused(lambda: server.call("Add", image=str(program), specs=[{"text": "leaf"}]), "EEXIST", "probe 1",
            "a second probe in the same code")
    refused(lambda: server.call("Add", image=str(program), specs=[{"text": "leef"}]), "ENOENT", "leaf", "no function")
    measuring.succeed([program, "leaf"])
    other = server.call("Add", image=str(program), specs=[{"text": "descend"}])
    measuring.succeed([program, "threads"])
    checks.equal(server.function("leaf")["calls"], 7919 + 8 * (1009 + 303), "calls of leaf")
    checks.equal(server.function("outer")["calls"], 1 + 808, "calls of outer")
    checks.equal(server.call("Remove", probes=[str(other["probe"]["id"])])["removed"], [other["probe"]["id"]], "removed")
    measuring.succeed([program, "recursion"])
    checks.equal(server.function("descend")["calls"], 0, "calls of a function that is not probed any more")
    measuring.check_profile(checks, server.call("Collect")["profile"], "lprofd's profile")


def check_rate_and_reset(server, program):
    checks.equal(server.call("SetRate", probe="leaf", rate=0)["functions"], 1, "functions whose rate changed")
    server.call("Reset")
    measuring.succeed([program, "leaf"])
    leaf = server.function("leaf")
    checks.equal((leaf["calls"], leaf["timed_calls"]), (7919, 7919), "a call below a timed one shares its decision")
    checks.equal(server.call("SetRate", probe="1", rate=0)["functions"], 2, "functions of a probe")
    measuring.succeed([program, "leaf"])
    leaf = server.function("leaf")
    checks.equal((leaf["calls"], leaf["timed_calls"]), (2 * 7919, 7919), "calls and timed calls at rate 0")
    for rate, timed in ((1, 2 * 7919), (0, 2 * 7919), (0.0, 2 * 7919), (1.0, 3 * 7919)):
        specs = [{"text": "leaf", "rate": rate}, {"text": "outer", "lines": True, "rate": rate}]
        checks.that(not server.call("Add", image=str(program), specs=specs)["created"], "the same probe at another rate")
        measuring.succeed([program, "leaf"])
        checks.equal(server.function("leaf")["timed_calls"], timed, f"timed calls once asked for rate {rate}")
    refused(lambda: server.call("Add", image=str(program), specs=[{**specs[0], "rate": 0.5}, specs[1]]), "EEXIST", "lprof rate",
            "rates that differ by function")
    refused(lambda: server.call("SetRate", probe="none", rate=1), "ENOENT", "none", "rate of nothing")


def check_rate_of_the_removed(server, program):
    """A probe that takes up what a removed one counted has the rate that it asks for."""
    for rate in (0, None):
        probe = server.call("Add", image=str(program), specs=[{"text": "descend"}])["probe"]
        before = server.function("descend")
        if rate is not None:
            server.call("SetRate", probe="descend", rate=rate)
        measuring.succeed([program, "recursion"])
        after = server.function("descend")
        calls, timed = (after[key] - before[key] for key in ("calls", "timed_calls"))
        checks.that(calls > 0, "calls of descend")
        checks.equal(timed, 0 if rate == 0 else calls, f"timed calls of descend after SetRate {rate}")
        server.call("Remove", probes=[str(probe["id"])])


def check_removed_while_running(server, program, directory):
    """A call that never returns was left out by its rate; removed, it no longer decides for those inside."""
    copy = directory / "running"
    shutil.copy(program, copy)
    around = server.call("Add", image=str(copy), specs=[{"text": "main", "rate": 0}])["probe"]
    caller = daemon.Caller(copy)
    checks.that(daemon.eventually(lambda: server.function("main")["calls"] == 1), "main() was entered")
    server.call("Add", pids=[caller.pid], specs=[{"text": "leaf"}])
    for calls, timed in ((5, 0), (7, 7), (11, 18)):
        before = server.function("leaf")["calls"]
        caller.calls(calls)
        checks.that(daemon.eventually(lambda: server.function("leaf")["calls"] == before + calls), "calls of leaf")
        checks.equal(server.function("leaf")["timed_calls"], timed, "timed calls of leaf")
        if not timed:
            server.call("Remove", probes=[str(around["id"])])
    caller.end()
    checks.that(daemon.eventually(lambda: not any(each["active"] for each in server.call("List")["probes"])), "both have ended")
    main = server.function("main")
    checks.equal((main["calls"], main["timed_calls"], main["total_ns"]), (1, 0, 0), "main()")
    server.call("Reset")


def check_processes(server, program, directory):
    """Probes of two processes count apart, end with them, keep their data, and write their files."""
    copy = directory / "apart"
    shutil.copy(program, copy)
    output = directory / "own.json"
    callers = [daemon.Caller(copy), daemon.Caller(copy)]
    # The image of probe 1 has the same build id, and covers these processes too: it comes first.
    refused(lambda: server.call("Add", pids=[callers[0].pid], specs=[{"text": "leaf"}]), "EEXIST", "probe 1",
            "a process of an image that is probed")
    server.call("Remove", probes=["leaf"])
    server.call("Reset")
    first = server.call("Add", pids=[callers[0].pid], specs=[{"text": "leaf"}], outputs=[str(output)])["probe"]
    second = server.call("Add", pids=[callers[1].pid], specs=[{"text": "leaf"}])["probe"]
    for count in (3, 5):
        callers[0].calls(count)
        callers[1].calls(10 * count)
    checks.equal(callers[0].end(), 0, "status of a target")
    ended = daemon.eventually(lambda: not [p for p in server.call("List")["probes"] if p["id"] == first["id"]][0]["active"])
    checks.that(ended, "a probe ends with its process")
    own = json.loads(output.read_text())
    checks.equal([function["calls"] for function in own["functions"]], [8], "calls in the probe's own file")
    callers[1].process.kill()
    callers[1].process.wait()
    daemon.eventually(lambda: not any(probe["active"] for probe in server.call("List")["probes"]))
    calls = sorted(function["calls"] for function in server.call("Collect")["profile"]["functions"])
    checks.equal(calls, [8, 80], "calls of two processes, one of them killed")
    checks.that(second["id"] != first["id"], "two probes")
    refused(lambda: server.call("Add", pids=[callers[1].pid], specs=[{"text": "leaf"}]), "ESRCH", "process",
            "a process that ended")


def check_end_and_upgrade(server, program, directory):
    """--for ends a probe; a replaced image is planned anew, and its builds are kept apart."""
    server.call("Reset")
    image = directory / "image"
    shutil.copy(program, image)
    server.call("Add", image=str(image), specs=[{"text": "leaf"}], for_ns=2_000_000_000)
    measuring.succeed([image, "leaf"])
    ended = daemon.eventually(lambda: not any(probe["active"] for probe in server.call("List")["probes"]))
    checks.that(ended, "a probe ends when its time is over")
    measuring.succeed([image, "leaf"])
    checks.equal(server.function("leaf")["calls"], 7919, "calls until the end")
    server.call("Reset")
    server.call("Add", image=str(image), specs=[{"text": "leaf"}])
    measuring.succeed([image, "leaf"])
    fresh = directory / "fresh"
    shutil.copy(measuring.built("counted", "gcc-O0"), fresh)
    os.rename(fresh, image)
    checks.that(daemon.eventually(lambda: server.call("List")["probes"][-1]["builds"] == 2), "the new build is planned")
    measuring.succeed([image, "threads"])
    profile = server.call("Collect")["profile"]
    found = sorted(function["calls"] for function in profile["functions"] if function["name"] == "leaf")
    checks.equal(found, [7919, 8 * 1312], "calls by build")
    checks.equal(len({image["build_id"] for image in profile["images"] if image["build_id"]}), 2, "builds in the profile")
    server.call("Remove", probes=["leaf"])
    server.call("Reset")


def check_users(server, program):
    """One who is not root may probe only its own processes, and cannot without the group."""
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import os, daemon, encodings.idna\n"
            "os.setgroups([]); os.setgid({gid}); os.setuid(12345)\n"
            "for request in ({{'image': sys.argv[3]}}, {{'pids': [1]}}):\n"
            "    try:\n"
            "        print(daemon.Connection(sys.argv[2]).call('Add', specs=[{{'text': 'leaf'}}], **request))\n"
            "    except daemon.Refused as error:\n"
            "        print(error.code)\n"
            "    except PermissionError:\n"
            "        print('closed')\n")
    here = str(pathlib.Path(__file__).parent)
    for gid, wanted in ((1, ["EPERM", "EPERM"]), (12345, ["closed", "closed"])):
        ended = measuring.command([sys.executable, "-c", code.format(gid=gid), here, server.socket, program])
        checks.equal(ended.stdout.split(), wanted, f"what group {gid} may do {ended.stderr[-200:]}")


def check_commands(server, program):
    added = server.lprof("add", "--image", program, "-f", "leaf", "-l", "outer")
    checks.that(added.returncode == 0 and "leaf" in added.stdout, f"lprof add: {added}")
    measuring.succeed([program, "leaf"])
    checks.that("-f leaf -l outer" in server.lprof("list").stdout, "lprof list")
    checks.that("7919" in server.lprof("collect").stdout, "lprof collect")
    checks.equal(json.loads(server.lprof("collect", "--json").stdout)["format"], "lprof", "lprof collect --json")
    checks.equal(json.loads(server.lprof("status", "--json").stdout)["probes"], 1, "probes in lprof status")
    checks.that("Nothing was lost" in server.lprof("status").stdout, "lprof status")
    checks.equal(server.lprof("rate", "leaf", "0.5").returncode, 0, "lprof rate")
    checks.equal(server.lprof("rate", "leaf", "2").returncode, 2, "lprof rate misused")
    failed = server.lprof("remove", "--json", "77")
    checks.equal((failed.returncode, json.loads(failed.stderr)["code"]), (1, "ENOENT"), "lprof remove of nothing")


def check_marked(server):
    program = measuring.built("marked", "gcc-O2").resolve()
    added = server.lprof("add", "--image", program, "--marked", "--json")
    names = {function["name"] for function in json.loads(added.stdout)["functions"]}
    checks.that({"marked_static", "marked_extern"} <= names and not any("plain" in name for name in names),
                f"lprof add --marked: {names}")
    measuring.succeed([program])
    checks.that(server.function("marked_static")["lines_measured"], "lines of marked functions")
    checks.equal(server.lprof("remove", str(json.loads(added.stdout)["probe"]["id"])).returncode, 0, "removed")
    for words in (["--marked", "-f", "leaf"], []):
        checks.equal(server.lprof("add", "--image", program, *words).returncode, 2, f"lprof add {words}: misused")
    plain = measuring.built("counted", "gcc-O2").resolve()
    refused = server.lprof("add", "--image", plain, "--marked")
    checks.that(refused.returncode == 1 and "LPROF_PROFILE" in refused.stderr, f"nothing is marked: {refused.stderr}")


def check_metrics(server):
    def get(path, accept="*/*"):
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.headers["Content-Type"], reply.read().decode(errors="replace")

    kind, text = get("/metrics")
    checks.that("version=0.0.4" in kind, kind)
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    calls = [value for name, value in values.items() if name.startswith('lprof_function_calls_total{function="leaf"')]
    checks.equal(calls, ["7919"], "lprof_function_calls_total")
    inf = [value for name, value in values.items() if "_bucket" in name and 'function="leaf"' in name and '"+Inf"' in name]
    checks.equal(inf, ["7919"], "the histogram's +Inf bucket")
    checks.equal(values["lprofd_probes"], "1", "lprofd_probes")
    kind, text = get("/metrics", "application/openmetrics-text")
    checks.that("openmetrics" in kind and text.endswith("# EOF\n"), f"OpenMetrics {kind}")
    checks.equal(get("/healthz")[1], "ok\n", "/healthz")
    checks.equal(json.loads(get("/profile?format=json")[1])["format"], "lprof", "/profile?format=json")
    checks.that("<pre>" in get("/")[1], "the page at /")
    kind, text = get("/profile?format=html")
    checks.that("text/html" in kind and text.startswith("<!DOCTYPE html>") and '"name": "leaf"' in text, f"/profile?format=html: {kind}")
    for extension, wanted, begins in (("speedscope.json", "application/json", '{\n "$schema"'), ("folded", "text/plain", ""),
                                      ("callgrind", "text/plain", "# callgrind format"), ("pstat", "octet-stream", "{(")):
        kind, text = get(f"/profile?format={extension}")
        checks.that(wanted in kind and text.startswith(begins), f"/profile?format={extension}: {kind} {text[:30]!r}")


def check_sources(server, directory):
    """Over HTTP anybody may look: of sources only what everybody may read."""
    place = directory / "sources"
    place.mkdir()
    source, program = place / "private.c", place / "private"
    source.write_text("#include <stdlib.h>\nint work(int n)\n{\n\treturn abs(n); /* SECRET */\n}\nint main(int n, char **v) { (void)v; return work(n) - 1; }\n")
    measuring.succeed(["gcc", "-g", "-O0", "-o", program, source])
    probe = server.call("Add", image=str(program), specs=[{"text": "work", "lines": True}])["probe"]["id"]
    measuring.succeed([program])

    def shown(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=20) as reply:
            text = reply.read().decode()
        checks.that("work" in text, f"{path} does not have the function")
        return "SECRET" in text

    for folder, file, wanted in ((0o755, 0o644, True), (0o755, 0o600, False), (0o700, 0o644, False)):
        place.chmod(folder)
        source.chmod(file)
        for path in ("/", "/profile?format=html", "/profile?format=txt"):
            checks.equal(shown(path), wanted, f"{path}: contents of a source of mode {file:o} in a folder of mode {folder:o}")
    server.call("Remove", probes=[str(probe)])


def check_watch(server):
    connection = server.connect()
    connection.send("Watch", {"interval_ms": 100}, more=True)
    replies = [connection.receive() for _ in range(3)]
    checks.that(all(reply.get("continues") for reply in replies), "Watch goes on")
    connection.close()
    profile = server.call("Collect")["profile"]
    for lines in (False, True):
        counts = server.call("Watch", lines=lines)["functions"]
        for key in ("name", "line", "calls", "timed_calls", "total_ns", "self_ns"):
            checks.equal([each[key] for each in counts], [each[key] for each in profile["functions"]], f"Watch: {key}")
        wanted = [[(line["line"], line["hits"], line["total_ns"]) for line in each["lines"]] for each in profile["functions"]]
        found = [[(line["line"], line["hits"], line["total_ns"]) for line in each.get("lines", [])] for each in counts]
        checks.equal(found, wanted if lines else [[] for _ in counts], f"Watch: lines, asked: {lines}")


def check_stop(server):
    """SIGTERM writes the profile and leaves nothing; wanted probes come back with the next start."""
    begun = time.monotonic()
    checks.equal(server.stop(), 0, "status after SIGTERM")
    checks.that(time.monotonic() - begun < 20, "it stops soon, on a busy machine too")
    report = measuring.succeed([measuring.LPROF, "report", server.state / "line_profile_stats.lprof"]).stdout
    checks.that("7919" in report, "the profile written at the end")
    checks.that(not server.pins.exists(), "no pins stay")


def check_most(directory):
    """There is an end to probes at once, also for one that takes up what a removed one counted."""
    directory.mkdir()
    source, many = directory / "many.c", directory / "many"
    functions = (f"void f{at}(void) {{ __asm__ volatile(\"nop\"); }}\n" for at in range(MOST + 2))
    source.write_text("".join(functions) + "int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-g", "-O1", "-o", many, source], check=True)
    server = daemon.Daemon(directory, "", "most")

    def add(at):
        return str(server.call("Add", image=str(many), specs=[{"text": f"f{at}"}])["probe"]["id"])

    try:
        checks.that(server.start(), f"lprofd starts: {server.said}")
        server.call("Remove", probes=[add(0)])
        added = [add(at) for at in range(1, MOST + 1)]
        refused(lambda: add(MOST + 1), "E2BIG", "the most at once", "one more than the most")
        refused(lambda: add(0), "E2BIG", "the most at once", "a removed one, beside the most")
        server.call("Remove", probes=added[:1])
        checks.equal(len(server.call("Remove", probes=[*added[1:], add(0)])["removed"]), MOST, "removed")
    finally:
        server.close()


def check_file_rates(directory, program):
    """A probe of a file keeps the rate that it was given when lprofd is killed; reading the file again sets that of the file."""
    directory.mkdir()
    server = daemon.Daemon(directory, "", "files")
    (server.probes / "leaf.conf").write_text(f"[probe]\nimage = {program}\nfunction = leaf\n")
    timed = 0
    try:
        checks.that(server.start(), f"lprofd starts: {server.said}")
        for change, more in ((lambda: server.call("SetRate", probe="1", rate=0), 0), (lambda: (server.kill(), server.start()), 0),
                             (lambda: server.process.send_signal(signal.SIGHUP), 7919)):
            change()
            time.sleep(0.5)
            measuring.succeed([program, "leaf"])
            timed += more
            checks.equal(server.function("leaf")["timed_calls"], timed, "timed calls of a file's probe")
    finally:
        server.close()


def main():
    daemon.need_daemon()
    program = measuring.built("counted", "gcc-O2").resolve()
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        directory.chmod(0o755)
        server = daemon.Daemon(directory, "group = daemon\n")
        try:
            checks.that(server.start(), f"lprofd starts: {server.said}")
            check_service(server)
            check_image(server, program)
            check_rate_and_reset(server, program)
            check_rate_of_the_removed(server, program)
            check_processes(server, program, directory)
            server.call("Reset")
            check_removed_while_running(server, program, directory)
            check_end_and_upgrade(server, program, directory)
            check_users(server, program)
            check_commands(server, program)
            check_metrics(server)
            check_sources(server, directory)
            check_marked(server)
            check_watch(server)
            second = measuring.command(server.command())
            checks.that(second.returncode == 1 and "another lprofd" in second.stderr, f"a second lprofd: {second}")
            check_stop(server)
            checks.that(server.start(), f"lprofd starts again: {server.said}")
            checks.equal([probe["active"] for probe in server.call("List")["probes"]], [True], "wanted probes after a restart")
            checks.equal(server.stop(), 0, "status after the second SIGTERM")
        finally:
            server.close()
        check_most(directory / "most")
        check_file_rates(directory / "files", program)
    checks.finish(60, "lprofd")


if __name__ == "__main__":
    main()
