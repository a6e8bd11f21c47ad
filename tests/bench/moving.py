#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What moving costs: a table in Markdown of

- programs that do not switch, with points in all functions and in selected ones, compared with the
  same compiler, flags and C library without points (user time);
- a switch, and a system call on the other node, with one memory file and with two, compared with a raw
  ping-pong (all on this machine);
- servers at switch probabilities of 0, 1, 10 and 20 % (moving_servers.py): nginx and lighttpd with
  4 KiB of wrk -c10, redis with PING, SET and GET of redis-benchmark -c10.

Rounds are interleaved. Nothing else should run meanwhile. The first run builds the programs."""
import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
SOURCES = os.path.join(TESTS, "mtd")
sys.path.insert(0, os.path.join(TESTS, "e2e"))
from mtd import build_program, write_points  # noqa: E402 # pylint: disable=wrong-import-position
from moving_servers import SERVERS, servers  # noqa: E402 # pylint: disable=wrong-import-position

KERNELS = ["conjugate_gradients", "transform", "integer_sort", "random_pairs", "multigrid"]


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.chiral = os.path.join(args.build, "chiral")

    def points(self, name, *lines):
        return write_points(Path(self.folder) / name, *lines)

    def compile(self, source, points, name):
        out = os.path.join(self.folder, name)
        subprocess.run([self.chiral, "cc", "-O2", "-D_GNU_SOURCE", "--chiral-points=" + points,
                        os.path.join(SOURCES, source), "-lm", "-o", out], check=True)
        return out

    def run(self, points, *argv, options=()):
        return [self.chiral, "run", "--mode", "mtd", "--other", self.args.other, "--points", points,
                *options, "--", *argv]


def user_time(argv):
    """Seconds in user mode of a program that runs alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def per_cent(value, base):
    return f"{(value / base - 1) * 100:+.1f} %"


def overhead(b):
    """The smallest user time of the rounds: what others did meanwhile only adds."""
    kernels = {v: b.compile("kernels.c", p, "kernels-" + v) for v, p in (
        ("plain", b.points("none", "# none")), ("selected", b.points("selected", *KERNELS)),
        ("all", b.points("all", "*")))}
    lua = {v: build_program(b.chiral, "lua", v) for v in ("plain", "selected", "all")}
    print("| does not switch | plain | selected points | all points |\n|---|---|---|---|")
    for name, programs, argv in (("five kernels", kernels, ["1000"]),
                                 ("Lua", lua, [os.path.join(SOURCES, "programs.lua"), "8"])):
        best = dict.fromkeys(programs, 1e9)
        for _ in range(b.args.rounds * 3):
            for v, path in programs.items():
                best[v] = min(best[v], user_time([path, *argv]))
        print(f"| {name} | {best['plain']:.2f} s | {per_cent(best['selected'], best['plain'])} "
              f"| {per_cent(best['all'], best['plain'])} |", flush=True)


def percentiles(text):
    """p50 and p99 of lines of nanoseconds, in microseconds."""
    v = sorted(int(line) / 1000 for line in text.split())
    return v[len(v) // 2], v[len(v) * 99 // 100]


def latency(b):
    never = b.points("never", "* entry 0%")
    program = b.compile("latency.c", b.points("none", "# none"), "latency")
    commands = {("pingpong", "raw"): [program, "pingpong", "20000"]}
    for pages in ("shm", "uffd"):
        for what in ("switch", "call"):
            commands[what, pages] = b.run(never, program, what, "20000", options=["--pages", pages])
    got = {key: [] for key in commands}
    for _ in range(b.args.rounds):
        for key, argv in commands.items():
            got[key].append(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    print("\n| latency, one machine | p50 | p99 |\n|---|---|---|")
    for (what, pages), texts in got.items():
        title = {"pingpong": "ping-pong", "switch": "switch", "call": "system call on the other node"}[what]
        p50, p99 = percentiles("".join(texts))
        print(f"| {title}, {pages} | {p50:.1f} us | {p99:.1f} us |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each load (default: 3)")
    parser.add_argument("--other", default="local:amd64", help="other node (default: local:amd64)")
    parser.add_argument("--server", choices=list(SERVERS), action="append",
                        help="only this one (repeatable)")
    parser.add_argument("--part", choices=["overhead", "latency", "servers"], action="append",
                        help="only this one (repeatable)")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    with tempfile.TemporaryDirectory(prefix="chiral-bench-") as folder:
        for part in (overhead, latency, servers):
            if not args.part or part.__name__ in args.part:
                part(Bench(args, folder))


if __name__ == "__main__":
    main()
