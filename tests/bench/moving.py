#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What moving costs: a table in Markdown of

- programs that do not switch, with points in all functions and in selected ones, compared with the
  same compiler, flags and C library without points (user time);
- a switch, and a system call on the other node, with one memory file and with two, compared with a raw
  ping-pong (all on this machine);
- nginx (wrk -t10 -c10, 4 KiB) at switch probabilities of 0, 1, 10 and 20 %.

Rounds are interleaved. Nothing else should run meanwhile. The first run builds the programs."""
import argparse
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
SOURCES = os.path.join(TESTS, "mtd")
sys.path.insert(0, os.path.join(TESTS, "e2e"))
from chiral import free_port  # noqa: E402 # pylint: disable=wrong-import-position
from mtd import build_program, write_points  # noqa: E402 # pylint: disable=wrong-import-position

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


NGINX = """\
daemon off; master_process off; pid {root}/pid; error_log {root}/error.log crit;
events {{ worker_connections 128; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {root}/t1;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def wait_for(port, process):
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server ended")


def requests_per_second(b, program, argv):
    port = free_port()
    with open(os.path.join(b.folder, "conf"), "w", encoding="ascii") as f:
        f.write(NGINX.format(root=b.folder, port=port))
    argv = argv + [program, "-c", os.path.join(b.folder, "conf"), "-p", b.folder,
                   "-e", os.path.join(b.folder, "log")]
    with subprocess.Popen(argv) as server:
        try:
            wait_for(port, server)
            out = subprocess.run(["wrk", "-t10", "-c10", f"-d{b.args.seconds}s",
                                  f"http://127.0.0.1:{port}/4k"], check=True, capture_output=True,
                                 text=True).stdout
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    return float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))


def servers(b):
    with open(os.path.join(b.folder, "4k"), "wb") as f:
        f.write(os.urandom(4096))
    selected = build_program(b.chiral, "nginx", "selected")
    plain = build_program(b.chiral, "nginx", "plain")
    with open(os.path.join(SOURCES, "points", "nginx"), encoding="ascii") as f:
        names = [line.split()[0] for line in f if not line.startswith("#")]
    variants = {"plain, alone": (plain, []), "selected points, alone": (selected, [])}
    for share in ("0%", "1%", "10%", "20%"):
        points = b.points("nginx" + share, *[f"{n} entry {share}" for n in names])
        variants["moves, " + share] = (selected, b.run(points))
    got = {name: [] for name in variants}
    for _ in range(b.args.rounds):
        for name, (program, argv) in variants.items():
            got[name].append(requests_per_second(b, program, argv))
    base = statistics.median(got["plain, alone"])
    print("\n| nginx | requests/s | |\n|---|---|---|")
    for name, values in got.items():
        m = statistics.median(values)
        print(f"| {name} | {m:.0f} | {per_cent(m, base)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each load (default: 3)")
    parser.add_argument("--other", default="local:amd64", help="other node (default: local:amd64)")
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
