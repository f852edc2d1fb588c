#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lprofd does all it does with the capabilities that the DaemonSet gives it, and not with one less."""
import json
import pathlib
import re
import shutil
import subprocess
import time

import daemon
import measuring

MANIFEST = measuring.TOP / "deploy" / "kubernetes" / "daemonset.yaml"
CALLS, LEAF_CALLS = 5, 7919
checks = measuring.Checks()


class Confined(daemon.Daemon):
    """Root, with no other capabilities than these; nothing that it executes could gain one."""

    def __init__(self, directory, capabilities):
        super().__init__(directory, "group =\n")
        self.capabilities = capabilities

    def command(self, *more):
        words = super().command(*more)
        if "--purge" in more:
            return words
        bounds = ",".join(["-all", *(f"+{name}" for name in self.capabilities)])
        return ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={bounds}", *words]


def granted():
    """What the manifest adds."""
    return [name.lower() for name in re.findall(r"^ +- ([A-Z_]+) # to ", MANIFEST.read_text(), re.MULTILINE)]


def count_other(server, directory, program):
    """Calls of a process of another user, whose program only that user may read."""
    private = directory / "private"
    shutil.copy(program, private)
    private.chmod(0o700)
    shutil.chown(private, "nobody")
    target = subprocess.Popen(["setpriv", "--reuid=nobody", "--clear-groups", private, "wait"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, env=measuring.ENVIRONMENT)
    try:
        checks.that(daemon.eventually(lambda: pathlib.Path(f"/proc/{target.pid}/comm").read_text() == "private\n"), "it runs")
        server.call("Add", pids=[target.pid], specs=[{"text": "leaf"}])
        target.stdin.write(b"x" * CALLS)
        target.stdin.close()
        target.wait(timeout=60)
        time.sleep(0.1)
        return server.function("leaf")["calls"]
    finally:
        target.kill()
        target.wait()


def works(capabilities, program):
    """Why not, or None."""
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        directory.chmod(0o755)
        server = Confined(directory, capabilities)
        try:
            if not server.start():
                return server.said
            server.call("Add", image=str(program), specs=[{"text": "leaf"}])
            measuring.succeed([program, "leaf"])
            server.kill()
            if not server.start():
                return server.said
            if server.function("leaf")["calls"] != LEAF_CALLS:
                return "calls were lost"
            server.call("Remove", probes=["leaf"])
            server.call("Reset")
            found = count_other(server, directory, program)
            if found != CALLS:
                return f"{found} calls, not {CALLS}"
            return None if server.stop() == 0 else "it did not stop well"
        except daemon.Refused as error:
            return error.message
        finally:
            server.close()


def main():
    daemon.need_daemon()
    measuring.need_tools("setpriv")
    if not json.loads(measuring.succeed([measuring.LPROF, "doctor", "--json"]).stdout)["features"]["uprobe_multi"]["available"]:
        measuring.skip("without multi links SYS_ADMIN is needed as well")
    program = measuring.built("counted", "gcc-O2").resolve()
    capabilities = granted()
    checks.equal(len(capabilities), 4, f"capabilities of the manifest {capabilities}")
    problem = works(capabilities, program)
    checks.that(problem is None, f"with {capabilities}: {problem}")
    for name in capabilities:
        problem = works([other for other in capabilities if other != name], program)
        checks.that(problem and "CAP_" in problem, f"without {name} it works or does not say what is missing: {problem}")
        print(f"without {name}: {(problem or '').strip()}")
    checks.finish(7, "privileges")


if __name__ == "__main__":
    main()
