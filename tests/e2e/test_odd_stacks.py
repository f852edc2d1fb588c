#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples where names and stacks are hard to have: in code made at run time, with the names that its program
gives in its perf map, fit for print or not; in programs without symbols, deleted ones, and too deep down."""
import json
import pathlib
import pstats
import re
import shutil
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402

MS = 200
NAME_MAX, DEPTH = 1024, 400
PLAIN, HOSTILE = "LazyCompile:*plain file.js:7", "</script><b>\"';;\\\x1b[31m\t\x01"


def run(directory, program, *arguments, files=("x.json",)):
    outputs = [argument for name in files for argument in ("-o", pathlib.Path(directory) / name)]
    measuring.succeed([measuring.LPROF, "run", "--cpu=999", *outputs, "--", program, *arguments])
    return json.loads((pathlib.Path(directory) / "x.json").read_text())


def samples(profile, name):
    return sum(function["cpu_samples"] for function in profile["functions"] if function["name"] == name)


def near(checks, profile, found, what):
    """So many samples as MS of CPU time take."""
    wanted = MS * 1000000 / profile["sampling_period_ns"]
    checks.that(abs(found - wanted) <= 0.1 * wanted + 5, f"{what}: {found} samples, not {wanted:.0f}")


def losses(profile, cause):
    return sum(loss["count"] for loss in profile["losses"] if loss["cause"] == cause)


def test_made_code(checks, program):
    files = ["x.json", "x.folded", "x.speedscope.json", "x.html", "x.txt", "x.callgrind", "x.prof", "x.pb.gz", "x.lprof"]
    with measuring.scratch() as directory:
        profile = run(directory, program, MS, "jit", files=files)
        check_names(checks, profile)
        check_formats(checks, profile, pathlib.Path(directory))


def check_names(checks, profile):
    found = measuring.functions(profile)
    near(checks, profile, samples(profile, PLAIN), "named code")
    near(checks, profile, samples(profile, "[anonymous]"), "code without a name")
    hostile = [name for name in found if name.startswith(HOSTILE)]
    checks.equal([len(name) for name in hostile], [NAME_MAX], "the long name's length")
    near(checks, profile, samples(profile, hostile[0]) if hostile else 0, "hostile name")
    whole = sum(stack["cpu_samples"] for stack in profile["stacks"]
                if [profile["frames"][frame]["name"] for frame in stack["frames"]][-2:] == ["spend_in", PLAIN])
    checks.that(whole >= 0.9 * samples(profile, PLAIN), f"only {whole} samples of named code have their caller")


def check_formats(checks, profile, directory):
    total = sum(stack["cpu_samples"] for stack in profile["stacks"])
    period = profile["sampling_period_ns"]
    folded = (directory / "x.folded").read_text()
    weights = [int(re.fullmatch(r"(.*) (\d+)", line)[2]) for line in folded.splitlines()]
    checks.that(sum(weights) in (total, total * period), f".folded: {sum(weights)} in all, not {total}")
    checks.that(PLAIN in folded, ".folded: the plain name")
    scope = json.loads((directory / "x.speedscope.json").read_text())
    checks.that(PLAIN in [frame["name"] for frame in scope["shared"]["frames"]], ".speedscope.json: the plain name")
    page = (directory / "x.html").read_text()
    checks.that("LazyCompile:*plain" in page and "</script><b>" not in page, ".html: escaped")
    for name in ("x.folded", "x.txt", "x.callgrind", "x.html"):
        text = (directory / name).read_text()
        checks.that(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), f"{name}: control characters")
        checks.that(max(map(len, re.findall("n+", text)), default=0) <= NAME_MAX, f"{name}: the long name is not cut")
    checks.that("LazyCompile:*plain" in (directory / "x.txt").read_text(), ".txt: the plain name")
    checks.that("LazyCompile:*plain" in (directory / "x.callgrind").read_text(), ".callgrind: the plain name")
    stats = pstats.Stats(str(directory / "x.prof")).stats
    checks.that(any("LazyCompile:*plain" in name for _, _, name in stats), ".prof: the plain name")
    for name in ("x.lprof", "x.pb.gz"):
        back = measuring.succeed([measuring.LPROF, "report", "--json", directory / name]).stdout
        checks.that(any(PLAIN == function["name"] for function in json.loads(back)["functions"]), f"{name}: read back")


def test_deleted(checks, program):
    """The file was opened when it was first seen: its names are known though it is gone."""
    with measuring.scratch() as directory:
        copy = shutil.copy(program, pathlib.Path(directory) / "gone")
        profile = run(directory, copy, MS, "deleted")
        checks.that(not copy.exists(), "deleted: it is still there")
    near(checks, profile, samples(profile, "spend_here"), "deleted")


def test_without_symbols(checks, directory):
    """One row by the image's name, and stacks all the same."""
    program = measuring.build(directory, "odd_stacks.c", "gcc", "-O2", "-s")
    profile = run(directory, program, MS, "deep")
    near(checks, profile, samples(profile, f"[{program.name}]"), "without symbols")


def test_deep(checks, program):
    """A stack deeper than the kernel's walk: cut off, said and counted."""
    with measuring.scratch() as directory:
        profile = run(directory, program, MS, "deep", files=("x.json", "x.txt"))
        text = (pathlib.Path(directory) / "x.txt").read_text()
    found = samples(profile, "spend_here")
    near(checks, profile, found, "deep")
    cut = sum(stack["cpu_samples"] for stack in profile["stacks"]
              if profile["frames"][stack["frames"][0]]["name"] == "[cut off]")
    checks.that(cut >= found, f"deep: only {cut} of {found} stacks are cut off")
    checks.equal(losses(profile, "stack_cut"), cut, "deep: stacks cut, in the losses")
    checks.that(re.search(rf"\b{cut}\b.*stack", text), "deep: the report does not say how many stacks were cut")
    checks.that(max(len(stack["frames"]) for stack in profile["stacks"]) < DEPTH, "deep: too many frames")


def main():
    measuring.need_measuring()
    checks = measuring.Checks()
    program = measuring.built("odd_stacks", "gcc-O2")
    test_made_code(checks, program)
    test_deleted(checks, program)
    test_deep(checks, program)
    with measuring.scratch() as directory:
        test_without_symbols(checks, directory)
    checks.finish(25, "odd stacks")


main()
