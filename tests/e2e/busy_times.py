# SPDX-License-Identifier: GPL-2.0-or-later
"""The program of known short times: how it is built, what it says of itself, how far a tool's figures are off."""
import re
import sys

sys.dont_write_bytecode = True
import measuring  # noqa: E402

LENGTHS = (1, 3, 10, 100)
FUNCTIONS = [f"{kind}_{length}" for kind in ("inner", "middle", "outer") for length in LENGTHS]
# By class of the instruction that functions begin with: how the program is built for it, and what corrected
# means may be off: so much of the truth, or so many ns.
CLASSES = {
    "emulated": (("-O2", "-fno-omit-frame-pointer"), 0.05, 50),
    "stepped": (("-O2", "-fomit-frame-pointer", "-DSTEPPED"), 0.10, 500),
}


def build(directory, which):
    return measuring.build(directory, "busy_times.c", "gcc", *CLASSES[which][0])


def truth(printed):
    """ns by name: of the functions, and of spend_US, a line of each of them."""
    return {name: float(ns) for name, ns in re.findall(r"^(\w+_\d+) ([\d.]+)$", printed, re.M)}


def is_near(found, wanted, which):
    _, share, ns = CLASSES[which]
    return abs(found - wanted) <= max(share * wanted, ns)
