#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much slower a server is under Chiral: lighttpd, nginx and redis natively, under `strace -f -o
/dev/null` and under Chiral, on the same node, in the same minute.

Every way of running a server on a node is there for the whole measurement, each on its own port; in every
round each load is put on each of them once, in random order, by wrk or redis-benchmark on this machine. A
server in the microVM is reached through a published port in all three cases alike, so that the emulated
network costs all of them the same. What is told is the median of each ratio native / other within a
round, so that drifts of the machine cancel out, and its spread. More than 1 means slower.
"""
import argparse
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import load  # noqa: E402
from chiral import (LOCAL_LOCAL, LOCAL_MICROVM, MICROVM_LOCAL, Chiral, Guest, Session,  # noqa: E402
                    free_port, wait_until)
from website import GUEST_ROOT, LIGHTTPD, Website  # noqa: E402

SIZES = {"1k": 1024, "4k": 4096, "100k": 102400}
WARM_UP = 2
BAR = 6.0   # times slower than native, at most: 1 KB, 10 connections, keep-alive, microvm -> local


def wrk(port, size, connections, keep, seconds, threads=1):
    """Requests per second."""
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"]
    if not keep:
        command += ["-H", "Connection: close"]
    out = subprocess.run([*command, f"http://127.0.0.1:{port}/{size}"], check=True,
                         capture_output=True, text=True, timeout=seconds + 60).stdout
    bad = re.search(r"Non-2xx.*|Socket errors: connect [1-9].*|Socket errors:.*read [1-9].*", out)
    if bad and (keep or "Non-2xx" in bad.group(0)):
        print(f"  port {port}: {bad.group(0).strip()}", file=sys.stderr)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


class Web:
    """What lighttpd and nginx have in common. A load is (file, connections, keep-alive)."""

    columns = ["file", "connections", "keep-alive"]

    @staticmethod
    def cells(what):
        return [what[0], str(what[1]), "on" if what[2] else "off"]

    def wait_ready(self, session):
        load.wait_ready(self.port, session, path="/4k")

    def measure(self, what, seconds):
        """Requests per second. An asynchronous leader runs ahead until the window is full: not counted
        are the first seconds, in which it does."""
        wrk(self.port, *what, WARM_UP)
        return wrk(self.port, *what, seconds)


class Lighttpd(Web):
    packages = ["lighttpd"]
    version = [LIGHTTPD, "-v"]

    def __init__(self, bed, combo, folder):
        files = {name: os.urandom(size) for name, size in SIZES.items()}
        self.site = Website(bed.chiral, combo, folder, bed.guest, files=files)
        self.port, self.program = self.site.port, self.site.program

    @staticmethod
    def loads(args):
        return [(size, connections, keep) for size in args.sizes for connections in (1, 10)
                for keep in (True, False)]


NGINX = """
daemon off;
user root;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 256; }}
http {{
	access_log {root}/access.log;
	sendfile on;
	keepalive_requests 100000000;
	client_body_temp_path {root}/body;
	proxy_temp_path {root}/proxy;
	fastcgi_temp_path {root}/fastcgi;
	uwsgi_temp_path {root}/uwsgi;
	scgi_temp_path {root}/scgi;
	server {{ listen {address}:{port}; root {root}/www; }}
}}
"""


class Nginx(Web):
    """One worker."""

    packages = ["nginx"]
    version = ["/usr/sbin/nginx", "-v"]

    def __init__(self, bed, combo, folder):
        self.port = free_port()
        root = f"{GUEST_ROOT}/{self.port}" if combo.leads_in_guest else folder
        files = {"nginx.conf": NGINX.format(root=root, address=combo.address(),
                                            port=self.port).encode(),
                 "www/4k": os.urandom(SIZES["4k"])}
        bed.put(combo, root, files)
        self.program = ["/usr/sbin/nginx", "-e", f"{root}/error.log", "-c", f"{root}/nginx.conf"]

    @staticmethod
    def loads(_args):
        return [("4k", 10, True)]


class Redis:
    """A load is a test of redis-benchmark."""

    packages = ["redis-server"]
    version = ["redis-server", "--version"]
    columns = ["test", "connections"]
    connections = 10

    def __init__(self, bed, combo, folder):
        self.port = free_port()
        root = f"{GUEST_ROOT}/{self.port}" if combo.leads_in_guest else folder
        bed.put(combo, root, {"empty": b""})
        self.program = ["redis-server", "--port", str(self.port), "--bind", combo.address(), "--dir",
                        root, "--protected-mode", "no", "--save", ""]

    @staticmethod
    def loads(_args):
        return ["PING_INLINE", "GET", "SET"]

    def cells(self, what):
        return [what, str(self.connections)]

    def wait_ready(self, session):
        wait_until(lambda: subprocess.run(["redis-cli", "-p", str(self.port), "ping"], check=False,
                                          capture_output=True).stdout == b"PONG\n" or
                   not session.running(), 60, "redis-server")

    def run(self, what, requests):
        out = subprocess.run(["redis-benchmark", "-p", str(self.port), "-c", str(self.connections),
                              "-t", what.lower(), "-n", str(int(requests)), "--csv"], check=True,
                             capture_output=True, text=True, timeout=300).stdout
        return float(re.search(rf'"{what}","([\d.]+)"', out).group(1))

    def measure(self, what, seconds):
        rate = self.run(what, 300)
        rate = self.run(what, max(rate * WARM_UP, 300))     # the window is full after it
        return self.run(what, max(rate * seconds, 300))


PROGRAMS = {"lighttpd": Lighttpd, "nginx": Nginx, "redis": Redis}


class Server:
    """One program in one way of running it."""

    def __init__(self, bed, kind, mode, combo):
        self.mode, self.combo, self.bed = mode, combo, bed
        self.program = kind(bed, combo, tempfile.mkdtemp(dir=bed.folder))
        self.session = None

    def start(self):
        program = self.program.program
        if self.mode == "strace":
            program = ["strace", "-f", "-o", "/dev/null", *program]
        if self.mode == "chiral":
            self.session = self.bed.chiral.run(self.combo, program, self.bed.options,
                                               port=self.program.port)
        elif self.combo.leads_in_guest:
            self.session = Session(self.bed.path, ["microvm", "exec"], program, status=False)
        else:
            self.session = Session(None, [], program)
        self.bed.chiral.sessions.append(self.session)
        self.program.wait_ready(self.session)

    def measure(self, what, seconds):
        rate = self.program.measure(what, seconds)
        assert self.session.running(), self.session.story()
        return rate

    def end(self):
        """strace leaves its program running when it is ended: end both."""
        if self.mode == "strace" and not self.combo.leads_in_guest:
            os.killpg(self.session.pid, signal.SIGTERM)
        self.session.end()


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
            self.guest.start(["strace", *[p for k in PROGRAMS.values() for p in k.packages]])

    def put(self, combo, root, files):
        """Files below a folder of the leader's node."""
        if combo.leads_in_guest:
            self.guest.put(root, files)
            return
        for name, data in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)

    def publish(self, ports):
        """Native servers in the microVM need published ports as well: an idle session has them, which
        is returned."""
        options = []
        for p in ports:
            options += ["--publish", f"{p}:{p}"]
        s = self.chiral.start(["run", "--leader", "microvm", "--follower", "local", *options],
                              ["/bin/sleep", "100000"])
        wait_until(lambda: s.status or not s.running(), 60, "the ports")
        assert s.running(), s.story()
        return s

    def close(self):
        self.chiral.close()
        if self.guest:
            self.guest.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def measure_node(servers, args):
    """{(server, load): [rate of each round]}"""
    rng = random.Random(1)
    found = {}
    for number in range(args.rounds):
        for what in servers[0].program.loads(args):
            for server in rng.sample(servers, len(servers)):
                found.setdefault((server, what), []).append(server.measure(what, args.seconds))
                time.sleep(0.2)
        print(f"  round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    return found


def cell(native, other):
    ratios = [n / o for n, o in zip(native, other)]
    return (f"{statistics.median(other):.0f}", f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f}-{max(ratios):.2f}")


def table(title, native, others, found, args):
    columns = native.program.columns
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " | native req/s |"
          + "".join(f" {name} req/s | times slower | spread |" for name, _ in others))
    print("|---" * (len(columns) + 1) + "|" + "---|---|---|" * len(others))
    for what in native.program.loads(args):
        base = found[native, what]
        row = [*native.program.cells(what), f"{statistics.median(base):.0f}"]
        for _, server in others:
            row += cell(base, found[server, what])
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def ratio(found, native, other, what):
    return statistics.median(n / o for n, o in zip(found[native, what], found[other, what]))


def measure(bed, name, node, args):
    """One program with its leader on one node: measures and prints."""
    kind, idle = PROGRAMS[name], None
    if node == "local":
        native, strace = (Server(bed, kind, mode, LOCAL_LOCAL) for mode in ("native", "strace"))
        far, near = Server(bed, kind, "chiral", LOCAL_MICROVM), Server(bed, kind, "chiral", LOCAL_LOCAL)
        others = [("strace", strace), ("Chiral, follower in the microVM", far),
                  ("Chiral, follower on the same host", near)]
    else:
        native, strace, here = (Server(bed, kind, mode, MICROVM_LOCAL)
                                for mode in ("native", "strace", "chiral"))
        others = [("strace", strace), ("Chiral, follower on the host", here)]
        idle = bed.publish([native.program.port, strace.program.port])
    servers = [native, *[s for _, s in others]]
    for s in servers:
        s.start()
    found = measure_node(servers, args)
    table(f"{name}, leader: {node}", native, others, found, args)
    if name == "lighttpd" and node == "microvm" and "1k" in args.sizes:
        r = ratio(found, native, here, ("1k", 10, True))
        print(f"\nBar (1 KB, 10 connections, keep-alive, leader in the microVM): {r:.2f} times "
              f"slower than native, at most {BAR:.0f}: {'met' if r <= BAR else 'NOT met'}")
    for s in servers:
        s.end()
    if idle:
        idle.end()


def version_of(name):
    done = subprocess.run(PROGRAMS[name].version, capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).splitlines()[0].split(" (")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 for a figure to publish")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default: 3)")
    parser.add_argument("--level", default="async", help="async, lockstep or observe")
    parser.add_argument("--program", choices=PROGRAMS, action="append",
                        help="only this one (repeatable; default: all)")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES,
                        help="of lighttpd's files")
    parser.add_argument("--node", choices=["local", "microvm"], action="append",
                        help="leader's node (repeatable; default: both)")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    bed = Bed(args)
    names = args.program or list(PROGRAMS)
    print(f"{', '.join(map(version_of, names))}; wrk -t1, redis-benchmark; level {args.level}, "
          f"{args.rounds} rounds of {args.seconds} s, {os.cpu_count()} CPUs")
    try:
        bed.need_guest()
        for name in names:
            for node in args.node or ["local", "microvm"]:
                measure(bed, name, node, args)
    finally:
        bed.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
