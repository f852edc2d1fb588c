# SPDX-License-Identifier: GPL-2.0-or-later
"""Native profiles made by hand, for the tests of the page: a small one, a hostile one, a large one."""
import json

import measuring

LONG_NAME = "std::tuple<" * 6000  # 64 KiB
HOSTILE = [
    "</script><script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "<!--<script>",
    "a\u0001b\u001b[31mc\u009bd",
    "left\u202eright\u200b\u2028next",
    "quotes \" ' ` $ { } \\ ; & &lt; \n\t end",
    "__proto__",
    "constructor",
    LONG_NAME,
]


def line(file, number, hits, total_ns, **more):
    return {"file": str(file), "line": number, "hits": hits, "total_ns": total_ns, "self_ns": total_ns, "sites": 1, **more}


def function(name, file="", number=0, calls=0, total_ns=0, **more):
    accounting = {"entries": calls, "exits": calls, "open": 0, "unwound": 0, "untimed": 0, "lost": 0}
    return {"name": name, "linkage_name": name, "file": str(file), "line": number, "calls": calls, "primitive_calls": calls,
            "timed_calls": calls, "total_ns": total_ns, "self_ns": total_ns, "accounting": accounting, "exit": "return", "rate": 1,
            "lines_measured": bool(more.get("lines")), **more}


def profile(functions, **more):
    return {"format": "lprof", "version": 1, "started": "2100-01-01T00:00:00Z", "duration_ns": 2_000_000_000,
            "targets": [{"pid": 7, "command": "./program", "exit_status": 0}], "functions": functions, **more}


def example(source):
    """Three functions in a file that this writes; the hot line is line 7 of work()."""
    source.write_text("".join(f"line {number} of the file\n" for number in range(1, 41)))
    lines = [line(source, 5, 100, 1_000_000, error_ns=1_500_000, self_error_ns=900_000), line(source, 7, 300, 8_000_000, timing="shared"), line(source, 9, 0, 0)]
    frames = [{"name": name, "file": str(source), "line": 1, "image": None} for name in ("main", "work", "rest")]
    return profile([
        function("main", source, 20, 1, 10_000_000, self_ns=1_000_000),
        function("work", source, 4, 100, 9_000_000, lines=lines, max_ns=200_000, min_ns=1000,
                 histogram=[[1023, 40], [131071, 59], [229375, 1]],
                 callers=[{"function": 0, "calls": 100, "primitive_calls": 100, "total_ns": 9_000_000, "self_ns": 9_000_000}],
                 omissions=[{"file": str(source), "line": 8, "reason": "no safe place for a probe"}]),
        function("rest", source, 30, 5, 500_000),
    ], sampling_period_ns=1_000_000, frames=frames, losses=[{"cause": "depth", "count": 12}],
        stacks=[{"frames": [0, 1], "cpu_samples": 60}, {"frames": [0, 2, 1], "cpu_samples": 30}, {"frames": [0], "cpu_samples": 10}])


def hostile(source):
    """Text that a page must not obey, wherever a profile has text."""
    source.write_bytes("\n".join(HOSTILE).encode() + b"\nbefore\0behind\n\xff\xfe malformed\n" + b"x" * 5000 + b"\n")
    count = len(HOSTILE) + 4
    functions = [function(name, source, 1, 10 + at, 1000 * (at + 1), linkage_name=name,
                          lines=[line(source, number, number, 100 * number) for number in range(1, count + 1)],
                          omissions=[{"file": name, "line": 3, "reason": name}]) for at, name in enumerate(HOSTILE)]
    functions.append(function("huge", source, 1, 2 ** 63 - 1, 2 ** 63 - 1, self_ns=1 - 2 ** 63, lines=[line(name, 2 ** 32 - 1, 1, -5) for name in HOSTILE]))
    frames = [{"name": name, "file": name, "line": 1, "image": None} for name in HOSTILE]
    return profile(functions, targets=[{"pid": 7, "command": "".join(HOSTILE), "exit_status": None}],
                   images=[{"path": name, "build_id": name} for name in HOSTILE], sampling_period_ns=1, frames=frames,
                   stacks=[{"frames": list(range(len(HOSTILE))), "cpu_samples": 2 ** 62}],
                   losses=[{"cause": name, "count": 3} for name in HOSTILE])


def sampled(source):
    """CPU samples alone, of three functions: main calls add and, twice, itself, add is at two lines."""
    source.write_text("".join(f"line {number} of the file\n" for number in range(1, 41)))
    frames = [{"name": name, "file": str(source), "line": number, "image": None} for name, number in (("main", 21), ("add", 5), ("add", 6), ("[kernel]", 0))]
    stacks = [([0, 1], 600), ([0, 0, 0, 2], 200), ([0, 3], 150), ([0], 50)]
    rows = [line(source, number, 0, 0, sites=0, cpu_samples=samples, cpu_total_samples=samples) for number, samples in ((5, 600), (6, 200))]
    shared = {"exit": "none", "lines_measured": False}
    return profile([
        function("main", source, 20, cpu_samples=50, cpu_total_samples=1000, **shared,
                 lines=[line(source, 21, 0, 0, sites=0, cpu_samples=50, cpu_total_samples=1000)]),
        function("add", source, 4, cpu_samples=800, cpu_total_samples=800, lines=rows, **shared),
        function("[kernel]", cpu_samples=150, cpu_total_samples=150, **shared),
    ], sampling_period_ns=1_000_000, frames=frames, stacks=[{"frames": stack, "cpu_samples": samples} for stack, samples in stacks])


def both(source):
    """A function whose lines were timed and sampled, and split by state: line 5 computes, line 6 waits."""
    source.write_text("one\n" * 10)
    rows = [line(source, 5, 10, 500_000_000, cpu_samples=400, cpu_total_samples=450, waiting_ns=20_000_000),
            line(source, 6, 10, 500_000_000, cpu_samples=5, cpu_total_samples=5, blocked_ns=480_000_000)]
    return profile([function("work", source, 4, 10, 1_000_000_000, lines=rows, cpu_samples=405, cpu_total_samples=455,
                             waiting_ns=20_000_000, blocked_ns=480_000_000)], sampling_period_ns=1_000_000, off_cpu=True)


def uncalled(source):
    source.write_text("one\n" * 10)
    return profile([function("never", source, 4, lines=[line(source, 5, 0, 0)])])


def large(source, lines=10_000, functions=5_000):
    source.write_text("".join(f"\tvalue_{number} = compute(value_{number - 1});\n" for number in range(1, lines + 1)))
    rows = [line(source, number, number, number % 100 * 1000 + (10 ** 9 if number == lines - 100 else 0)) for number in range(1, lines + 1)]
    small = [function(f"function_{number}", source, 1, number, number * 1000) for number in range(1, functions)]
    return profile([function("big", source, 1, 1, sum(row["total_ns"] for row in rows), lines=rows), *small])


def export(directory, made, name):
    """The page of a profile that `made` gives for a source file, and the native profile as lprof reads it."""
    source = directory / f"{name}.c"
    native, page = directory / f"{name}.json", directory / f"{name}.html"
    native.write_text(json.dumps(made(source)))
    measuring.succeed([measuring.LPROF, "export", native, "-o", page])
    return page, json.loads(measuring.succeed([measuring.LPROF, "report", "--json", native]).stdout)
