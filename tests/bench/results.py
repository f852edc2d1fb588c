# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks found: printed as it comes, written to docs/BENCHMARKS.md, to the README's table of costs and
to a store of ratios, which `make bench-check` compares with."""
import datetime
import json
import re
import statistics
import sys

sys.dont_write_bytecode = True
import programs  # noqa: E402,F401  (puts tests/e2e on the path)
import measuring  # noqa: E402

REPORT = measuring.TOP / "docs" / "BENCHMARKS.md"
STORE = measuring.TOP / "tests" / "bench" / "ratios.json"
README = measuring.TOP / "README.md"
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"
TOOLS = ("lprof", "bpftrace", "funclatency", "uftrace", "perf record", "callgrind")
SPREADS, LEAST_SHARE = 3, 0.10  # a ratio may rise by so many spreads, and by this share at least


def spread(values):
    """How far half of the values lie from their median."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


class Results:
    """Sections of rows: what, result, limit, and whether it is kept; with them the ratios and costs to keep."""

    def __init__(self):
        self.sections, self.ratios, self.costs = [], {}, {}

    def section(self, title, text):
        print(f"\n{title}")
        self.sections.append((title, text, []))

    def row(self, what, result, limit="", kept=None):
        verdict = "" if kept is None else "ok" if kept else "MISSED"
        print(f"  {what:<62} {result:>22}  {limit:<24} {verdict}".rstrip(), flush=True)
        self.sections[-1][2].append((what, result, limit, verdict))

    def left_out(self, what, reason):
        self.row(what, "not measured", reason)

    def ratio(self, what, values, limit=None):
        """A ratio found once a round, smaller being better."""
        middle = statistics.median(values)
        self.row(what, f"{middle:.2f}", f"at most {limit}" if limit else "", middle <= limit if limit else None)
        self.ratios[what] = {"ratio": round(middle, 4), "spread": round(spread(values), 4)}

    def cost(self, case, tool, text):
        """What a tool costs in a case, for the README."""
        self.costs.setdefault(case, {})[tool] = text

    def markdown(self):
        """By title."""
        return {title: "\n".join([f"## {title}\n\n{text}\n\n| what | result | limit | |\n|---|---|---|---|",
                                  *("| " + " | ".join(row) + " |" for row in rows)]) for title, text, rows in self.sections}


def load_store():
    return json.loads(STORE.read_text()) if STORE.exists() else {"machine": "", "ratios": {}, "costs": {}}


def cost_table(costs):
    tools = [tool for tool in TOOLS if any(tool in by_tool for by_tool in costs.values())]
    yield f"| | {' | '.join(tools)} |"
    yield "|---" * (len(tools) + 1) + "|"
    for case, by_tool in costs.items():
        yield f"| {case} | {' | '.join(by_tool.get(tool, '') for tool in tools)} |"


def write(results, machine):
    """What was not measured now stays as it was, if that was on this machine."""
    store, sections = load_store(), {}
    if store["machine"] == machine:
        sections = {text.split("\n")[0]: "## " + text.rstrip() for text in REPORT.read_text().split("\n## ")[1:]}
    else:
        store = {"machine": machine, "ratios": {}, "costs": {}}
    sections |= results.markdown()
    store["ratios"] |= results.ratios
    store["costs"] |= results.costs
    heading = ["# Benchmarks", "", "What `make bench` found, which writes this file. Limits are the project's own; a busy machine misses those in",
               "seconds, while ratios hold.", "", f"Machine: {machine}. Date: {datetime.date.today()}.", ""]
    REPORT.write_text("\n".join(heading) + "\n" + "\n\n".join(sections.values()) + "\n")
    STORE.write_text(json.dumps(store, indent=1) + "\n")
    before, rest = README.read_text().split(BEGIN)
    table = "\n".join(cost_table(store["costs"]))
    README.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}")


def regressions(results):
    """Ratios that rose beyond what both runs' spread explains, as sentences; and how many were compared."""
    stored, found, compared = load_store()["ratios"], [], 0
    for what, now in results.ratios.items():
        if what not in stored:
            continue
        compared += 1
        then = stored[what]
        tolerance = max(SPREADS * (then["spread"] + now["spread"]), LEAST_SHARE * then["ratio"])
        if now["ratio"] > then["ratio"] + tolerance:
            found.append(f"{what}: {now['ratio']:.2f}, stored {then['ratio']:.2f} (tolerance {tolerance:.2f})")
    return found, compared
