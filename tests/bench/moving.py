#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What moving costs: tables in Markdown of

- overhead: programs that do not switch, with points in selected functions and in all, compared with the
  same compiler, flags and C library without points: kernels and Lua, and servers (moving_servers.py), whose
  instructions a request are counted too;
- latency: a switch, its parts, and a system call on the other node, with one memory file and with two,
  over a unix socket and over tcp, beside raw ping-pongs (all on this machine);
- servers at switch probabilities of 0, 1, 10 and 20 %: nginx and lighttpd with 4 KiB of wrk -c10, redis
  with PING, SET and GET of redis-benchmark -c10.

Rounds are interleaved. Nothing else should run meanwhile. The first run builds the programs."""
import argparse
import contextlib
import json
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
from moving_servers import SERVERS, overhead_of_servers, servers  # noqa: E402 # pylint: disable=wrong-import-position
import paired  # noqa: E402

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
                        "-I", os.path.join(os.path.dirname(TESTS), "src"), os.path.join(SOURCES, source), "-lm", "-o", out], check=True)
        return out

    def run(self, points, *argv, options=(), other=None):
        return [self.chiral, "run", "--mode", "mtd", "--other", other or self.args.other, "--points", points,
                *options, "--", *argv]


def processor_time(argv):
    """Seconds of a program that runs alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def overhead(b):
    kernels = {v: b.compile("kernels.c", p, "kernels-" + v) for v, p in (
        ("plain", b.points("none", "# none")), ("selected", b.points("selected", *KERNELS)),
        ("all", b.points("all", "*")))}
    lua = {v: build_program(b.chiral, "lua", v) for v in ("plain", "selected", "all")}
    print(f"\n| does not switch, {b.args.pairs} pairs | selected points | all points |\n|---|---|---|")
    for name, programs, argv in (("five kernels", kernels, ["1000"]),
                                 ("Lua", lua, [os.path.join(SOURCES, "programs.lua"), "2"])):
        got = []
        for variant in ("selected", "all"):
            measures = [lambda v=v: processor_time([programs[v], *argv]) for v in ("plain", variant)]
            got.append(paired.per_cent(paired.ratios(measures, b.args.pairs // 2)))
        print(f"| {name} | {' | '.join(got)} |", flush=True)
    overhead_of_servers(b)


def percentiles(text):
    """p50 and p99 of lines of nanoseconds, in microseconds."""
    v = sorted(int(line) / 1000 for line in text.split())
    return v[len(v) // 2], v[len(v) * 99 // 100]


@contextlib.contextmanager
def node(b, address):
    """A node of this machine behind a socket; its address."""
    with subprocess.Popen([b.chiral, "node", "--listen", address], stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if "listening on " in line:
                    yield line.split("listening on ")[1].strip()
                    return
            raise RuntimeError("the node does not listen")
        finally:
            process.terminate()


def latency(b):
    never = b.points("never", "* entry 0%")
    program = b.compile("latency.c", b.points("none", "# none"), "latency")
    with node(b, "tcp://127.0.0.1:0") as tcp, node(b, f"unix:{b.folder}/node") as unix:
        commands = {"raw ping-pong, unix socket": [program, "pingpong", "20000"],
                    "raw ping-pong, tcp": [program, "tcp", "20000"]}
        for title, other, pages in (("one memory file", b.args.other, "shm"), ("unix socket", unix, "uffd"),
                                    ("tcp", tcp, "uffd"), ("tcp, faults", tcp, "segv")):
            for what, words in (("switch", "switch"), ("call", "system call on the other node")):
                commands[f"{words}, {title}"] = b.run(never, program, what, "10000", other=other,
                                                      options=["--pages", pages])
        got = {title: [] for title in commands}
        for _ in range(b.args.rounds):
            for title, argv in commands.items():
                got[title].append(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    print("\n| latency, one machine | p50 | p99 |\n|---|---|---|")
    for title, texts in got.items():
        p50, p99 = percentiles("".join(texts))
        print(f"| {title} | {p50:.1f} us | {p99:.1f} us |", flush=True)
    parts(b, program)


PARTS = ("unwind", "send", "rewind", "draw the next count", "run to the next point")


def parts(b, program):
    """Medians of the parts of a switch, and pages a switch; a rare point makes the counts be drawn."""
    rare = b.points("rare", "* entry 0.0001%")
    print(f"\n| a switch, p50 | {' | '.join(PARTS)} | pages | page faults |\n"
          f"|---|{'---|' * (len(PARTS) + 2)}")
    for title, pages in (("one memory file", "shm"), ("two", "uffd"), ("two, faults", "segv")):
        rows, status = [], {}
        for _ in range(b.args.rounds):
            read, write = os.pipe()
            text = subprocess.run(b.run(rare, program, "parts", "5000", options=[
                "--pages", pages, "--json-status-fd", str(write)]), check=True, capture_output=True,
                text=True, pass_fds=[write]).stdout
            os.close(write)
            with os.fdopen(read) as f:
                status = json.loads(f.read().splitlines()[-1])["mtd"]
            rows += [[int(n) / 1000 for n in line.split()] for line in text.splitlines()]
        medians = " | ".join(f"{statistics.median(c):.2f} us" for c in zip(*rows))
        moved, faults = ((status[m] + status[n]) / status["switches"] for m, n in (
            ("pages_in", "pages_out"), ("faults", "other_faults")))
        print(f"| {title} | {medians} | {moved:.2f} | {faults:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--rounds", type=int, default=3, help="of latencies and servers (default: 3)")
    parser.add_argument("--pairs", type=int, default=60,
                        help="rounds of two servers that are compared (default: 60)")
    parser.add_argument("--seconds", type=int, default=1, help="of each load (default: 1)")
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
