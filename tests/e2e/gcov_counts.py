# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts how often each source line ran with gcc's gcov, and compares: whether lprof's counts are the source's."""
import collections
import json
import pathlib
import re

import measuring

CONTROL = re.compile(r"\b(if|else|for|while|do|switch|case|default|goto|catch|try)\b|&&|\|\||\?")
LABEL = re.compile(r"^(case\b.*|default|[A-Za-z_]\w*)\s*:$")


def read(directory):
    """Executions of each line, {(file's name, line): count}, from the notes and data files of a build."""
    directory = pathlib.Path(directory)
    data = sorted(path for path in directory.rglob("*.gcda"))
    counts = collections.Counter()
    printed = measuring.succeed(["gcov", "--json-format", "--stdout", *data], cwd=directory).stdout
    for document in printed.splitlines():
        for file in json.loads(document)["files"] if document else []:
            for line in file["lines"]:
                counts[pathlib.Path(file["file"]).name, line["line_number"]] += line["count"]
    return counts


class Text:
    """A source file's lines without comments, by number."""

    def __init__(self, path):
        text = pathlib.Path(path).read_text(errors="replace")
        blank = lambda match: re.sub(r"[^\n]", " ", match[0])  # noqa: E731
        self.lines = re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S).splitlines()

    def at(self, line):
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""

    def before(self, line):
        """The last line above that holds code."""
        for at in range(line - 1, 0, -1):
            if self.at(at):
                return self.at(at)
        return ""

    def is_plain(self, line):
        """One whole statement, which runs once whenever control gets there."""
        return (bool(re.fullmatch(r'([^;"{}]|"[^"]*")+;', self.at(line))) and not CONTROL.search(self.at(line))
                and self.before(line)[-1:] in (";", "{", "}", ":"))

    def is_statement(self, line):
        """Not a brace, a label or a preprocessor line alone, which compilers count by taste."""
        text = self.at(line)
        return bool(re.search(r"\w", text)) and not LABEL.match(text) and not text.startswith("#")


def texts(profile):
    """The sources of a profile, {file's name: Text}, of those that are there."""
    paths = {line["file"] for function in profile["functions"] for line in function["lines"]}
    return {pathlib.Path(path).name: Text(path) for path in paths if pathlib.Path(path).exists()}


def hits(profile):
    """lprof's hits, as read() gives gcov's."""
    found = collections.Counter()
    for function in profile["functions"]:
        for line in function["lines"]:
            found[pathlib.Path(line["file"]).name, line["line"]] += line["hits"]
    return found


class Shares:
    """How many of gcov's executed statement lines have its count, and how many unexecuted ones have none."""

    def __init__(self, profile, counts):
        found, sources = hits(profile), texts(profile)
        self.executed = self.equal = self.absent = self.never = self.ghosts = 0
        self.different, self.shown = [], []
        for (file, line), count in sorted(counts.items()):
            if file not in sources or not sources[file].is_statement(line):
                continue
            if count:
                self.executed += 1
                self.equal += found[file, line] == count
                self.absent += found[file, line] == 0
                if found[file, line] != count:
                    self.different.append((file, line, found[file, line], count))
            else:
                self.never += 1
                self.ghosts += found[file, line] > 0
                if found[file, line]:
                    self.shown.append((file, line, found[file, line], count))

    def __str__(self):
        return (f"{self.equal} of {self.executed} executed statement lines ({100 * self.equal_share:.1f}%) have gcov's "
                f"count, {self.absent} none; {self.ghosts} of {self.never} others ({100 * self.ghost_share:.1f}%) show hits")

    @property
    def equal_share(self):
        return self.equal / max(self.executed, 1)

    @property
    def ghost_share(self):
        return self.ghosts / max(self.never, 1)
