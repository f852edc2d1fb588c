#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What lprofd writes: on a disk that is full, within the bounds of snapshots, and when it meets another's counters."""
import json
import os
import pathlib
import re
import subprocess

import daemon
import measuring

LEAF_CALLS = 7919
checks = measuring.Checks()


class SmallDisk:
    """A file system of so many bytes."""

    def __init__(self, path, size):
        self.path = path
        path.mkdir()
        measuring.succeed(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path])

    def fill(self):
        with open(self.path / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self):
        (self.path / "filler").unlink()

    def gone(self):
        measuring.command(["umount", "--lazy", self.path])


def refused(call, part, what):
    try:
        call()
        checks.that(False, f"{what}: was not refused")
    except daemon.Refused as error:
        checks.that(error.code == "ENOSPC" and part in error.message, f"{what}: {error}")


def leaf_calls(profile):
    """Of all parts: probes that were set anew count apart."""
    return sum(function["calls"] for function in profile["functions"] if function["name"] == "leaf")


def check_full_disk(server, disk, program):
    """A full disk refuses what must be written, harms nothing that counts, and loses nothing at the end."""
    checks.that(server.start(), f"lprofd starts: {server.said}")
    server.call("Add", image=str(program), specs=[{"text": "leaf"}])
    disk.fill()
    measuring.succeed([program, "leaf"])
    refused(lambda: server.call("Add", image=str(program), specs=[{"text": "descend"}]), "No space left", "Add")
    checks.equal(len([probe for probe in server.call("List")["probes"] if probe["active"]]), 1, "active probes")
    measuring.succeed([program, "recursion"])
    checks.equal(server.function("leaf")["calls"], LEAF_CALLS, "calls on a full disk")
    checks.that(daemon.eventually(lambda: "No space left" in server.log()), "a snapshot without room is warned of")
    left = [path.name for path in server.state.iterdir() if re.search(r"tmp|\.[A-Za-z0-9]{6}$|~$", path.name)]
    checks.equal(left, [], "temporary files")
    checks.equal(server.stop(), 1, "status of an end whose profile cannot be written")
    checks.that("counters stay pinned" in server.log() and server.pins.exists(), "the counters stay pinned")
    disk.free()
    checks.that(server.start(), f"lprofd starts with room again: {server.said}")
    checks.equal(leaf_calls(server.call("Collect")["profile"]), LEAF_CALLS, "calls after the full disk")
    measuring.succeed([program, "leaf"])
    checks.equal(server.stop(), 0, "status of the end")
    profile = json.loads(measuring.succeed([measuring.LPROF, "report", "--json", server.state / "line_profile_stats.lprof"]).stdout)
    checks.equal(leaf_calls(profile), 2 * LEAF_CALLS, "calls in the profile")
    checks.that(not server.pins.exists(), "no pins stay")


def check_snapshots(server, program):
    """So many at most, and so many bytes together."""
    checks.that(server.start(), f"lprofd starts: {server.said}")
    measuring.succeed([program, "leaf"])

    def snapshots():
        return sorted(server.state.glob("snapshot-*.lprof"))

    checks.that(daemon.eventually(lambda: len(snapshots()) > 1), "snapshots are written")
    one = snapshots()[0].stat().st_size
    first = snapshots()[0]
    checks.that(daemon.eventually(lambda: not first.exists()), "the oldest goes")
    sizes = [path.stat().st_size for path in snapshots()]
    checks.that(len(sizes) <= 4 and sum(sizes[1:]) <= 3 * one + 4096, f"snapshots of {one} bytes: {sizes}")
    return one


def check_other_layout(server, program):
    """Counters in tables that this version does not know are written out by the names of their fields, with what tells whose they are."""
    server.call("Reset")
    measuring.succeed([program, "leaf"])
    server.kill()
    (server.pins / "targets").unlink()  # as if it were another version's
    measuring.succeed([program, "threads"])  # probes go on until the next start
    checks.that(server.start(), f"lprofd starts: {server.said}")
    kept = list(server.state.glob("old-counters-*"))
    checks.that(len(kept) == 1 and str(kept[0]) in server.said, f"a directory of old counters: {kept}")
    text = (kept[0] / "counters.txt").read_text()
    rows = re.findall(r"^histograms\[\d+\] = .*\.buckets = \(__u32\[\d+\]\)\[([\d,]+)\]", text, re.MULTILINE)
    ended = sum(int(count) for row in rows for count in row.strip(",").split(","))
    checks.equal(ended, LEAF_CALLS + 8 * (1009 + 303), "calls in the old counters")
    state = json.loads((kept[0] / "state.json").read_text())
    plan = json.loads((kept[0] / f"plan-{state['probes'][-1]['parts'][0]['file']}.json").read_text())
    checks.equal([function["name"] for function in plan["functions"]], ["leaf"], "whose they are")
    checks.equal([probe["active"] for probe in server.call("List")["probes"]], [True], "wanted probes are set anew")
    measuring.succeed([program, "leaf"])
    checks.equal(server.function("leaf")["calls"], LEAF_CALLS, "calls since")
    checks.equal(server.stop(), 0, "status of the end")


def main():
    daemon.need_daemon()
    program = measuring.built("counted", "gcc-O2").resolve()
    with measuring.scratch() as place:
        directory = pathlib.Path(place)
        disk = SmallDisk(directory / "small", "1m")
        (directory / "a").mkdir()
        (directory / "b").mkdir()
        full = daemon.Daemon(directory / "a", "snapshot_interval = 1s\n", "a")
        full.state = disk.path / "state"
        bounded = daemon.Daemon(directory / "b", "snapshot_interval = 1s\nsnapshots = 3\n", "b")
        try:
            check_full_disk(full, disk, program)
            checks.that(bounded.start(), f"lprofd starts: {bounded.said}")
            bounded.call("Add", image=str(program), specs=[{"text": "leaf"}])
            bounded.kill()
            size = check_snapshots(bounded, program)
            bounded.kill()
            config = bounded.directory / "lprofd.conf"
            config.write_text(f"[lprofd]\nbudget = 0\nbudget_total = 0\nsnapshot_interval = 1s\nsnapshots = 100\nsnapshot_bytes = {2 * size + 4096}\n")
            for path in bounded.state.glob("snapshot-*"):
                path.unlink()
            check_snapshots(bounded, program)
            check_other_layout(bounded, program)
        finally:
            full.close()
            bounded.close()
            disk.gone()
    checks.finish(28, "lprofd's files")


if __name__ == "__main__":
    main()
