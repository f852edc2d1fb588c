#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""speedscope itself, in a browser, imports our .speedscope.json, .folded and .pb.gz, and shows their times.

It comes from npm, once, into the build directory; without npm or network this test is skipped.
"""
import base64
import collections
import json
import pathlib
import re
import sys
import time

sys.dont_write_bytecode = True
import browser  # noqa: E402
import exported  # noqa: E402
import measuring  # noqa: E402

VERSION = "1.25.0"
HOME = measuring.BUILD / "npm" / f"speedscope-{VERSION}"
PAGE = HOME / "node_modules" / "speedscope" / "dist" / "release" / "index.html"
UNITS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "": 1}
SLOW_SECONDS = 60


def need_speedscope():
    if PAGE.exists():
        return
    measuring.need_tools("npm")
    HOME.mkdir(parents=True, exist_ok=True)
    ended = exported.run(["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund",
                          f"speedscope@{VERSION}"], cwd=HOME)
    if ended.returncode or not PAGE.exists():
        measuring.skip(f"speedscope cannot be had: {ended.stderr.strip().splitlines()[-1:]}")


def until(page, what, expression):
    """Waits for the page; ends the test where it does not come to that."""
    end = time.monotonic() + SLOW_SECONDS
    while not page.run(expression):
        if time.monotonic() > end:
            print(f"FAILED: {what}: {page.run('document.body.innerText')!r} {page.complaints}")
            sys.exit(1)
        time.sleep(0.1)


def open_file(page, path, directory):
    """Has speedscope import a file, as its own command does, and show its table."""
    script = directory / f"{path.name}.js"
    content = base64.b64encode(path.read_bytes()).decode()
    script.write_text(f"speedscope.loadFileFromBase64({json.dumps(path.name)}, '{content}')")
    page.open("about:blank")
    page.open(f"{PAGE.as_uri()}#localProfilePath={script}")
    until(page, path.name, "document.body.innerText.includes('Sandwich')")
    page.key("3")
    until(page, path.name, "document.body.innerText.includes('Symbol Name')")


def shown(page):
    """The rows of the table, [(name, total, own)], each number as the range that it stands for."""
    rows = []
    for cells in page.run("[...document.querySelectorAll('tr')].map((row) => [...row.children].map((each) => each.innerText.trim()))"):
        numbers = [re.match(r"^([\d.,]+)\s*(ns|µs|ms|s|)\s*\(", cell) for cell in cells[:2]]
        if len(cells) >= 3 and all(numbers):
            ranges = []
            for number in numbers:
                text = number[1].replace(",", "")
                half = 0.51 * 10 ** -len(text.partition(".")[2])
                ranges.append(((float(text) - half) * UNITS[number[2]], (float(text) + half) * UNITS[number[2]]))
            rows.append((cells[2], *ranges))
    return rows


def wanted(stacks):
    """{frame: [total, own]} of {(frame, ...): weight}."""
    numbers = collections.defaultdict(lambda: [0, 0])
    for stack, weight in stacks:
        for frame in set(stack):
            numbers[frame][0] += weight
        numbers[stack[-1]][1] += weight
    return numbers


def check_table(checks, what, page, numbers, name_of):
    """Every frame is there with its numbers; blanks around names are not shown."""
    rows = shown(page)
    expected = sorted(name_of(frame).strip() for frame in numbers)
    different = collections.Counter(row[0] for row in rows)
    different.subtract(expected)
    checks.that(not any(different.values()), f"{what}: frames {[(name[:40], by) for name, by in different.items() if by]}")
    for frame, (total, own) in numbers.items():
        found = [row[1:] for row in rows if row[0] == name_of(frame).strip()]
        checks.that(any(row[0][0] <= total <= row[0][1] and row[1][0] <= own <= row[1][1] for row in found),
                    f"{what}: {name_of(frame)[:40]}: {total} and {own} are not in {found}")


def test_speedscope_file(checks, page, what, source, directory):
    path = exported.export(source, directory / "x.speedscope.json")
    file = json.loads(path.read_text())
    frames = file["shared"]["frames"]
    open_file(page, path, directory)
    checks.that(page.run("document.title").endswith("speedscope"), f"{what}: title {page.run('document.title')!r}")
    for at, view in enumerate(file["profiles"]):
        title = view["name"] + (f" ({at + 1}/{len(file['profiles'])})" if len(file["profiles"]) > 1 else "")
        until(page, f"{what}: {title}", f"document.body.innerText.includes({json.dumps(title)})")
        stacks = [(stack, weight) for stack, weight in zip(view["samples"], view["weights"])]
        check_table(checks, f"{what}: {view['name']}", page, wanted(stacks), lambda frame: frames[frame]["name"])
        page.key("n")


def test_folded_file(checks, page, what, source, directory):
    path = exported.export(source, directory / "x.folded")
    open_file(page, path, directory)
    stacks = []
    for line in path.read_text().splitlines():
        names, weight = line.rsplit(" ", 1)
        stacks.append((tuple(names.split(";")), int(weight)))
    check_table(checks, f"{what}, folded", page, wanted(stacks), lambda frame: frame)


def test_pprof_file(checks, page, what, source, directory):
    """It shows the values of one type: those without callees."""
    open_file(page, exported.export(source, directory / "x.pb.gz"), directory)
    names = {row[0] for row in shown(page)}
    for function in exported.load(source)["functions"]:
        if function["self_ns"] > 0:
            checks.that(function["name"] in names, f"{what}, pprof's: {function['name']} is not in {names}")


def main():
    browser.find()
    need_speedscope()
    checks = measuring.Checks()
    with measuring.scratch() as scratch, browser.Browser(1600, 4000) as page:
        directory = pathlib.Path(scratch)
        for what, source in exported.profiles(directory):
            test_speedscope_file(checks, page, what, source, directory)
            test_folded_file(checks, page, what, source, directory)
            test_pprof_file(checks, page, what, source, directory)
        exported.write_hostile(directory / "hostile.json")
        test_speedscope_file(checks, page, "hostile names", directory / "hostile.json", directory)
    checks.finish(60, "speedscope's tables")


main()
