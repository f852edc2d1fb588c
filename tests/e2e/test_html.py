#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The page as a file, by Python's parser: what it is made of, that data stay data, that it asks nothing of a network."""
import base64
import hashlib
import html.parser
import json
import pathlib

import measuring
import page_profiles

ELEMENTS = {"html", "head", "meta", "title", "style", "body", "header", "h1", "nav", "a", "input", "main", "noscript", "p", "code",
            "footer", "kbd", "script"}
# What loads, or makes markup or code of text.
FORBIDDEN = ["http:", "https:", "//cdn", "url(", "@import", "src=", "fetch(", "XMLHttpRequest", "WebSocket", "import(", "sendBeacon",
             "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc", "localStorage"]


class Page(html.parser.HTMLParser):
    """Elements in their order, and the text of those that hold text only."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.elements, self.texts, self.stray = [], [], []
        self.inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag in ("script", "style"):
            self.texts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside in ("script", "style"):
            self.texts[-1] += data
        elif data.strip():
            self.stray.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def check_frame(checks, text, what):
    """The style, one script, two elements of data, and nothing else that a profile could have brought in."""
    page = Page(text)
    checks.that(text.startswith("<!DOCTYPE html>"), f"{what}: no document type")
    checks.equal({name for name, _ in page.elements} - ELEMENTS, set(), f"{what}: elements")
    scripts = page.all("script")
    checks.equal([(each.get("type"), each.get("id")) for each in scripts],
                 [(None, None), ("application/json", "profile"), ("application/json", "page")], f"{what}: scripts")
    checks.equal(len(page.texts), 4, f"{what}: style and scripts")
    checks.that(not any(name.startswith("on") for _, attributes in page.elements for name in attributes), f"{what}: handlers")
    style, script = page.texts[:2]
    for word in FORBIDDEN:
        checks.that(word not in style + script, f"{what}: the page says {word}")
    links = [attributes["href"] for attributes in page.all("a")]
    checks.that(links and all(link.startswith("#/") for link in links), f"{what}: links out of the page: {links}")
    policy = next(each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    for kind, content in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        checks.that(f"{kind}-src 'sha256-{digest}'" in policy, f"{what}: the policy does not name the {kind}: {policy}")
    checks.that("default-src 'none'" in policy, f"{what}: the policy: {policy}")
    return page, json.loads(page.texts[2]), json.loads(page.texts[3])


def check_example(checks, directory):
    path, native = page_profiles.export(directory, page_profiles.example, "example")
    page, profile, more = check_frame(checks, path.read_text(), "example")
    checks.equal(profile, native, "the native profile in the page")
    lines = (directory / "example.c").read_text().splitlines()
    checks.equal(more["sources"], [{"file": str(directory / "example.c"), "state": "present",
                                    "blocks": [[4, lines[3:9]], [20, lines[19:20]], [30, lines[29:30]]]}], "sources")
    checks.equal(len(more["functions"]), 3, "quantiles")
    checks.that(1000 <= more["functions"][1]["median_ns"] <= 131071, f"median: {more['functions'][1]}")
    # what the report says of a loss, the page says as well
    report = measuring.succeed([measuring.LPROF, "report", directory / "example.json"]).stdout
    checks.that(f"12 {more['losses']['depth']}" in report, "sentences of losses")
    return page


def check_sources(checks, directory):
    """Far rows, other files, lines that are gone, files that changed or are not there."""
    one, two = directory / "one.c", directory / "two.h"
    one.write_text("".join(f"one {number}\n" for number in range(1, 2001)))
    two.write_bytes(b"first\r\nsecond")
    rows = [page_profiles.line(one, number, 1, 1) for number in (10, 12, 211, 1500)]
    rows += [page_profiles.line(two, number, 1, 1) for number in (2, 9)]
    rows += [page_profiles.line(directory / "gone.c", 3, 1, 1), page_profiles.line("/dev/zero", 3, 1, 1), page_profiles.line(directory, 3, 1, 1)]
    made = page_profiles.profile([page_profiles.function("far", one, 9, 1, 9, lines=sorted(rows, key=lambda row: (row["file"], row["line"])))])
    for started, state in (("2100-01-01T00:00:00Z", "present"), ("2001-01-01T00:00:00Z", "changed")):
        path, _ = page_profiles.export(directory, lambda _: {**made, "started": started}, "far")
        sources = {source["file"]: source for source in check_frame(checks, path.read_text(), state)[2]["sources"]}
        text = one.read_text().splitlines()
        checks.equal(sources.get(str(one)), {"file": str(one), "state": state, "blocks": [[9, text[8:211]], [1500, text[1499:1500]]]}, state)
        checks.equal(sources.get(str(two)), {"file": str(two), "state": state, "blocks": [[2, ["second"]]]}, f"{state}, beyond its end")
        for missing in (directory / "gone.c", pathlib.Path("/dev/zero"), directory):
            checks.equal(sources.get(str(missing)), {"file": str(missing), "state": "missing", "blocks": []}, f"{missing}")


def check_hostile(checks, directory):
    path, native = page_profiles.export(directory, page_profiles.hostile, "hostile")
    page, profile, more = check_frame(checks, path.read_text(), "hostile")
    checks.equal(profile, native, "the hostile profile in the page")
    checks.equal([function["name"] for function in profile["functions"]][:-1], page_profiles.HOSTILE, "hostile names")
    checks.equal(page.texts[2].count("<") + page.texts[3].count("<"), 0, "brackets that are not escaped")
    source = next(each for each in more["sources"] if each["file"] == str(directory / "hostile.c"))
    text = source["blocks"][0][1]
    wanted = ["before" if "\0" in line else line[:1000] + " ..." if len(line) > 1000 else line
              for line in (directory / "hostile.c").read_text(errors="replace").split("\n")[:-1]]
    checks.equal(text, wanted, "hostile source lines")
    checks.that(any("\ufffd" in line for line in text) and "before" in text, "malformed bytes and a NUL are among them")


def check_empty(checks, directory):
    path, _ = page_profiles.export(directory, lambda _: page_profiles.profile([], targets=[]), "empty")
    _, profile, more = check_frame(checks, path.read_text(), "empty")
    checks.equal((profile["functions"], more["sources"]), ([], []), "nothing in an empty profile")


def main():
    checks = measuring.Checks()
    with measuring.scratch() as directory:
        directory = pathlib.Path(directory)
        check_example(checks, directory)
        check_sources(checks, directory)
        check_hostile(checks, directory)
        check_empty(checks, directory)
    checks.finish(100, "the page as a file")


if __name__ == "__main__":
    main()
