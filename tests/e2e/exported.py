# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of other tools' formats share: profiles, and what their functions must show there."""
import json
import pathlib
import re
import subprocess

import measuring

EXAMPLE = measuring.TOP / "tests" / "fuzz" / "corpus" / "json" / "example.json"
SHAPES = ("-f", "shapes.c:*", "-l", "main", "-l", "count_words", "-l", "work_on_trees", "-l", "apply")


HOSTILE = ['quote"\'', "markup <b>&amp;</b>", "semi;colon", "new\nline\r", "escape\x1b[31m", "(7) bracket", "calls=7 1",
           " spaces ", "tab\t", "bidi\u202e", "", "fn=(1)", "percent %s", "x" * 65536, "x" * 65535 + "y"]


def run(command, **options):
    """A reader's output, or None where it failed."""
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False,
                           **options)
    return ended


def load(path):
    return json.loads(pathlib.Path(path).read_text())


def export(profile_path, output):
    measuring.succeed([measuring.LPROF, "export", profile_path, "-o", output])
    return output


def write_hostile(path):
    """The example with functions of hostile names, all below main; their number."""
    profile = load(EXAMPLE)
    add = next(function for function in profile["functions"] if function["name"] == "add")
    for number, name in enumerate(HOSTILE):
        lines = [dict(line, file=name) for line in add["lines"]]
        profile["functions"].append(dict(add, name=name, linkage_name=name, file=name, line=3 + number, lines=lines))
    path.write_text(json.dumps(profile))
    return len(HOSTILE)


def profiles(directory):
    """(what, path of the .json): the example, and where measuring can be had a real run."""
    yield "the example", EXAMPLE
    if not measuring.why_not_measuring():
        path = pathlib.Path(directory) / "shapes.json"
        program = measuring.built("shapes", "gcc-O2")
        measuring.succeed([measuring.LPROF, "run", *SHAPES, "-o", path, "--", program, "3"])
        yield "a run of shapes", path
        path = pathlib.Path(directory) / "sampled.json"
        measuring.succeed([measuring.LPROF, "run", "--cpu=4000", "-o", path, "--", program, "4000"])
        if load(path)["stacks"]:
            yield "a sampled run", path


def is_timed(profile):
    return any(function["calls"] or function["total_ns"] for function in profile["functions"])


def near(found, wanted, digits=9):
    """Equal within what a reader prints."""
    return abs(found - wanted) <= 0.51 * 10 ** -digits


def pprof(checks, what, path, *options):
    """What `go tool pprof` prints of a profile, or of the sum of several."""
    paths = path if isinstance(path, list) else [path]
    ended = run(["go", "tool", "pprof", *options, *paths], cwd=measuring.TOP)
    checks.equal(ended.returncode, 0, f"{what}: pprof {' '.join(options)}: {ended.stderr}")
    return ended.stdout


def read_raw(checks, what, path):
    """[(values by type, [(function, file, line), innermost first])], and the comments."""
    text = pprof(checks, what, path, "-raw")
    head, body = text.split("Samples:\n")
    samples, rest = body.split("Locations\n")
    names = re.sub(r"\[dflt\]", "", samples.splitlines()[0]).split()
    wanted = ["calls/count", "hits/count", "wall/nanoseconds", "self/nanoseconds", "cpu/nanoseconds"]
    checks.that(names in (wanted, [*wanted, "blocked/nanoseconds", "waiting/nanoseconds"]), f"{what}: types {names}")
    places = {}
    for line in rest.split("Mappings")[0].splitlines():
        found = re.match(r" *(\d+): 0x0 (?:M=\d+ )?(.*) (\S*):(\d+) s=\d+", line)
        if checks.that(found, f"{what}: location {line!r}"):
            places[int(found[1])] = (found[2], found[3], int(found[4]))
    rows = []
    for line in samples.splitlines()[1:]:
        values, stack = line.split(":")
        rows.append((dict(zip((name.split('/')[0] for name in names), map(int, values.split()))), [places[int(at)] for at in stack.split()]))
    return rows, head, rest.split("Mappings")[1]
