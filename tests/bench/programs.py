# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that the benchmarks look at: built once, under build/bench, from sources of Debian."""
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import measuring  # noqa: E402

BENCH = measuring.TOP / "tests" / "bench"
LUA_SEED = ("-Dluai_makeseed(L)=0x5eed", "-DSTRCACHE_N=1", "-DSTRCACHE_M=2")  # the same work each time
JOBS = str(os.cpu_count() or 1)


def directory(name):
    path = measuring.BUILD / "bench" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def fetch(name):
    return pathlib.Path(measuring.succeed([measuring.WORKLOADS / "fetch-source", name], timeout=600).stdout.strip())


def own(name, *flags):
    """A program of this folder."""
    program = directory("own") / (name + "".join(flags))
    measuring.succeed(["gcc", "-O2", "-g", "-o", program, BENCH / f"{name}.c", *flags])
    return program


def preload(name):
    """A library of this folder."""
    library = directory("own") / f"{name}.so"
    measuring.succeed(["gcc", "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, BENCH / f"{name}.c"])
    return library


def plan_of(image, *specs):
    return json.loads(measuring.succeed([measuring.LPROF, "plan", "--json", *specs, image], timeout=600).stdout)


def compile_all(into, sources, flags):
    """Objects of many sources, several at a time; the same again does nothing."""
    objects = [into / (source.stem + ".o") for source in sources]
    missing = [f"{source} {target}" for source, target in zip(sources, objects) if not target.exists()]
    if missing:
        quoted = " ".join(f"'{flag}'" for flag in flags)
        command = ["xargs", "-P", JOBS, "-L", "1", "sh", "-c", f'exec gcc {quoted} -c "$0" -o "$1"']
        measuring.succeed(command, input="\n".join(missing) + "\n", cwd=into, timeout=1200)
    return objects


def lua(*flags):
    into = directory("lua" + "".join(flags))
    if not (into / "lua").exists():
        measuring.succeed([measuring.WORKLOADS / "build-lua", into, "gcc", *flags, *LUA_SEED], timeout=600)
    return into / "lua"


def minigzip(*flags):
    """zlib with its little gzip, in one program."""
    into, source = directory("zlib" + "".join(flags)), fetch("zlib")
    program = into / "minigzip"
    if not program.exists():
        sources = [*sorted(source.glob("*.c")), source / "test" / "minigzip.c"]
        objects = compile_all(into, sources, [*flags, "-DHAVE_UNISTD_H", "-DHAVE_STDARG_H", "-D_LARGEFILE64_SOURCE=1", f"-I{source}"])
        measuring.succeed(["gcc", *flags, "-o", program, *objects])
    return program


def zstd(*flags):
    into, source = directory("zstd" + "".join(flags)), fetch("libzstd")
    library = into / "libzstd.so"
    if not library.exists():
        sources = [path for part in ("common", "compress", "decompress", "dictBuilder")
                   for path in sorted((source / "lib" / part).glob("*.c"))]
        objects = compile_all(into, sources, [*flags, "-fPIC", "-DZSTD_DISABLE_ASM", f"-I{source}/lib", f"-I{source}/lib/common"])
        measuring.succeed(["gcc", *flags, "-shared", "-o", library, *objects, "-pthread"])
    return library


def zstd_program(*flags):
    """The command line program, threads and all."""
    into, source = directory("zstd-program" + "".join(flags)), fetch("libzstd")
    program = into / "zstd"
    if not program.exists():
        sources = [path for part in ("lib/common", "lib/compress", "lib/decompress", "lib/dictBuilder", "programs")
                   for path in sorted((source / part).glob("*.c"))]
        include = [f"-I{source}/lib", f"-I{source}/lib/common", "-DZSTD_DISABLE_ASM", "-DZSTD_MULTITHREAD"]
        measuring.succeed(["gcc", *flags, "-o", program, *compile_all(into, sources, [*flags, *include]), "-pthread"])
    return program


def sqlite(*flags):
    """SQLite's shell, from the amalgamation that its own Makefile makes (which takes tclsh)."""
    into, source = directory("sqlite" + "".join(flags)), fetch("sqlite3")
    program = into / "sqlite3"
    if not program.exists():
        measuring.succeed([source / "configure"], cwd=into, timeout=600)
        measuring.succeed(["make", "sqlite3.c", "shell.c"], cwd=into, timeout=600)
        objects = compile_all(into, [into / "sqlite3.c", into / "shell.c"], flags)
        measuring.succeed(["gcc", *flags, "-o", program, *objects, "-lpthread", "-ldl", "-lm"])
    return program


def many_functions(count, more_lines=0, called=1):
    """A program of that many functions of ten rows each and so many more, which calls some of them and says
    when it began; with none but the first called it does next to nothing."""
    into = directory(f"many-{count}-{more_lines}-{called}")
    program = into / "many"
    if program.exists():
        return program
    sources, per_file = [], 500
    for first in range(0, count, per_file):
        text = ["volatile unsigned sink;" if first == 0 else "extern volatile unsigned sink;"]
        for number in range(first, min(first + per_file, count)):
            more = "".join(f"\tsum += sink ^ {line};\n" for line in range(more_lines))
            text.append(f"""
unsigned generated_{number}(unsigned value);
unsigned generated_{number}(unsigned value)
{{
	unsigned sum = sink;

	for (unsigned i = 0; i < value; i++) {{
		sum += sink * {number % 97 + 3};
		if (sum & 1)
			sink = sum;
		sum ^= sum >> {number % 13 + 1};
	}}
{more}	sink = sum;
	return sum;
}}""")
        path = into / f"part{first}.c"
        path.write_text("\n".join(text) + "\n")
        sources.append(path)
    main = into / "main.c"
    declarations = "\n".join(f"unsigned generated_{number}(unsigned value);" for number in range(called))
    calls = "\n".join(f"\tgenerated_{number}(3);" for number in range(called))
    main.write_text(f"""#include <stdio.h>
#include <time.h>
{declarations}
int main(void)
{{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
{calls}
	printf("%lld\\n", now.tv_sec * 1000000000ll + now.tv_nsec);
	return 0;
}}
""")
    objects = compile_all(into, [*sources, main], ["-O2", "-g"])
    measuring.succeed(["gcc", "-o", program, *objects])
    return program
