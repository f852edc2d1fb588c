# SPDX-License-Identifier: GPL-2.0-or-later
"""Where CPU time goes, by perf and by lprof: shares of all samples, by function and by line.

perf names functions and lines by binutils' addr2line; its samples of the kernel are one row, as lprof's.
"""
import json
import math
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402

HZ = 999
KERNEL = "[kernel]"


def clone_of(name):
    """The source function of a compiler's clone."""
    return re.sub(r"\.(part|constprop|isra|cold|lto_priv)(\.\d+)*(?=\.|$)|@.*", "", name)


def add(shares, key, samples=1):
    shares[key] = shares.get(key, 0) + samples


def as_shares(*tallies):
    return [{key: samples / max(1, sum(tally.values())) for key, samples in tally.items()} for tally in tallies]


def innermost(addresses):
    """By (file, address): the innermost function there, as addr2line has it."""
    found = {}
    for file in {file for file, _ in addresses}:
        inside = sorted(address for where, address in addresses if where == file)
        text = measuring.command(["addr2line", "-f", "-i", "-a", "-e", file], timeout=900,
                                 input="".join(f"{address:#x}\n" for address in inside)).stdout
        for block in re.split(r"^(?=0x)", text, flags=re.M):
            lines = block.split("\n")
            if len(lines) > 1:
                found[file, int(lines[0], 16)] = lines[1]
    return found


def by_perf(directory, command, **options):
    """(functions, lines, number of samples) as shares of perf's samples."""
    data = pathlib.Path(directory) / "perf.data"
    measuring.succeed(["perf", "record", "-q", "-g", "-F", HZ, "-e", "cpu-clock", "-o", data, "--", *command], **options)
    text = measuring.succeed(["perf", "script", "-i", data, "--max-stack=1", "--no-inline", "-F", "ip,sym,dso,srcline"], timeout=900).stdout
    places = [(int(address, 16), clone_of(symbol), dso, line.split("/")[-1]) for address, symbol, dso, line in
              re.findall(r"^\s*([0-9a-f]+) (.*) \((.*)\)\n\s+(\S+)$", text, re.M)]
    names = innermost({(dso, address) for address, _, dso, _ in places if address >> 63 == 0 and dso.startswith("/")})
    functions, lines = {}, {}
    for address, symbol, dso, line in places:
        name = names.get((dso, address), "??")
        add(functions, KERNEL if address >> 63 else clone_of(symbol if name == "??" else name))
        add(lines, KERNEL if address >> 63 else line)
    return (*as_shares(functions, lines), len(places))


def by_lprof(profile):
    functions, lines = {}, {}
    for function in profile["functions"]:
        if not function["cpu_samples"]:
            continue
        add(functions, clone_of(function["name"]), function["cpu_samples"])
        rest = function["cpu_samples"]
        for line in function["lines"]:
            if line["cpu_samples"]:
                add(lines, f"{line['file'].split('/')[-1]}:{line['line']}", line["cpu_samples"])
                rest -= line["cpu_samples"]
        if rest:
            add(lines, function["name"], rest)
    samples = sum(functions.values())
    return (*as_shares(functions, lines), samples)


def sampled(command, *options, **others):
    """lprof's profile of a command that is sampled."""
    with measuring.scratch() as directory:
        path = pathlib.Path(directory) / "x.json"
        measuring.succeed([measuring.LPROF, "run", f"--cpu={HZ}", *options, "-o", path, "--", *command], **others)
        return json.loads(path.read_text())


def without_kernel(shares):
    """Shares of the rest: what else a machine does is in the kernel's, so that two runs have different ones."""
    rest = 1 - shares.get(KERNEL, 0)
    return {key: share / rest for key, share in shares.items() if key != KERNEL}


def top(shares, count=10):
    return sorted(shares, key=lambda key: -shares[key])[:count]


def noise(share, samples):
    """Three standard errors of the difference of two shares, each of so many samples."""
    return 3 * math.sqrt(2 * share * (1 - share) / samples)


def compare(perf, lprof, samples, count=10):
    """(how many of perf's top list are in lprof's, largest difference of shares in either list, where).

    One that is nearly as large as the last in lprof's list is in it: they change places from run to run.
    """
    wanted, found = top(perf, count), top(lprof, count)
    last = lprof[found[-1]]
    same = sum(key in found or lprof.get(key, 0) >= last - noise(last, samples) for key in wanted)
    worst = max(((abs(perf.get(key, 0) - lprof.get(key, 0)), key) for key in {*wanted, *found}), default=(1, "nothing"))
    return same, *worst


def whole_stacks(profile, starts=("_start", "main", "clone3", "__clone3", "start_thread")):
    """Share of the samples outside probes whose stack begins where its thread did."""
    samples = whole = 0
    for stack in profile["stacks"]:
        names = [profile["frames"][frame]["name"] for frame in stack["frames"]]
        if names == ["[probes]"]:
            continue
        samples += stack["cpu_samples"]
        whole += stack["cpu_samples"] * (names[0] in starts)
    return whole / max(1, samples)
