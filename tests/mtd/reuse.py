#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks target.c, built with `chiral cc`, by reuse of its own code, and counts how often that works.

The attacker has a copy of the x86-64 program: he tries every address inside of privileged() until one
gives the secret away. That address is then sent, again and again, to the program as it runs
elsewhere: where it stays on x86-64, and where it moves. A try is a number of requests in a row, each
of which needs code that is executed on the right instruction set; whatever goes wrong for the
attacker ends the program.
"""
import argparse
import os
import select
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
BUFFER = 32         # bytes in front of the pointer that is overwritten
PATIENCE = 20       # seconds for an answer


class Target:
    """The program, started anew after each end."""

    def __init__(self, argv):
        self.argv, self.process = argv, None
        self.starts = 0

    def start(self):
        self.starts += 1
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0)

    def ask(self, text):
        """The answer's line; empty when the program has ended or does not answer."""
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(bytes([len(text)]) + text)
        except BrokenPipeError:
            pass
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            got = os.read(self.process.stdout.fileno(), 64) if ready else b""
            if not got:
                self.end()
                return b""
            line += got
        return line

    def end(self):
        if self.process:
            self.process.terminate()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.process = None


def payload(address):
    return b"A" * BUFFER + struct.pack("<Q", address)


def range_of(program, function):
    """(address, size) as the symbol table has it."""
    lines = subprocess.run(["readelf", "-sW", program], check=True, capture_output=True, text=True).stdout
    for fields in map(str.split, lines.splitlines()):
        if len(fields) >= 8 and fields[7] == function:
            return int(fields[1], 16), int(fields[2])
    raise ValueError(f"{program} has no function {function}")


def usable(program, argv):
    """Addresses in privileged() that give the secret away when argv runs the program."""
    start, size = range_of(program, "privileged")
    target, found = Target(argv), []
    for address in range(start, start + size):
        if target.ask(payload(address)) == b"secret\n":
            found.append(address)
        target.end()
    return found


def succeeds(target, text, requests):
    return all(target.ask(text) == b"secret\n" for _ in range(requests))


def count(argv, text, tries, requests, say=lambda done, of: None):
    """How many of so many tries succeed. What a failed one ends is started anew."""
    target, successes = Target(argv), 0
    try:
        for done in range(tries):
            successes += succeeds(target, text, requests)
            say(done + 1, tries)
    finally:
        target.end()
    return successes


def build(chiral, folder):
    """The program, and points files with which it stays, moves, or leaves its home for good."""
    points = {}
    for name, there, back in (("stays", "0%", "0%"), ("moves", "50%", "50%"), ("leaves", "100%", "0%")):
        points[name] = os.path.join(folder, name)
        with open(points[name], "w", encoding="ascii") as f:
            f.write(f"serve entry {there} {back}\n")
    program = os.path.join(folder, "target")
    subprocess.run([chiral, "cc", f"--chiral-points={points['moves']}", "-O2", "-o", program,
                    os.path.join(HERE, "target.c")], check=True)
    return program, points


def session(chiral, program, points, other):
    return [chiral, "run", "--mode", "mtd", "--points", points, "--other", other, "--", program]


def progress(what):
    last = time.monotonic()

    def say(done, of):
        nonlocal last
        if time.monotonic() - last > 5:
            last = time.monotonic()
            print(f"  {what}: {done} of {of} tries", file=sys.stderr)
    return say


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="build folder")
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--other", default="local:arm64", help="the program's second node")
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("root has to run this: the points file of a program that moves has to belong to root")
    chiral = os.path.join(args.build, "chiral")
    with tempfile.TemporaryDirectory() as folder:
        program, points = build(chiral, folder)
        runs = {name: session(chiral, program, path, args.other) for name, path in points.items()}
        found = usable(program + ".x86_64", [program])
        there = usable(program + ".aarch64", runs["leaves"])
        for isa, addresses in (("x86-64", found), ("arm64", there)):
            print(f"addresses in privileged() that give the secret away on {isa}: "
                  + " ".join(map(hex, addresses)))
        for requests in (1, 4):
            for name in ("stays", "moves"):
                n = count(runs[name], payload(found[0]), args.tries, requests, progress(f"{requests} requests, {name}"))
                row = "one request" if requests == 1 else f"{requests} requests in a row"
                print(f"{row}, a program that {name}: "
                      f"{n} of {args.tries} attacks succeed", flush=True)


if __name__ == "__main__":
    main()
