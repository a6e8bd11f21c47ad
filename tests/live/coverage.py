#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Which supported calls has no live test made? Measured: the programs of tests/live run under `chiral
record`, whose records name the canonical calls that a leader made; calls that no monitor sees (each
variant's own, like munmap) and old numbers (open, which is seen as openat) are taken from strace of the
same program. Prints the rows of `chiral calls` that are supported, at least in part, and were not made.

usage: coverage.py [--build DIR] [--record FILE]...

--record adds a record that was made elsewhere (a leader of the other ISA). Exit status: 0 when the list
is empty, 1 when it is not, 77 when strace is missing.
"""
import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ("calls", "children")
# PID NAME(ARGUMENTS... of `strace -f -e raw=all`; a call that another thread interrupts has its arguments
LINE = re.compile(r"^\d+ +(\w+)\(([^)<]*)")
# strace's own names
NAMES = {"pread": "pread64", "pwrite": "pwrite64", "umount": "umount2"}
# What both variants of one ISA may do.
ENVIRONMENT = {**os.environ, "LIVE_ONE_ISA": "1"}


def table(chiral):
    out = subprocess.run([chiral, "calls", "--json"], stdout=subprocess.PIPE, check=True).stdout
    return {row["name"]: row for row in json.loads(out)["calls"]}


def wanted(rows, isa):
    """Rows that have to be made. A parent that answers unknown selectors is no call of its own."""
    parents = {row["parent"] for row in rows.values() if row["parent"]}
    for name, row in rows.items():
        if row["status"] not in ("supported", "partial"):
            continue
        if name in parents and row["status"] == "partial":
            continue
        if isa in row["number"]:
            yield name


def recorded(chiral, path):
    """Names of the rows in a record."""
    made = set()
    with subprocess.Popen([chiral, "trace", "--json", path], stdout=subprocess.PIPE) as trace:
        for line in trace.stdout:
            event = json.loads(line)
            if event["event"] == "call":
                made.add(event["call"]["call"])
    assert trace.returncode == 0, f"chiral trace {path} failed"
    return made


def selectors():
    """(parent, values of its selectors) -> sub-row; and the positions of a parent's selectors."""
    folder = os.path.join(ROOT, "src", "calls")
    spec = importlib.util.spec_from_file_location("gen_table", os.path.join(folder, "gen-table.py"))
    gen = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gen)
    rows, _, _ = gen.load(folder)
    subs, places = {}, {}
    for name, row in rows.items():
        places[name] = [i for i, a in enumerate(row["args"]) if a["kind"] == "cmd"]
        if row["parent"] and "CALL_SUB_EQUAL" not in row["flags"]:
            values = row["sub"] if row["two"] else row["sub"][:1]
            subs[row["parent"], tuple(v & 0xffffffff for v in values)] = name
    return subs, places


def straced(program, subs, places):
    """Names of the rows that a program makes natively."""
    made = set()
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        done = subprocess.run(["strace", "-f", "-qq", "-e", "raw=all", "-e", "signal=none", "-o", log,
                               program],
                              stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
        assert done.returncode == 0, f"{program} fails under strace: {done.stderr.decode()}"
        with open(log, encoding="utf-8", errors="replace") as f:
            for line in f:
                m = LINE.match(line)
                if not m:
                    continue
                name = NAMES.get(m[1], m[1])
                made.add(name)
                args = [int(a, 0) & 0xffffffff for a in m[2].replace(" ", "").split(",")
                        if re.fullmatch(r"0x[0-9a-f]+|\d+", a)]
                if name == "dup2" and len(args) == 2 and args[0] == args[1]:
                    made.add("dup2$same")
                values = tuple(args[i] for i in places.get(name, []) if i < len(args))
                made.add(subs.get((name, values), name))
    return made


def measure(build, records=()):
    """The rows that nothing has made, the number of those that were, and of those that should be."""
    chiral = os.path.join(build, "chiral")
    isa = platform.machine()
    rows = table(chiral)
    subs, places = selectors()
    made = set()
    with tempfile.TemporaryDirectory() as folder:
        for name in PROGRAMS:
            program = os.path.join(build, "tests", "live", f"{name}.{isa}")
            path = os.path.join(folder, name)
            subprocess.run([chiral, "record", "-o", path, "--program", f"{isa}={program}", "--",
                            f"./{name}"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=ENVIRONMENT, check=True)
            made |= recorded(chiral, path)
            # Of what monitors see only the record counts: strace adds the rest.
            made |= {r for r in straced(program, subs, places) if r in rows and
                     (rows[r]["disposition"] == "local" or rows[r]["canonical"] != r)}
    for path in records:
        made |= recorded(chiral, path)
    need = set(wanted(rows, isa))
    return sorted(need - made), len(need & made), len(need)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--record", action="append", default=[])
    args = parser.parse_args()
    if not shutil.which("strace"):
        print("strace is missing: `tools/install-deps` installs it")
        return 77
    missing, made, need = measure(os.path.abspath(args.build), args.record)
    print(f"{made} of {need} supported calls and sub-calls have a live test.")
    for name in missing:
        print(f"  missing: {name}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
