#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The page in a real browser: tables, searches, keys, the flame graph, hostile text, ten thousand lines, phones and paper."""
import json
import os
import pathlib

import browser
import measuring
import page_profiles

SLOW_SECONDS = 5  # any one step, on the slowest machine that runs tests


def names(page):
    return page.run("[...document.querySelectorAll('.functions .row a')].map((each) => each.textContent)")


def rows(page, number):
    """The cells of the rows of that line, by the heads above them."""
    return page.run("(() => { const heads = [...document.querySelectorAll('.source .head > *')].map((each) => each.textContent);"
                    f"return [...document.querySelectorAll('.source .row[data-line=\"{number}\"]')].map((row) => Object.fromEntries("
                    "[...row.children].map((cell, at) => [heads[at], cell.textContent]))); })()")


def where(page):
    return page.run("location.hash")


def check_functions(checks, page):
    checks.equal(page.run("document.title"), "./program – lprof", "title")
    checks.equal(names(page), ["main", "work", "rest"], "functions by total time")
    heads = page.text(".functions .head > *")
    checks.equal([head.split(" (")[0].strip(" ▾▴") for head in heads],
                 ["Calls", "Self", "per call", "Total", "per call", "Function"], "columns")
    checks.that("12 calls nested deeper than the frame stack" in page.run("main.innerText"), "a loss is not told of")
    page.click(".head > :nth-child(2)")
    checks.equal(names(page), ["work", "main", "rest"], "a click on Self")
    page.click(".head > :nth-child(2)")
    checks.equal(names(page), ["rest", "main", "work"], "another click on Self")
    page.click(".head > :last-child")
    checks.equal(names(page), ["main", "rest", "work"], "by name")
    page.key("/")
    page.type("ORK")
    checks.equal(names(page), ["work"], "a search")
    checks.equal(page.text("#matches"), ["1 of 3 functions"], "what the search says")
    page.key("Escape")
    checks.equal(names(page), ["main", "rest", "work"], "the end of the search")
    page.key("ArrowDown")
    page.key("ArrowDown")
    page.key("ArrowDown")
    page.key("Enter")
    checks.equal(where(page), "#/function/1", "rows by keys, opened by Enter")


def check_function(checks, page, source):
    checks.equal(page.text("h2"), ["work"], "the function's name")
    hot = rows(page, 7)[0]
    checks.equal((hot["Hits"], hot["Time (µs)"].replace("\u202f", ""), hot["% Time"]), ("300", "8000.0", "88.9"), "the hot line")
    checks.equal(hot["Source"], source.read_text().splitlines()[6], "the hot line's source")
    heats = page.run("[...document.querySelectorAll('.source .row')].map((row) => Number(row.querySelector('.code').style.getPropertyValue('--heat')))")
    checks.equal(max(range(len(heats)), key=heats.__getitem__), 3, f"the hottest row: {heats}")
    checks.equal([row["Hits"] for number in (4, 5, 9) for row in rows(page, number)], ["", "100", "0"], "hits")
    unsure = {key.split(" (")[0]: text.replace("\u202f", "") for key, text in rows(page, 5)[0].items()}
    checks.equal([unsure[key] for key in ("Time", "Per hit", "% Time")], ["<2500.0", "<25000.0", "<27.8"], "a time that drowns in its error")
    checks.equal(page.run("document.querySelector('.row[data-line=\"5\"] .time').title"), "1 ms ± 1.5 ms", "the error of a time")
    checks.that("drowns in the error" in page.run("document.querySelector('main').textContent"), "what < means")
    checks.that("not counted: no safe place" in rows(page, 8)[0]["Source"], f"a line that was not counted: {rows(page, 8)}")
    checks.equal(page.run("document.querySelectorAll('.histogram > *').length"), 3, "bars of the histogram")
    checks.equal([head for head in page.text("h3") if head.startswith("Call")], ["Callers"], "callers and callees")
    page.key("n")
    checks.equal(page.run("document.querySelector('.current').dataset.line"), "5", "the first line of a twentieth and more")
    page.key("n")
    checks.equal(page.run("document.querySelector('.current').dataset.line"), "7", "the next one")
    page.click(".edges a")
    checks.equal(where(page), "#/function/0", "a click on the caller")
    checks.equal([head for head in page.text("h3") if head.startswith("Call")], ["Callees"], "its callees")
    page.key("Escape")
    checks.equal(where(page), "#/function/1", "back")
    page.click("#nav-flame")


def bars(page):
    return page.run("[...document.querySelectorAll('.flame button')].map((each) => [each.getAttribute('aria-label'), parseFloat(each.style.width)])")


def check_flame(checks, page):
    wanted = [["main, 100 samples, 100 ms", 100], ["work, 60 samples, 60 ms", 60], ["rest, 30 samples, 30 ms", 30], ["work, 30 samples, 30 ms", 30]]
    checks.equal(sorted(bars(page)), sorted(wanted), "the flame graph of the sampled stacks")
    page.click("#search")
    page.type("work")
    checks.equal(page.text("#matches"), ["Matched: 90.0%"], "samples under either bar of a name")
    checks.equal(page.run("document.querySelectorAll('.flame .found').length"), 2, "marked bars")
    page.key("Escape")
    checks.equal(page.text("#matches"), [""], "the search's end")
    page.click("[aria-label^='rest']")
    zoomed = [["main, 100 samples, 100 ms", 100], ["rest, 30 samples, 30 ms", 100], ["work, 30 samples, 30 ms", 100]]
    checks.equal(sorted(bars(page)), sorted(zoomed), "a click zooms")
    page.key("ArrowDown")
    checks.equal(page.text("#frame"), ["work: 30 samples, 30 ms, 30.0%"], "keys step to the callee")
    page.key("ArrowUp")
    page.key("ArrowUp")
    page.key("Enter")
    checks.equal(len(bars(page)), 4, "Enter on the outermost zooms out")
    page.click("[aria-label^='rest']")
    page.key("Escape")
    checks.equal(len(bars(page)), 4, "Escape zooms out")
    page.run("document.activeElement.blur()")
    page.key("ArrowDown")
    checks.equal(page.text("#frame"), ["main: 100 samples, 100 ms, 100.0%"], "the first arrow key, wherever the focus was")
    page.key("f")
    page.key("r")
    checks.equal(where(page), "#/run", "the run by its key")
    checks.that("./program (process 7, exit status 0)" in page.run("main.innerText"), "the command")


def luminance(page, selector="body"):
    color = page.run(f"getComputedStyle(document.querySelector({json.dumps(selector)})).backgroundColor")
    return sum(int(part) for part in color.strip("rgba()").split(",")[:3]) / 3


def check_looks(checks, page, directory):
    """Light and dark, a phone's width, paper."""
    page.run("location.hash = '#/function/1'")
    page.drawn()
    page.prefer("light")
    checks.that(luminance(page) > 200, "light is not light")
    page.prefer("dark")
    checks.that(luminance(page) < 60, "dark is not dark")
    page.prefer("light")
    page.resize(390, 844, mobile=True)
    for view in ("#/functions", "#/function/1", "#/flame", "#/run"):
        page.run(f"location.hash = '{view}'")
        page.drawn()
        checks.that(page.run("document.documentElement.scrollWidth") <= 390, f"{view} is wider than a phone")
    page.resize(794, 1123)  # A4
    page.call("Emulation.setEmulatedMedia", media="print")
    page.run("location.hash = '#/function/1'")
    page.drawn()
    checks.that(page.run("document.documentElement.scrollWidth") <= 794, "wider than paper")
    checks.equal(page.run("[...new Set([...document.querySelectorAll('.source .head .narrow-off')].map((each) => each.offsetHeight))]"), [0],
                 "columns that paper is too narrow for")
    checks.equal(page.run("['nav', '#search', '#keys'].filter((each) => document.querySelector(each).offsetHeight)"), [], "controls on paper")
    page.call("Emulation.setEmulatedMedia", media="")
    page.resize(1200, 800)
    page.print_to(directory / "page.pdf")
    checks.that((directory / "page.pdf").read_bytes().startswith(b"%PDF"), "no paper")


def check_two_levels(checks, page, directory):
    """Without sampled stacks the graph knows direct callers alone, and draws no more."""
    path, _ = page_profiles.export(directory, lambda source: {**page_profiles.example(source), "stacks": []}, "unsampled")
    page.open(path.as_uri() + "#/flame")
    wanted = [["main, 9 ms", 100], ["work, 9 ms", 100]]
    checks.equal(bars(page), wanted, "the graph of callers")
    checks.that("no deeper" in page.run("main.innerText"), "the graph of callers does not say what it is")


def cells(page, table):
    """The texts of a table's rows."""
    return page.run(f"[...document.querySelectorAll({json.dumps(table)} + ' .row')].map((row) => [...row.children].map((cell) => cell.textContent.split('  ')[0].replaceAll('\u202f', '')))")


def check_sampled(checks, page, directory):
    """CPU samples: alone, and beside exact times."""
    path, _ = page_profiles.export(directory, page_profiles.sampled, "sampled")
    page.open(path.as_uri())
    checks.equal([head.split(" (")[0].strip(" ▾▴") for head in page.text(".functions .head > *")], ["CPU self", "% self", "CPU total", "Function"],
                 "columns where nothing was timed")
    checks.equal(cells(page, ".functions"), [["800.0", "80.0", "800.0", "add"], ["150.0", "15.0", "150.0", "[kernel]"], ["50.0", "5.0", "1000.0", "main"]],
                 "functions by CPU time of their own")
    page.click(".functions .row a")
    checks.equal([(row["Line"], row["CPU self (ms)"], row["Source"]) for number in (5, 6) for row in rows(page, number)],
                 [("5", "600.0", "line 5 of the file"), ("6", "200.0", "line 6 of the file")], "sampled lines")
    checks.equal(page.text("h3")[:1], ["Callers in sampled stacks"], "what is told of a sampled function")
    checks.equal(cells(page, ".edges"), [["800.0", "100.0", "main"]], "callers in sampled stacks")
    page.click(".edges a")
    checks.equal(cells(page, "section:nth-of-type(1) > .box > .edges"), [["200.0", "20.0", "main"]], "a recursive caller")
    checks.equal(cells(page, "section:nth-of-type(2) > .box > .edges"), [["800.0", "80.0", "add"], ["200.0", "20.0", "main"], ["150.0", "15.0", "[kernel]"]],
                 "callees in sampled stacks: a stack counts once")
    path, _ = page_profiles.export(directory, page_profiles.both, "both")
    page.open(path.as_uri() + "#/function/0")
    checks.equal([row["% on CPU"] for number in (5, 6) for row in rows(page, number)], ["90.0", "1.0"], "shares of the lines' times on a CPU")
    few = page_profiles.both(directory / "few.c")
    for count, periods, share in ((1, 0.1, ""), (0, 40, "<7.5"), (430, 400, "100.0"), (300, 400, "75.0")):
        few["functions"][0]["lines"][0].update(cpu_total_samples=count, total_ns=int(periods * 1e6))
        found = page.run(f"cpuShare({{profile: {json.dumps(few)}}}, {json.dumps(few['functions'][0])}, {json.dumps(few['functions'][0]['lines'][0])})")
        checks.equal(found, share, f"the share of {count} samples in {periods} periods")
    states = ["On CPU (ms)", "Waiting (ms)", "Blocked (ms)"]
    checks.equal([[row.get(state) for state in states] for number in (5, 6) for row in rows(page, number)],
                 [["480.0", "20.0", "0.0"], ["20.0", "0.0", "480.0"]], "states of the lines' times")
    checks.that("1 s: 500 ms on CPU, 20 ms waiting for one, 480 ms blocked" in page.run("main.innerText"), "states of the function's time")
    page.resize(794, 1123)
    page.call("Emulation.setEmulatedMedia", media="print")
    checks.that(page.run("document.documentElement.scrollWidth") <= 794, "all columns are wider than paper")
    page.call("Emulation.setEmulatedMedia", media="")
    page.resize(1200, 800)
    page.open((directory / "example.html").as_uri() + "#/function/1")
    checks.that(not any("Blocked" in head for head in page.text(".source .head > *")), "states where nobody looked")


def check_hostile(checks, page, directory):
    path, native = page_profiles.export(directory, page_profiles.hostile, "hostile")
    page.open(path.as_uri())
    checks.equal(len(names(page)), len(page_profiles.HOSTILE) + 1, "hostile functions")
    for view in ("functions", "flame", "run", *(f"function/{index}" for index in range(len(native["functions"])))):
        page.run(f"location.hash = '#/{view}'")
        page.drawn()
        checks.that(page.run("main.innerText").strip(), f"hostile: {view} is empty")
        checks.that(page.run("document.querySelectorAll('img, iframe, object, embed, svg, style:not(head *), script:not(body > script)').length") == 0,
                    f"hostile: {view}: markup")
        obeyed = page.run(r"main.innerText.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069]/)")
        checks.that(not obeyed, f"hostile: {view}: {obeyed}")
        checks.that(page.run("document.documentElement.scrollWidth") <= 1200, f"hostile: {view} is wider than the window")
    checks.that("owned" not in page.run("document.title").split(" – ")[-1] and page.run("document.scripts.length") == 3, "hostile text ran")
    page.run("location.hash = '#/functions'")
    page.drawn()
    checks.that("</script><script>document.title = 'owned'</script>" in names(page), "a name is not shown as it is")
    checks.that(page.run("[...document.querySelectorAll('.row a')].every((each) => each.textContent.length < 400)"), "a long name is not cut")


def check_uncalled(checks, page, directory):
    """What was measured and never ran says 0, and is not left out."""
    path, _ = page_profiles.export(directory, page_profiles.uncalled, "uncalled")
    page.open(path.as_uri())
    checks.equal([row[:1] + row[-1:] for row in cells(page, ".functions")], [["0", "never"]], "a function that was not called")
    page.click(".functions .row a")
    checks.equal([row.get("Hits") for row in rows(page, 5)], ["0"], "a line that never ran")


def check_measured(checks, page, directory):
    """A program whose calls are known, measured straight into a page; without root there is nothing to measure with."""
    if os.geteuid() != 0:
        print("no measured page: needs root")
        return
    path = directory / "measured.html"
    measuring.succeed([measuring.LPROF, "run", "-l", "leaf", "-o", path, "--", measuring.built("counted", "gcc-O2").resolve(), "leaf"])
    page.open(path.as_uri())
    found = cells(page, ".functions")
    checks.equal([(row[0], row[-1].split(" ")[0]) for row in found], [("7919", "leaf")], "the calls of a known program")
    page.click(".functions .row a")
    hits = page.run("[...document.querySelectorAll('.source .row:not(.bare)')].map((row) => row.children[1].textContent.replaceAll('\u202f', ''))")
    checks.that("7919" in hits, f"hits of a known program's lines: {hits}")


def check_large(checks, page, directory):
    path, _ = page_profiles.export(directory, page_profiles.large, "large")
    spent = {"loading": page.open(path.as_uri())}

    def timed(what, expression):
        page.run(f"window.begun = performance.now(); {expression}; 0")
        page.drawn()
        spent[what] = page.run("performance.now() - window.begun") / 1000

    timed("sorting", "document.querySelector('.head > :nth-child(1)').click()")
    checks.equal(len(names(page)), 5000, "functions")
    timed("searching", "search.value = 'function_4321'; search.dispatchEvent(new Event('input'))")
    checks.equal(names(page), ["function_4321"], "a function among 5,000")
    timed("opening", "location.hash = '#/function/0'")
    checks.equal(page.run("document.querySelectorAll('.source .row').length"), 10_000, "lines")
    checks.equal(page.run("getComputedStyle(document.querySelector('.chunk')).contentVisibility"), "auto", "layout of rows out of sight")
    timed("scrolling", "scrollTo(0, document.documentElement.scrollHeight / 2)")
    page.key("n")
    page.drawn()
    checks.equal(page.run("document.querySelector('.current').dataset.line"), "9900", "the hot line")
    seen = page.run("(() => { const box = document.querySelector('.current').getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; })()")
    checks.that(seen, "the hot line among 10,000 is not in sight")
    # A screen's worth of layout each frame: 120 frames through all lines.
    frame = page.run("new Promise((done) => { let frames = 0; const begun = performance.now(); scrollTo(0, 0);"
                     "const step = () => { scrollBy(0, 1500); if (++frames < 120) requestAnimationFrame(step);"
                     "else done((performance.now() - begun) / frames); }; requestAnimationFrame(step); })")
    for what, seconds in spent.items():
        checks.that(seconds < SLOW_SECONDS, f"{what} took {seconds:.2f} s")
    checks.that(frame < 150, f"scrolling: {frame:.0f} ms a frame")
    print("10,000 lines, 5,000 functions:", ", ".join(f"{what} {1000 * seconds:.0f} ms" for what, seconds in spent.items()), f", a frame {frame:.1f} ms")


def main():
    checks = measuring.Checks()
    with measuring.scratch() as directory, browser.Browser() as page:
        directory = pathlib.Path(directory)
        path, _ = page_profiles.export(directory, page_profiles.example, "example")
        page.open(path.as_uri())
        check_functions(checks, page)
        check_function(checks, page, directory / "example.c")
        check_flame(checks, page)
        check_looks(checks, page, directory)
        check_two_levels(checks, page, directory)
        check_sampled(checks, page, directory)
        check_hostile(checks, page, directory)
        check_uncalled(checks, page, directory)
        check_measured(checks, page, directory)
        check_large(checks, page, directory)
        checks.equal([address for address in page.requests if not address.startswith(directory.as_uri())], [], "the network was asked")
        checks.equal(page.complaints, [], "the browser complains")
    checks.finish(90, "the page in a browser")


if __name__ == "__main__":
    main()
