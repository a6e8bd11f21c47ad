# SPDX-License-Identifier: Apache-2.0
"""Servers under load, for moving.py: requests in a second of Debian's package, of the same source built
with `chiral cc` without points and with the selected ones, and of the latter while it moves."""
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "e2e"))
from chiral import free_port  # noqa: E402 # pylint: disable=wrong-import-position
from mtd import build_program  # noqa: E402 # pylint: disable=wrong-import-position
import mtd_server  # noqa: E402 # pylint: disable=wrong-import-position

SHARES = ("0%", "1%", "10%", "20%")
# The server has one processor, the load the others: so the server is what is measured.
SERVER_CPU, LOAD_CPUS = "0", f"1-{max(1, os.cpu_count() - 1)}"

def load_web(b, port):
    out = subprocess.run(["taskset", "-c", LOAD_CPUS, "wrk", "-t1", "-c10", f"-d{b.args.seconds}s",
                          f"http://127.0.0.1:{port}/4k"], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    return int(re.search(r"(\d+) requests in", out).group(1)), \
        float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))


def load_redis(b, port):
    """PING (in both of its forms), SET and GET: all requests by the time of all."""
    n = b.args.seconds * 5000
    out = subprocess.run(["taskset", "-c", LOAD_CPUS, "redis-benchmark", "-p", str(port), "-c", "10",
                          "-n", str(n), "-q", "-t", "ping,set,get"],
                         check=True, capture_output=True, text=True).stdout
    rates = [float(r) for r in re.findall(r"([\d.]+) requests per second", out)]
    assert len(rates) == 4, out
    return n * len(rates), statistics.harmonic_mean(rates)


SERVERS = {
    "nginx": (mtd_server.nginx, load_web, "/usr/sbin/nginx"),
    "lighttpd": (mtd_server.lighttpd, load_web, "/usr/sbin/lighttpd"),
    "redis": (mtd_server.redis, load_redis, "/usr/bin/redis-server"),
}


def wait_for(port, process):
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server ended")


def processor_time(pid):
    """Microseconds, of a process and all below it."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        used = int(f.read().split()[0]) / 1000
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return used + sum(processor_time(int(child)) for child in f.read().split())


def measure(b, name, argv):
    """One load on a server that is started for it: requests a second, and processor time a request of
    the server with all its processes, in microseconds."""
    options, load, _ = SERVERS[name]
    port = free_port()
    with subprocess.Popen(["taskset", "-c", SERVER_CPU, *argv, *options(b.folder, port)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            before = processor_time(server.pid)
            requests, rate = load(b, port)
            return rate, (processor_time(server.pid) - before) / requests
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def variants(b, name):
    """What is measured: title and command line."""
    yield "Debian's package", [SERVERS[name][2]]
    yield "no points", [build_program(b.chiral, name, "plain")]
    selected = build_program(b.chiral, name, "selected")
    yield "selected points, alone", [selected]
    for share in SHARES:
        points = b.points(name + share, *[f"{n} entry {share}" for n in mtd_server.selected_points(name)])
        yield "moves, " + share, [*b.run(points), selected]


def servers(b):
    assert shutil.which("wrk") and shutil.which("redis-benchmark"), "tools/install-deps installs wrk"
    os.mkdir(os.path.join(b.folder, "www"))
    with open(os.path.join(b.folder, "www", "4k"), "wb") as f:
        f.write(os.urandom(4096))
    for name in b.args.server or SERVERS:
        todo = dict(variants(b, name))
        got = {title: [] for title in todo}
        for _ in range(b.args.rounds):
            for title, argv in todo.items():
                got[title].append(measure(b, name, argv))
        report(name, got)


def report(name, got):
    """Ratios of processor time, which others on the machine disturb less than the rate; made within a
    round, so that what slows down a whole round does not count."""
    print(f"\n| {name} | requests/s | processor time of one | to no points: median | from, to |"
          "\n|---|---|---|---|---|")
    for title, values in got.items():
        ratios = sorted((v[1] / base[1] - 1) * 100 for v, base in zip(values, got["no points"]))
        rate, used = (statistics.median(v[i] for v in values) for i in (0, 1))
        print(f"| {title} | {rate:.0f} | {used:.1f} us | {statistics.median(ratios):+.1f} % "
              f"| {ratios[0]:+.1f}, {ratios[-1]:+.1f} |", flush=True)
