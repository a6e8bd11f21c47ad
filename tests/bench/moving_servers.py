# SPDX-License-Identifier: Apache-2.0
"""Servers under load, for moving.py: what points cost that do not switch; and requests in a second of
Debian's package, of the same source built with `chiral cc` without points and with the selected ones, and
of the latter while it moves."""
import contextlib
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
import paired  # noqa: E402

# Away from home, and back.
SHARES = ("0% 0%", "1% 50%", "1% 1%", "10% 10%", "20% 20%")
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


def short_web(port):
    n = 5000
    out = subprocess.run(["taskset", "-c", LOAD_CPUS, "ab", "-q", "-k", "-c", "10", "-n", str(n),
                          f"http://127.0.0.1:{port}/4k"], check=True, capture_output=True, text=True).stdout
    assert re.search(r"Failed requests: +0$", out, re.M) and "Non-2xx" not in out, out
    return n


def short_redis(port):
    n = 4000
    subprocess.run(["taskset", "-c", LOAD_CPUS, "redis-benchmark", "-p", str(port), "-c", "10", "-n", str(n),
                    "-q", "-t", "set,get"], check=True, stdout=subprocess.DEVNULL)
    return 2 * n


SHORT = {"nginx": short_web, "lighttpd": short_web, "redis": short_redis}
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


@contextlib.contextmanager
def running(b, name, argv):
    """A server that is started for this: its process and its port."""
    port = free_port()
    root = os.path.join(b.folder, f"{name}-{port}")
    os.mkdir(root)
    os.symlink(os.path.join(b.folder, "www"), os.path.join(root, "www"))
    with subprocess.Popen(["taskset", "-c", SERVER_CPU, *argv, *SERVERS[name][0](root, port)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            yield server.pid, port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def measure(b, name, argv):
    """One load: requests a second, and processor time a request of the server with all its processes, in
    microseconds."""
    with running(b, name, argv) as (pid, port):
        before = processor_time(pid)
        requests, rate = SERVERS[name][1](b, port)
        return rate, (processor_time(pid) - before) / requests


def compare(b, name, base, other):
    """Ratios of processor time a request of two servers that run at the same time, and are asked in turns."""
    def one(pid, port):
        before = processor_time(pid)
        requests = SHORT[name](port)
        return (processor_time(pid) - before) / requests
    with running(b, name, base) as first, running(b, name, other) as second:
        measures = [lambda s=s: one(*s) for s in (first, second)]
        paired.ratios(measures, 2)  # the first requests are others
        return paired.ratios(measures, b.args.pairs)


def instructions(b, name, argv):
    """That the server executes for one request, without the kernel's: the median of a few."""
    counts = []
    with running(b, name, argv) as (pid, port), socket.create_connection(("127.0.0.1", port)) as s:
        for _ in range(30):
            one_request(name, s)
        with subprocess.Popen([os.path.join(b.folder, "steps"), str(pid)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as steps:
            steps.stdout.readline()
            for _ in range(6):
                one_request(name, s)
                steps.stdin.write("\n")
                steps.stdin.flush()
                counts.append(int(steps.stdout.readline()))
            steps.stdin.close()
    return statistics.median(b - a for a, b in zip(counts, counts[1:]))


def one_request(name, s):
    request, size = b"GET /4k HTTP/1.1\r\nHost: x\r\n\r\n", 4096
    if name == "redis":
        request, size = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\nabc\r\n", 5
    s.sendall(request)
    got = b""
    while len(got.split(b"\r\n\r\n", 1)[-1]) < size:
        more = s.recv(65536)
        assert more, "the server closed the connection"
        got += more


def overhead_of_servers(b):
    """Processor time and instructions a request of servers with selected points and with all, which do not
    switch, to those without points."""
    prepare(b)
    subprocess.run(["cc", "-O2", "-o", os.path.join(b.folder, "steps"),
                    os.path.join(os.path.dirname(os.path.abspath(__file__)), "steps.c")], check=True)
    print("\n| does not switch | points | processor time | instructions of a request | without points |"
          "\n|---|---|---|---|---|")
    for name in b.args.server or SERVERS:
        plain = [build_program(b.chiral, name, "plain")]
        base = instructions(b, name, plain)
        for points in "selected", "all":
            program = [build_program(b.chiral, name, points)]
            time_of = paired.per_cent(compare(b, name, plain, program))
            count = instructions(b, name, program)
            print(f"| {name} | {points} | {time_of} | {count:.0f} ({count / base - 1:+.1%}) | {base:.0f} |",
                  flush=True)


def prepare(b):
    assert shutil.which("wrk") and shutil.which("redis-benchmark") and shutil.which("ab"), \
        "tools/install-deps installs wrk, redis-benchmark and ab"
    www = os.path.join(b.folder, "www")
    if not os.path.exists(www):
        os.mkdir(www)
        with open(os.path.join(www, "4k"), "wb") as f:
            f.write(os.urandom(4096))


def variants(b, name):
    """What is measured: title and command line."""
    yield "Debian's package", [SERVERS[name][2]]
    yield "no points", [build_program(b.chiral, name, "plain")]
    selected = build_program(b.chiral, name, "selected")
    yield "selected points, alone", [selected]
    for share in SHARES:
        points = b.points(f"{name} {share}",
                          *[f"{n} entry {share}" for n in mtd_server.selected_points(name)])
        yield "moves, away {}, back {}".format(*share.split()), [*b.run(points), selected]


def servers(b):
    prepare(b)
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
