# SPDX-License-Identifier: GPL-2.0-or-later
"""The torture programs: how each is built at -O0 and -O2, and run."""
import os
import pathlib
import shutil
import subprocess
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
BUILD = (TOP / os.environ.get("B", "build")).resolve() / "torture"
COMMON = ["-g", "-Wall", "-Wextra", "-Wno-infinite-recursion", "-pthread"]
STATUS = 42  # of a program whose checks all held (torture.h)


def gcc(*sources, flags=()):
    return lambda level: ["gcc", "-std=gnu11", "-D_GNU_SOURCE", *COMMON, level, *flags,
                          *(HERE / source for source in sources), "-ldl"]


def gxx(*sources, flags=()):
    return lambda level: ["g++", "-std=c++20", *COMMON, level, *flags, *(HERE / source for source in sources)]


def rustc(source):
    return lambda level: ["rustc", "--edition=2021", "-g", "-Copt-level=" + level[-1], HERE / source]


def go(source):
    return lambda level: ["go", "build", *(["-gcflags=all=-N -l"] if level == "-O0" else [])]


@dataclass
class Program:
    name: str
    command: object  # gives the compiler's command line without -o, by level
    specs: tuple = ("*",)
    arguments: tuple = ()
    more: dict = field(default_factory=dict)  # other files: name -> compiler's command line, by level
    exits: tuple = ("auto",)  # values of --exit
    record: bool = False  # dangerous enough to be attached to, too
    exact: bool = True  # whether the profile's calls must be those that the program counted
    known: dict = field(default_factory=dict)  # --exit value or "record": why that fails today
    scale: int = 1  # of the short form
    slow: bool = False  # long form only

    def build(self, level):
        """The path of the program, built if need be; None without its compiler."""
        folder = BUILD / level.lstrip("-")
        folder.mkdir(parents=True, exist_ok=True)
        for name, command in {self.name: self.command, **self.more}.items():
            path, arguments = folder / name, [str(part) for part in command(level)]
            if not shutil.which(arguments[0]):
                return None
            sources = [HERE / "torture.h", HERE / "programs.py",
                       *(part for part in map(pathlib.Path, arguments) if part.suffix in (".c", ".cc", ".S", ".rs"))]
            if arguments[0] == "go":
                sources.append(HERE / "goroutines.go")
            if path.exists() and path.stat().st_mtime > max(source.stat().st_mtime for source in sources):
                continue
            last = [str(HERE / "goroutines.go")] if arguments[0] == "go" else []
            environment = dict(os.environ, GOFLAGS="", GO111MODULE="off", GOCACHE=str(BUILD / "go-cache"))
            subprocess.run([*arguments, "-o", path, *last], check=True, env=environment)
        return folder / self.name

    def arguments_for(self, path, scale):
        return [str(scale), *(argument.replace("@", str(path.parent)) for argument in self.arguments)]


BOTH = ("auto", "sites")
PROGRAMS = [
    Program("exceptions", gxx("exceptions.cc"), record=True),
    Program("longjmp", gcc("longjmp.c"), exits=BOTH, record=True),
    Program("panics", rustc("panics.rs"), specs=("panics::*",), record=True),
    Program("panics-all", rustc("panics.rs"), slow=True),
    Program("goroutines", go("goroutines.go"), specs=("main.*",), record=True),
    Program("goroutines-runtime", go("goroutines.go"), slow=True),
    Program("contexts", gcc("fibers.c"), exits=BOTH, record=True),
    Program("fibers", gcc("fibers.c", "fiber_switch.S", flags=["-DSWITCH=1"]), exits=BOTH, record=True),
    Program("fibers-pop", gcc("fibers.c", "fiber_switch.S", flags=["-DSWITCH=2"])),
    Program("fibers-xchg", gcc("fibers.c", "fiber_switch.S", flags=["-DSWITCH=3"])),
    Program("coroutines", gxx("coroutines.cc"), record=True),
    Program("signals", gcc("signals.c"), exits=BOTH, record=True),
    Program("threads", gcc("threads.c"), exits=BOTH, record=True),
    Program("forks", gcc("forks.c"), exits=BOTH, record=True),
    Program("seccomp", gcc("seccomp.c"), exits=BOTH),
    Program("seccomp-inherited", gcc("seccomp.c"), arguments=("inherit",), exits=BOTH),
    Program("dlopen", gcc("dlopen.c"), arguments=("@/libplugin.so",), exits=BOTH, record=True,
            more={"libplugin.so": gxx("plugin.cc", flags=["-shared", "-fPIC"])}),
    Program("dlopen-forked", gcc("dlopen.c"), arguments=("@/libplugin.so", "forked"), exits=BOTH, record=True,
            more={"libplugin.so": gxx("plugin.cc", flags=["-shared", "-fPIC"])}),
    Program("tail_calls", gcc("tail_calls.c"), exits=BOTH),
    Program("tail_calls_cxx", gxx("tail_calls.c", flags=["-xc++"])),
    Program("red_zone", gcc("red_zone.c"), exits=BOTH, record=True),
    Program("avx", gcc("avx.c"), exits=BOTH),
    Program("switches", gcc("switches.c"), exits=BOTH),
    Program("odd_code", gcc("odd_code.c", "odd_code.S"), exits=BOTH),
    Program("return_address", gcc("return_address.c"), exits=BOTH),
    Program("self_modifying", gcc("self_modifying.c"), exits=BOTH),
    Program("privileges", gcc("privileges.c"), exits=BOTH),
    Program("tracer", gcc("tracer.c"), exits=BOTH),
    Program("recursion", gcc("recursion.c"), exits=BOTH),
]
