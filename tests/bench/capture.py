#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What capturing costs a leader, natively compared: lighttpd, nginx and redis on this machine, with wrk
-t10 -c10 on a page of 4 KB or 10 connections of redis-benchmark.

The program runs natively, under `chiral record --discard` (capture alone: events are made and dropped),
under `chiral record -o` (to a file) and in a session with a follower on this machine. In every round each
load is put on each of them once, in random order, one at a time: the programs that record are in the kernel
only while their session runs. Servers have processor 0, everything else (load and monitors) the others.
Told are medians: the rate, its ratio to the native rate of the same round with its spread, processor time
per request of server, of Chiral and of the load generator, and how much more of server and Chiral that is
than natively. Then: what a call costs a process that is in no session, without one and while one runs.
"""
import argparse
import os
import random
import resource
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
sys.path.insert(0, HERE)
from bench import PROGRAMS, Bed, version_of, wrk  # noqa: E402
from chiral import LOCAL_LOCAL, Session, exe, read_proc, wait_until  # noqa: E402

WAYS = {"native": "native", "alone": "capture alone", "file": "to a file", "session": "session"}
LOADS = {"lighttpd": [("4k", 10, True), ("4k", 10, False)], "nginx": [("4k", 10, True), ("4k", 10, False)],
         "redis": ["PING_INLINE", "GET", "SET"]}
ALONE_BARS = {True: 0.90, False: 0.97}
CPU_BAR = 1.35


def processor_time(pid):
    """Nanoseconds of all threads of a process."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        stat = read_proc(pid, f"task/{task}/schedstat").split()
        total += int(stat[0]) if stat else 0
    return total


class Server:
    def __init__(self, bed, name, way, args):
        self.name, self.way, self.args, self.bed = name, way, args, bed
        self.folder = tempfile.mkdtemp(dir=bed.folder)
        self.program = PROGRAMS[name](bed, LOCAL_LOCAL, self.folder)
        self.session, self.server, self.monitor = None, [], []
        self.rate = 10000

    def start(self):
        how = ["--capture", self.args.capture]
        commands = {"alone": ["record", "--discard", *how],
                    "file": ["record", "-o", os.path.join(self.folder, "record"), *how],
                    "session": ["run", "--follower", "local", *how]}
        if self.way == "native":
            self.session = Session(None, [], self.program.program)
        else:
            self.session = Session(self.bed.path, commands[self.way], self.program.program, status=False)
        self.bed.chiral.sessions.append(self.session)
        self.program.wait_ready(self.session)
        self.place()

    def place(self):
        """Servers to the first processor, all else to the others. A follower's program only repeats."""
        others = set(os.sched_getaffinity(0)) - {0} or {0}
        everybody = family({self.session.pid})
        chiral = {p for p in everybody if exe(p) == os.path.realpath(self.bed.path)}
        followers = self.followers(chiral)
        self.server = list(everybody - chiral - followers)
        self.monitor = list(chiral | followers)
        for pids, cpus in ((self.server, {0}), (self.monitor, others)):
            for pid in pids:
                for task in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(task), cpus)
                if self.args.first:
                    prefer(pid)

    @staticmethod
    def followers(chiral):
        """Variants whose monitor has a thread less than a leader's: it captures nothing."""
        alone = {p for p in chiral if len(os.listdir(f"/proc/{p}/task")) == 1}
        return family({c for p in alone for c in children(p)} - chiral)

    def load(self, what, seconds):
        """(requests per second, requests)"""
        if self.name != "redis":
            rate = wrk(self.program.port, *what, seconds, threads=10)
            return rate, rate * seconds
        requests = max(self.rate * seconds, 1000)
        self.rate = self.program.run(what, requests)
        return self.rate, requests

    def times(self):
        """Nanoseconds of the server, of Chiral, and of all loads so far."""
        loads = resource.getrusage(resource.RUSAGE_CHILDREN)
        return [*(sum(map(processor_time, pids)) for pids in (self.server, self.monitor)),
                (loads.ru_utime + loads.ru_stime) * 1e9]

    def measure(self, what, seconds):
        before = self.times()
        rate, requests = self.load(what, seconds)
        after = self.times()
        assert self.session.running(), self.session.story()
        return (rate, *((a - b) / requests / 1000 for a, b in zip(after, before)))

    def end(self):
        self.session.end()
        self.bed.chiral.sessions.remove(self.session)


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += [int(p) for p in read_proc(pid, f"task/{task}/children").split()]
    return found


def family(pids):
    """These processes and all below them. Servers may overwrite what would tell them otherwise."""
    found, wave = set(), set(pids)
    while wave:
        found |= wave
        wave = {c for p in wave for c in children(p)} - found
    return found


def prefer(pid):
    """Before everything else that runs on this machine."""
    os.setpriority(os.PRIO_PROCESS, pid, -15)
    with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as f:
        f.write("-19")


def tell(name, what, found):
    native = found["native"]
    what = what if isinstance(what, str) else f"{what[0]}, keep-alive {'on' if what[2] else 'off'}"
    for way, title in WAYS.items():
        if way not in found:
            continue
        rates, server, chiral, loads = zip(*found[way])
        ratios = [r / n[0] for r, n in zip(rates, native)]
        more = [(s + c) / (n[1] + n[2]) for s, c, n in zip(server, chiral, native)]
        print(f"| {name} | {what} | {title} | {statistics.median(rates):.0f} | "
              f"{statistics.median(ratios):.2f} | {min(ratios):.2f}-{max(ratios):.2f} | "
              f"{statistics.median(server):.1f} | {statistics.median(chiral):.1f} | "
              f"{statistics.median(loads):.1f} | {statistics.median(more):.2f} |")
    sys.stdout.flush()


def judge(name, what, found):
    keep = what[2] if isinstance(what, tuple) else True
    if name == "nginx" or "alone" not in found:
        return
    ratio = statistics.median(a[0] / n[0] for a, n in zip(found["alone"], found["native"]))
    more = statistics.median((a[1] + a[2]) / n[1] for a, n in zip(found["alone"], found["native"]))
    for text, value, bar, met in (("of the native rate", ratio, ALONE_BARS[keep], ratio >= ALONE_BARS[keep]),
                                  ("of the native processor time", more, CPU_BAR, more <= CPU_BAR)):
        print(f"  {name} {what}, capture alone: {value:.2f} {text}, bar {bar:.2f}: "
              f"{'met' if met else 'NOT met'}", file=sys.stderr)


def measure(bed, name, args, rng):
    servers = [Server(bed, name, way, args) for way in ["native", *args.way]]
    for what in LOADS[name]:
        found = {}
        for _ in range(args.rounds):
            for server in rng.sample(servers, len(servers)):
                server.start()
                server.load(what, 1)
                found.setdefault(server.way, []).append(server.measure(what, args.seconds))
                server.end()
        tell(name, what, found)
        judge(name, what, found)


def call_time():
    """Nanoseconds of the quickest of many short runs of a call and its loop."""
    best = float("inf")
    for _ in range(300):
        start = time.perf_counter_ns()
        for _ in range(1000):
            os.getppid()
        best = min(best, (time.perf_counter_ns() - start) / 1000)
    return best


def measure_outside(bed, args):
    without, during = [], []
    for _ in range(args.rounds):
        without.append(call_time())
        session = bed.chiral.start(["record", "--discard", "--capture", args.capture],
                                   ["/bin/sh", "-c", "echo runs; exec sleep 1000"])
        wait_until(session.stdout, 20, "the program's first call")
        during.append(call_time())
        session.end()
    print(f"\nA call of a process in no session: {min(without):.0f} ns, while one runs {min(during):.0f} ns")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--rounds", type=int, default=7, help="at least 5 for a figure to publish")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default: 3)")
    parser.add_argument("--capture", default="bpf", help="bpf or ptrace")
    parser.add_argument("--program", choices=PROGRAMS, action="append",
                        help="only this one (repeatable; default: all)")
    parser.add_argument("--way", choices=[w for w in WAYS if w != "native"], action="append",
                        help="only this one, besides natively (repeatable; default: all)")
    parser.add_argument("--first", action="store_true",
                        help="run before what else this machine does (root)")
    args = parser.parse_args()
    args.build, args.level = os.path.abspath(args.build), "async"
    args.way = args.way or [w for w in WAYS if w != "native"]
    if args.first:
        prefer(os.getpid())
    os.sched_setaffinity(0, set(os.sched_getaffinity(0)) - {0} or {0})
    bed = Bed(args)
    names = args.program or list(PROGRAMS)
    print(f"{', '.join(map(version_of, names))}; capture by {args.capture}, {args.rounds} rounds of "
          f"{args.seconds} s, {os.cpu_count()} CPUs\n")
    print("| program | load | way | req/s | of native | spread | server us/req | Chiral us/req | "
          "load us/req | processor time of native |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    try:
        for name in names:
            measure(bed, name, args, random.Random(1))
        measure_outside(bed, args)
    finally:
        bed.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
