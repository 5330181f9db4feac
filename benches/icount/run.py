#!/usr/bin/env python3
"""Counts the instructions that teff and wasmi execute on aarch64 and riscv64, under QEMU, and prints a table.

Both are built for the processor with the same compiler and profile (fat LTO, one codegen unit, static), for riscv64
twice: with what riscv64gc promises, and for processors that take unaligned accesses as well. They run the
programs of benches/programs with a small and a larger amount of work. The difference of the two counts is what is
compared: it leaves out the start of the process, decoding, validation, and translation. Outputs are checked: those of
the small amount against benches/programs/expected, those of the larger one against each other.

Needs Debian 12 with what .ci/install-tools.sh installs, and the packages qemu-user (its static twin takes no plugins)
and gcc. A count is no time: see docs/instructions.md for what it does not tell.
"""

import argparse
import bisect
import concurrent.futures
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PROGRAMS = REPOSITORY / "benches" / "programs"

# The target, what its tools are called, and what the processor has that the target does not promise. The emulator's name
# is the part of ours in front of the dash.
RISCV64 = ("riscv64gc-unknown-linux-gnu", "riscv64-linux-gnu-")
TARGETS = {
    "aarch64": ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-", []),
    "riscv64": (*RISCV64, []),
    "riscv64-unaligned": (*RISCV64, ["unaligned-scalar-mem"]),
}

# The command of each engine, and what comes before the module. The first is the reference of the ratios.
ENGINES = {"teff": ("teff", ["run"]), "wasmi": ("peer-wasmi", [])}

# The amounts of work: the smaller one is `tiny` of benches/src/programs.rs, for which there is an expected output; the
# larger one is about a twentieth of what the comparison of times uses.
AMOUNTS = {
    "fib": (16, 29),
    "collatz": (300, 20000),
    "automaton": (1, 6),
    "tak": (2, 20),
    "sieve": (1, 4),
    "nbody": (500, 30000),
    "mandelbrot": (40, 260),
    "linear": (1, 3),
    "filter": (1, 6),
    "stream": (1, 20),
    "hash": (2, 18),
    "sha256": (20, 420),
    "cipher": (40, 640),
    "sort": (1, 3),
    "json": (1, 6),
    "text": (2, 8),
    "compress": (1, 2),
    "alloc": (1, 4),
    "vm-switch": (1, 4),
    "vm-table": (1, 3),
    "collections": (1, 3),
    "shapes": (1, 10),
    "expressions": (12, 42),
    "patterns": (1, 5),
    "format": (2, 14),
    "go-maps": (1, 3),
    "go-sorting": (1, 3),
    "go-hashing": (3, 19),
    "go-channels": (10, 40),
    "go-garbage": (1, 6),
}


def command_line():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*", metavar="FILTER", help="only programs with one of these texts in their names")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this processor (default: all)")
    parser.add_argument("--no-build", action="store_true", help="take the commands that an earlier run has built")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="emulators at a time (default: 1)")
    parser.add_argument(
        "--functions",
        choices=ENGINES,
        metavar="ENGINE",
        help="instead of the table, tell where this engine (teff, wasmi) spends its instructions: share of all,"
        " instructions a call, calls, function",
    )
    parser.add_argument("--top", type=int, default=25, metavar="N", help="how many functions (default: 25)")
    options = parser.parse_args()
    options.programs = [name for name in AMOUNTS if not options.filters or any(text in name for text in options.filters)]
    if not options.programs:
        parser.error(f"no program has {' or '.join(options.filters)} in its name")
    return options


class Processor:
    """The commands of one target, and how they are run."""

    def __init__(self, name, scratch):
        self.name = name
        self.target, self.tools, self.features = TARGETS[name]
        self.emulator = "qemu-" + name.split("-")[0]
        # A directory of its own: the flags below are not those of the other builds.
        self.directory = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target").resolve() / "icount" / name
        self.plugin = scratch / "count.so"
        self.scratch = scratch

    def build(self):
        variable = self.target.upper().replace("-", "_")
        features = ",".join(f"+{feature}" for feature in ["crt-static", *self.features])
        environment = os.environ | {
            "CARGO_TARGET_DIR": str(self.directory),
            f"CARGO_TARGET_{variable}_LINKER": f"{self.tools}gcc",
            # Symbols with generic arguments: --functions tells handlers apart by them.
            "RUSTFLAGS": f"-Ctarget-feature={features} -Csymbol-mangling-version=v0",
            "CARGO_PROFILE_RELEASE_DEBUG": "false",
        }
        cargo = ["bash", str(REPOSITORY / ".ci/debian-cargo.sh"), "build", "--release", "--target", self.target, "-Zbuild-std"]
        peers = ["--manifest-path", str(REPOSITORY / "benches/peers/Cargo.toml")]
        for packages in (["-p", "teff-cli", "--bin", "teff"], [*peers, "-p", "peer-wasmi"]):
            subprocess.run(cargo + packages, cwd=REPOSITORY, env=environment, check=True)

    def command(self, engine):
        path = self.directory / self.target / "release" / ENGINES[engine][0]
        if not path.exists():
            sys.exit(f"{path} is missing: run without --no-build")
        return path

    def run(self, engine, program, amount, blocks=None):
        """The count of instructions, and the output."""
        module, *part = program.split("-", 1) if program.startswith("go-") else [program]
        out = self.scratch / f"{self.name}-{engine}-{program}-{amount}"
        plugin = f"{self.plugin},out={out}" + (f",blocks={blocks}" if blocks else "")
        command = [self.emulator, "-plugin", plugin, self.command(engine), *ENGINES[engine][1]]
        guest = [PROGRAMS / "wasm" / f"{module}.wasm", *part, str(amount)]
        done = subprocess.run(command + guest, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{engine} on {self.name}: {program} {amount} ended with {done.returncode}: {done.stderr.decode()}")
        return int(out.read_text()), done.stdout

    def difference(self, engine, program):
        """What the larger amount of work needs more than the small one, and the output of the larger one."""
        small, large = AMOUNTS[program]
        before, output = self.run(engine, program, small)
        if output != (PROGRAMS / "expected" / f"{program}.tiny.txt").read_bytes():
            sys.exit(f"{engine} on {self.name}: {program} {small} printed {output.decode(errors='replace')}")
        after, output = self.run(engine, program, large)
        return after - before, output

    def functions(self, engine, program):
        """Instructions and calls by function. A call is an entry at the function's first instruction."""
        blocks = self.scratch / f"{self.name}-blocks"
        self.run(engine, program, AMOUNTS[program][1], blocks)
        command = self.command(engine)
        # The plugin's addresses count from the first executable segment.
        segments = tool(f"{self.tools}readelf", "-lW", command)
        offset = min(int(fields[2], 16) for fields in map(str.split, segments) if fields[:1] == ["LOAD"] and "E" in fields[6:-1])
        symbols = [line.split(maxsplit=2) for line in tool(f"{self.tools}nm", "-nC", "--defined-only", command)]
        symbols = [(int(address, 16), name) for address, kind, name in symbols if kind in "tTwW" and not name.startswith("$")]
        starts = [address for address, _ in symbols]
        instructions, calls = Counter(), Counter()
        for line in blocks.read_text().splitlines():
            address, length, executions = line.split()
            address, executions = int(address, 16) + offset, int(executions)
            index = bisect.bisect_right(starts, address) - 1
            start, name = symbols[index] if index >= 0 else (None, "?")
            instructions[name] += int(length) * executions
            calls[name] += executions * (address == start)
        return instructions, calls


def tool(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def build_plugin(path):
    flags = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden"]
    subprocess.run(["gcc", *flags, HERE / "count.c", "-o", path], check=True)
    if "-plugin" not in subprocess.run(["qemu-aarch64", "-help"], capture_output=True, text=True).stdout:
        sys.exit("this qemu-aarch64 takes no plugins")


def measure(processors, options):
    """The counts by program and processor, in the order of ENGINES."""
    counts = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = {
            (program, processor.name): [pool.submit(processor.difference, engine, program) for engine in ENGINES]
            for program in options.programs
            for processor in processors
        }
        for (program, name), results in runs.items():
            results = [result.result() for result in results]
            if len({output for _, output in results}) != 1:
                sys.exit(f"{program} on {name}: the outputs differ: {[output for _, output in results]}")
            counts[program, name] = [count for count, _ in results]
            print(program, name, *counts[program, name], file=sys.stderr, flush=True)
    return counts


def print_table(counts, names, programs):
    """Markdown: millions of instructions, and their ratios."""
    reference, other = ENGINES
    columns = [column for name in names for column in (f"{name}: {reference}, M", f"{other}, M", f"{other} / {reference}")]
    print(f"| program | {' | '.join(columns)} |")
    print(f"|---|{'--:|' * len(columns)}")
    ratios = {name: [] for name in names}
    for program in programs:
        cells = []
        for name in names:
            ours, theirs = counts[program, name]
            ratios[name].append(theirs / ours)
            cells += [f"{ours / 1e6:.1f}", f"{theirs / 1e6:.1f}", f"{theirs / ours:.2f}"]
        print(f"| {program} | {' | '.join(cells)} |")
    means = [f" | | **{math.exp(sum(map(math.log, ratios[name])) / len(ratios[name])):.2f}**" for name in names]
    print(f"| geometric mean |{' |'.join(means)} |")


def print_functions(processor, engine, programs, top):
    for program in programs:
        instructions, calls = processor.functions(engine, program)
        total = sum(instructions.values())
        print(f"{program} on {processor.name}: {total} instructions of {engine}")
        for name, count in instructions.most_common(top):
            each = f"{count / calls[name]:8.1f}" if calls[name] else "       -"
            short = re.sub(r"\b(?:\w+::)+(\w+)", r"\1", name)
            print(f"{count / total:6.1%} {each} {calls[name]:>11}  {short}")


def main():
    options = command_line()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        processors = [Processor(name, scratch) for name in options.target or TARGETS]
        build_plugin(scratch / "count.so")
        if not options.no_build:
            for processor in processors:
                processor.build()
        if options.functions:
            for processor in processors:
                print_functions(processor, options.functions, options.programs, options.top)
            return
        counts = measure(processors, options)
        print_table(counts, [processor.name for processor in processors], options.programs)


if __name__ == "__main__":
    main()
