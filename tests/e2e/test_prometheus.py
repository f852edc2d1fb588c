#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Prometheus scrapes lprofd while programs run: what it stored is what the profile says.

Two servers scrape at once, one by OpenMetrics and one, with its feature native-histograms, by protobuf. PROMETHEUS_SECONDS
makes it longer: 60 is the full form. A Prometheus that is not installed is unpacked from Debian's package below the build.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import daemon
import measuring

SECONDS = int(os.environ.get("PROMETHEUS_SECONDS", "10"))
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
DEPLOY = measuring.TOP / "deploy"
FUNCTIONS = ["leaf", "outer", "busy", "descend"]
BRIEF_NS, LONG_NS = 200_000, 2_000_000
QUANTILE_OFF = 0.20  # half a bucket of ours (11%), one of theirs (4%), and the program's own

checks = measuring.Checks()
sunk = {}


def find_prometheus():
    """The directory of prometheus and promtool; one that is installed, or Debian's, unpacked."""
    if shutil.which("prometheus") and shutil.which("promtool"):
        return pathlib.Path(shutil.which("prometheus")).parent
    place = measuring.BUILD / "prometheus"
    binaries = place / "usr" / "bin"
    if not (binaries / "promtool").exists():
        place.mkdir(parents=True, exist_ok=True)
        if subprocess.run("apt-get -qq -o APT::Sandbox::User=root download prometheus && dpkg-deb -x prometheus_*.deb . "
                          "&& rm prometheus_*.deb", shell=True, cwd=place, capture_output=True, check=False).returncode:
            measuring.skip("no prometheus, and Debian's package cannot be downloaded")
    return binaries


class Prometheus:
    def __init__(self, binaries, directory, target, *features):
        self.port = measuring.free_port()
        directory.mkdir()
        (directory / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "lprofd", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}]}))
        with open(directory / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [binaries / "prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}", *features], stdout=log, stderr=log, env=measuring.ENVIRONMENT)

    def ask(self, query):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(url, timeout=20) as reply:
            return [(found["metric"], float(found["value"][1])) for found in json.load(reply)["data"]["result"]
                    if "value" in found]

    def number(self, query):
        found = self.ask(query)
        return found[0][1] if len(found) == 1 else None

    def ready(self):
        try:
            return self.number("up") == 1
        except OSError:
            return False

    def end(self):
        self.process.terminate()
        self.process.wait()


def stored(server, name, labels):
    """The values of a family by these labels."""
    found = {}
    for metric, value in server.ask(name):
        key = tuple(metric.get(label, "") for label in labels)
        checks.that(key not in found, f"{name}: two series of {key}")
        found[key] = value
    return found


def check_family(server, name, labels, wanted):
    found = stored(server, name, labels)
    checks.equal(sorted(found), sorted(wanted), f"{name}: series")
    for key, value in wanted.items():
        # What is stored is the nearest double of the text.
        if "seconds" in name and found.get(key, -1) > value:
            sunk[key] = (found[key], value)
        else:
            checks.that(abs(found.get(key, -1) - value) <= 1e-12 * abs(value), f"{name} {key}: {found.get(key)}, not {value}")


def check_series(server, profile, what):
    """Each family by the profile that lprofd gives as JSON."""
    functions = {(function["name"], str(function["line"])): function for function in profile["functions"]}
    by = ("function", "declared")
    for name, value in {
            "lprof_function_calls_total": lambda function: function["calls"],
            "lprof_function_timed_calls_total": lambda function: function["timed_calls"],
            "lprof_function_seconds_total": lambda function: function["total_ns"] / 1e9,
            "lprof_function_self_seconds_total": lambda function: function["self_ns"] / 1e9,
            "lprof_function_open_calls": lambda function: function["accounting"]["open"]}.items():
        check_family(server, name, by, {key: value(function) for key, function in functions.items()})
    lines = {(*key, line["file"], str(line["line"])): line
             for key, function in functions.items() for line in function["lines"]}
    checks.that(len(lines) > 3, f"{what}: {len(lines)} lines")
    by = (*by, "line_file", "line")
    check_family(server, "lprof_line_hits_total", by, {key: line["hits"] for key, line in lines.items()})
    check_family(server, "lprof_line_seconds_total", by, {key: line["total_ns"] / 1e9 for key, line in lines.items()})
    for state in ("blocked", "waiting"):
        check_family(server, f"lprof_function_{state}_seconds_total", by[:2],
                     {key: function[f"{state}_ns"] / 1e9 for key, function in functions.items() if function["off_cpu"]})
        check_family(server, f"lprof_line_{state}_seconds_total", by,
                     {key: line[f"{state}_ns"] / 1e9 for key, line in lines.items() if key[0] == "outer"})
    # Corrected times may sink a little, where lines are short; Prometheus is then told the highest.
    spent = sum(function["total_ns"] for function in functions.values()) / 1e9
    checks.that(len(sunk) < len(lines), f"{what}: times that sank: {sunk}")
    for key, (found, value) in sunk.items():
        checks.that(found - value < spent / 1000, f"{what}: {key}: {found}, not {value}")
    sunk.clear()
    check_family(server, "lprof_losses_total", ("cause",), {
        (cause,): next((loss["count"] for loss in profile["losses"] if loss["cause"] == cause), 0)
        for metric, _ in server.ask("lprof_losses_total") for cause in [metric["cause"]]})


def check_counters(server, what):
    """No scrape failed, and nothing that counts ever went down."""
    checks.equal(server.number("min_over_time(up[10m])"), 1, f"{what}: every scrape worked")
    scrapes = server.number("count_over_time(up[10m])")
    checks.that(scrapes >= SECONDS * 0.7, f"{what}: {scrapes} scrapes in {SECONDS} s")
    for name in ("lprof_function_seconds_total", "lprof_function_self_seconds_total", "lprof_line_seconds_total",
                 "lprof_function_calls_total", "lprof_line_hits_total", "lprof_line_blocked_seconds_total",
                 "lprof_line_waiting_seconds_total"):
        fell = [metric for metric, value in server.ask(f"resets({name}[10m])") if value]
        checks.equal(fell, [], f"{what}: {name} went down")
    print(f"{what}: {scrapes:.0f} scrapes, {len(server.ask('{job=%r}' % 'lprofd'))} series,"
          f" {server.number('max_over_time(scrape_duration_seconds[10m])') * 1e3:.1f} ms at most")


def check_quantiles(server, selector, calls, what):
    """One call in four took LONG_NS, the others BRIEF_NS, as the program itself was told; on a busy machine some took
    longer, so the shortest ones of each are looked at."""
    for share, ns in ((0.25, BRIEF_NS), (0.5, BRIEF_NS), (0.77, LONG_NS)):
        found = server.number(f"histogram_quantile({share}, {selector})")
        checks.that(found is not None and abs(found * 1e9 / ns - 1) < QUANTILE_OFF,
                    f"{what}: {share} of the calls took up to {found} s, not {ns / 1e9}")
        print(f"{what}: quantile {share}: {found} s, wanted {ns / 1e9}")
    checks.equal(server.number(f"histogram_count({selector})"), calls, f"{what}: calls")


def check_histograms(text, native, profile):
    by = ("function", "declared")
    counts = {(function["name"], str(function["line"])): sum(count for _, count in function["histogram"])
              for function in profile["functions"]}
    check_family(text, "lprof_function_duration_seconds_count", by, counts)
    for function in profile["functions"]:
        for metric, value in text.ask("lprof_function_duration_seconds_bucket{function=%s}" % json.dumps(function["name"])):
            bound = float(metric["le"]) * 1e9
            wanted = sum(count for upper, count in function["histogram"] if upper < bound)
            checks.equal(value, wanted, f"calls of {function['name']} below {metric['le']}")
    busy = [function for function in profile["functions"] if function["name"] == "busy"][0]
    check_quantiles(native, 'lprof_function_duration_seconds{function="busy"}', busy["timed_calls"], "native histogram")
    checks.equal(native.ask("lprof_function_duration_seconds_bucket"), [], "classic buckets beside native ones")
    total = native.number('histogram_sum(lprof_function_duration_seconds{function="busy"})')
    checks.that(abs(total * 1e9 - busy["total_ns"]) < 2, f"the native sum: {total}")


def check_names(binaries, server):
    """promtool finds nothing to say, of names nor of rules."""
    for accept in ("text/plain", "application/openmetrics-text"):
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=20) as reply:
            checks.that(accept in reply.headers["Content-Type"], f"asked for {accept}: {reply.headers['Content-Type']}")
            text = reply.read().decode()
        if accept == "text/plain":
            ended = measuring.command([binaries / "promtool", "check", "metrics"], input=text)
            checks.equal((ended.returncode, ended.stdout + ended.stderr), (0, ""), "promtool check metrics")
    for accept, wanted in ((PROTOBUF, "protobuf"), (PROTOBUF + ";q=0.3,text/plain;q=0.5", "text/plain"),
                           ("text/html,*/*;q=0.1", "text/plain"), ("application/vnd.google.protobuf", "text/plain")):
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=20) as reply:
            checks.that(wanted in reply.headers["Content-Type"], f"asked for {accept}: {reply.headers['Content-Type']}")


def check_deployed(binaries, text, native):
    """The rules do what they say; the dashboard's queries work, and name series that there are."""
    rules = DEPLOY / "prometheus" / "lprofd-rules.yml"
    for words in (["check", "rules", rules], ["test", "rules", measuring.TOP / "tests" / "e2e" / "prometheus_rules.yml"]):
        ended = measuring.command([binaries / "promtool", *words])
        checks.that(ended.returncode == 0 and "SUCCESS" in ended.stdout + ended.stderr, f"promtool {words[:2]}: {ended}")
    known = {metric["__name__"] for server in (text, native) for metric, _ in server.ask('{__name__=~"lprof.*"}')}
    known.add("lprof_function_duration_seconds")  # native: not a number
    board = json.loads((DEPLOY / "grafana" / "lprof.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    checks.that(len(queries) > 10, f"{len(queries)} queries in the dashboard")
    for query in queries + re.findall(r"expr: (.*)", rules.read_text()):
        query = re.sub(r"\$__(rate_interval|range)", "1m", re.sub(r"\$(instance|image|function)", ".*", query))
        try:
            text.ask(query)
        except OSError as error:
            checks.that(False, f"{query}: {error}")
        named = set(re.findall(r"lprofd?_[a-z_]+", query))
        checks.that("up{" in query or (named and named <= known), f"{query}: no {named - known}")


def run_programs(program):
    """Until the time is over; the last of them ends before this does."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for words in (["leaf"], ["threads"], ["recursion"], *[["busy", str(BRIEF_NS)]] * 3, ["busy", str(LONG_NS)]):
            measuring.succeed([program, *words])


def main():
    daemon.need_daemon()
    binaries = find_prometheus()
    program = measuring.built("counted", "gcc-O2").resolve()
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        server = daemon.Daemon(directory, "metrics_lines = 1000\n")
        servers = []
        try:
            checks.that(server.start(), f"lprofd starts: {server.said}")
            server.call("Add", image=str(program), specs=[{"text": name} for name in FUNCTIONS if name != "outer"])
            server.call("Add", image=str(program), specs=[{"text": "outer", "lines": True}], off_cpu=True)
            text = Prometheus(binaries, directory / "text", server.port)
            servers.append(text)
            native = Prometheus(binaries, directory / "native", server.port,
                                "--enable-feature=native-histograms")
            servers.append(native)
            checks.that(daemon.eventually(text.ready, 60) and daemon.eventually(native.ready, 60), "both scrape lprofd")
            runner = threading.Thread(target=run_programs, args=[program])
            runner.start()
            runner.join()
            profile = server.call("Collect")["profile"]
            seen = server.call("Status")["hits"]
            checks.that(daemon.eventually(lambda: text.number("lprof_probe_hits_total") == seen ==
                                          native.number("lprof_probe_hits_total")), "the last hits are stored")
            for each, what in ((text, "OpenMetrics"), (native, "protobuf")):
                check_series(each, profile, what)
                check_counters(each, what)
            check_histograms(text, native, profile)
            check_names(binaries, server)
            check_deployed(binaries, text, native)
        finally:
            for each in servers:
                each.end()
            server.close()
    checks.finish(150, "what Prometheus stored")


if __name__ == "__main__":
    main()
