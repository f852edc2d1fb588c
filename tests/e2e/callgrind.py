# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts each instruction's executions with valgrind's callgrind, as lprof's second opinion."""
import collections
import pathlib
import re
import signal
import time

import measuring

OPTIONS = ["--tool=callgrind", "--quiet", "--dump-instr=yes", "--dump-line=no", "--compress-pos=no",
           "--compress-strings=no", "--skip-plt=no", "--demangle=no"]  # with it, what a PLT entry runs counts at the call

FOREIGN_PROBE_TRIES = 20


class Counts:
    """Executions of an image's instructions, and calls of its functions, by the image's own addresses."""

    def __init__(self):
        self.executed = collections.Counter()
        self.calls = collections.Counter()  # (caller's symbol, address of the call, address called)


def symbol_address(image, name):
    for line in measuring.succeed(["nm", image]).stdout.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[2] == name:
            return int(fields[0], 16)
    raise ValueError(f"{image}: no symbol {name}")


def read(path, image, counts):
    """
    Adds one file's counts. A cost line counts an instruction, unless a `calls=` line stands before it:
    then it is what the callee cost. Valgrind gives the image's own addresses for what has symbols; where
    it gives those it was loaded at, main, which is called once, tells by how much.
    """
    executed, calls, main = collections.Counter(), collections.Counter(), None
    here = there = function = callee = called = None
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition("=")
        if line.startswith("0x"):
            address, count = line.split()
            if called is not None:
                caller = function if here == image else None
                calls[caller, int(address, 16), called[0]] += called[1]
            elif here == image:
                executed[int(address, 16)] += int(count)
            called = None
        elif key == "ob":
            here = there = value
        elif key == "fn":
            function, there = re.sub(r"'\d+$", "", value), here  # '2: the second level of a recursion
        elif key == "cob":
            there = value
        elif key == "cfn":
            callee = value
        elif key == "calls":
            count, address = value.split()
            called = int(address, 16), int(count) if there == image else 0
            if there == image and callee == "main":
                main = int(address, 16)
            there = here
    base = main - symbol_address(image, "main") if main is not None else 0
    for address, count in executed.items():
        counts.executed[address - base] += count
    for (caller, address, called), count in calls.items():
        if count:
            counts.calls[caller, address - base, called - base] += count


def count(program, *arguments):
    """
    Runs a program under callgrind; the counts of the program's own image, and what it printed. Valgrind
    runs what it reads, breakpoints too: while somebody else's probes stand in the dynamic linker or in
    libc it dies of SIGTRAP, so then it is tried again.
    """
    program = str(program)
    with measuring.scratch() as directory:
        command = ["setarch", "-R", "valgrind", *OPTIONS, f"--callgrind-out-file={directory}/out.%p", program, *arguments]
        for _ in range(FOREIGN_PROBE_TRIES):
            ended = measuring.command(command)
            if ended.returncode != -signal.SIGTRAP:
                break
            time.sleep(2)
        measuring.need_success(command, ended)
        counts = Counts()
        for path in pathlib.Path(directory).glob("out.*"):
            read(path, program, counts)
    return counts, ended.stdout
