#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much slower a server is under Chiral: lighttpd natively, under `strace -f -o /dev/null` and under
Chiral, on the same node, in the same minute.

Every server of a node runs for the whole measurement, each on its own port; in every round each load is
put on each of them once, in random order, by wrk on this machine. A server in the microVM is reached
through a published port in all three cases alike, so that the emulated network costs all of them the
same. What is told is the median of each ratio native / other within a round, so that drifts of the
machine cancel out, and its spread. More than 1 means slower.
"""
import argparse
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import load  # noqa: E402
from chiral import (LOCAL_LOCAL, LOCAL_MICROVM, MICROVM_LOCAL, Chiral, Guest, Session)  # noqa: E402
from website import LIGHTTPD, Website  # noqa: E402

SIZES = {"1k": 1024, "4k": 4096, "100k": 102400}
WARM_UP = 2
BAR = 6.0   # times slower than native, at most: 1 KB, 10 connections, keep-alive, microvm -> local


class Server:
    """One lighttpd in one way of running it."""

    def __init__(self, bed, mode, combo):
        self.mode, self.combo = mode, combo
        folder = tempfile.mkdtemp(dir=bed.folder)
        files = {name: os.urandom(size) for name, size in SIZES.items()}
        self.site = Website(bed.chiral, combo, folder, bed.guest, files=files)
        self.port = self.site.port
        self.bed = bed

    def start(self):
        program = self.site.program
        if self.mode == "strace":
            program = ["strace", "-f", "-o", "/dev/null", *program]
        if self.mode == "chiral":
            self.session = self.bed.chiral.run(self.combo, program, self.bed.options, port=self.port)
        elif self.combo.leads_in_guest:
            self.session = Session(self.bed.path, ["microvm", "exec"], program, status=False)
        else:
            self.session = Session(None, [], program)
        self.bed.chiral.sessions.append(self.session)
        load.wait_ready(self.port, self.session, path="/1k")

    def end(self):
        """strace leaves its program running when it is ended: end both."""
        if self.mode == "strace" and not self.combo.leads_in_guest:
            os.killpg(self.session.pid, signal.SIGTERM)
        self.session.end()

    def measure(self, size, connections, keep, seconds):
        """Requests per second. An asynchronous leader runs ahead until the window is full: not counted
        are the first seconds, in which it does."""
        self.wrk(size, connections, keep, WARM_UP)
        return self.wrk(size, connections, keep, seconds)

    def wrk(self, size, connections, keep, seconds):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"]
        if not keep:
            command += ["-H", "Connection: close"]
        out = subprocess.run([*command, f"http://127.0.0.1:{self.port}/{size}"], check=True,
                             capture_output=True, text=True, timeout=seconds + 60).stdout
        bad = re.search(r"Non-2xx.*|Socket errors: connect [1-9].*|Socket errors:.*read [1-9].*", out)
        if bad and (keep or "Non-2xx" in bad.group(0)):
            print(f"  {self.mode} {self.combo}: {bad.group(0).strip()}", file=sys.stderr)
        assert self.session.running(), self.session.story()
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


class Bed:
    def __init__(self, args):
        self.path = os.path.join(args.build, "chiral")
        self.options = ["--level", args.level]
        self.chiral = Chiral(self.path)
        self.guest = None
        self.folder = tempfile.mkdtemp(prefix="chiral-bench-")

    def need_guest(self):
        if not self.guest:
            self.guest = Guest(self.path)
            self.guest.start(["lighttpd", "strace"])

    def publish(self, ports):
        """Native servers in the microVM need published ports as well: an idle session has them."""
        options = []
        for p in ports:
            options += ["--publish", f"{p}:{p}"]
        s = self.chiral.start(["run", "--leader", "microvm", "--follower", "local", *options],
                              ["/bin/sleep", "100000"])
        time.sleep(2)
        assert s.running(), s.story()

    def close(self):
        self.chiral.close()
        if self.guest:
            self.guest.stop()
        subprocess.run(["rm", "-rf", self.folder], check=False)


def loads(args):
    for size in args.sizes:
        for connections in (1, 10):
            for keep in (True, False):
                yield size, connections, keep


def measure_node(bed, servers, args):
    """{(server, load): [requests per second of each round]}"""
    rng = random.Random(1)
    found = {}
    for number in range(args.rounds):
        for what in loads(args):
            for server in rng.sample(servers, len(servers)):
                rate = server.measure(*what, args.seconds)
                found.setdefault((server, what), []).append(rate)
                time.sleep(0.2)
        print(f"  round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    return found


def cell(native, other):
    ratios = [n / o for n, o in zip(native, other)]
    return (f"{statistics.median(other):.0f}", f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f}-{max(ratios):.2f}")


def table(title, native, others, found, args):
    print(f"\n### {title}\n")
    print("| file | connections | keep-alive | native req/s |"
          + "".join(f" {name} req/s | times slower | spread |" for name, _ in others))
    print("|---|---|---|---|" + "---|---|---|" * len(others))
    for what in loads(args):
        size, connections, keep = what
        base = found[native, what]
        row = [size, str(connections), "on" if keep else "off", f"{statistics.median(base):.0f}"]
        for _, server in others:
            row += cell(base, found[server, what])
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def ratio(found, native, other, what):
    return statistics.median(n / o for n, o in zip(found[native, what], found[other, what]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 for a figure to publish")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default: 3)")
    parser.add_argument("--level", default="async", help="async, lockstep or observe")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--node", choices=["local", "microvm"], action="append",
                        help="leader's node (repeatable; default: both)")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    bed = Bed(args)
    version = subprocess.run([LIGHTTPD, "-v"], capture_output=True, text=True, check=True).stdout
    print(f"{version.split(' (')[0]}, wrk -t1, level {args.level}, {args.rounds} rounds of "
          f"{args.seconds} s, {os.cpu_count()} CPUs")
    try:
        bed.need_guest()
        for node in args.node or ["local", "microvm"]:
            if node == "local":
                native, strace = Server(bed, "native", LOCAL_LOCAL), Server(bed, "strace", LOCAL_LOCAL)
                far, near = Server(bed, "chiral", LOCAL_MICROVM), Server(bed, "chiral", LOCAL_LOCAL)
                servers = [native, strace, far, near]
                others = [("strace", strace), ("Chiral, follower in the microVM", far),
                          ("Chiral, follower on the same host", near)]
            else:
                native = Server(bed, "native", MICROVM_LOCAL)
                strace, here = Server(bed, "strace", MICROVM_LOCAL), Server(bed, "chiral", MICROVM_LOCAL)
                servers = [native, strace, here]
                others = [("strace", strace), ("Chiral, follower on the host", here)]
                bed.publish([native.port, strace.port])
            for s in servers:
                s.start()
            found = measure_node(bed, servers, args)
            table(f"Leader: {node}", native, others, found, args)
            if node == "microvm" and "1k" in args.sizes:
                r = ratio(found, native, here, ("1k", 10, True))
                print(f"\nBar (1 KB, 10 connections, keep-alive, leader in the microVM): {r:.2f} times "
                      f"slower than native, at most {BAR:.0f}: {'met' if r <= BAR else 'NOT met'}")
            for s in servers:
                s.end()
    finally:
        bed.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
