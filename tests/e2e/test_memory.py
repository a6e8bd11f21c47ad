# SPDX-License-Identifier: Apache-2.0
"""The monitors stay small, and nothing grows."""
import asyncio
import os
import subprocess
import time

import pytest

import load
from chiral import LOCAL_LOCAL, rss_kib
from website import SMALL, Website

MONITOR_LIMIT_KIB = 50 * 1024
# What each process of an idle session has open, with a margin.
IDLE_FILES = 20


def guest_monitors_kib(guest):
    """Resident size of every chiral process in the guest."""
    script = ("for p in /proc/[0-9]*; do case $(readlink $p/exe) in */chiral) "
              "grep VmRSS $p/status;; esac; done; true")
    return [int(line.split()[1]) for line in guest.exec("sh", "-c", script).stdout.splitlines()]


@pytest.mark.limit(240)
def test_monitors_at_500_connections(chiral, combo, tmp_path):
    site = Website(chiral, combo, tmp_path, combo.guest if combo.uses_guest else None, files=SMALL)
    s = site.start()
    sizes = []

    async def go():
        clients = [load.Client(site.port, 200) for _ in range(500)]
        for c in clients:
            await c.open()
        await asyncio.gather(*[c.request("/f4096.bin") for c in clients])
        sizes.extend(rss_kib(p) for p in s.monitors())
        if combo.uses_guest:
            sizes.extend(guest_monitors_kib(combo.guest))
        await asyncio.gather(*[c.request("/f100000.bin") for c in clients])
        sizes.extend(rss_kib(p) for p in s.monitors())
        for c in clients:
            c.close()

    asyncio.run(go())
    assert sizes and max(sizes) < MONITOR_LIMIT_KIB, sizes
    site.assert_quiet()
    site.terminate()


def usage(session):
    """{pid: (resident KiB, open files, maps, name)} of everything a session has on this machine."""
    found = {}
    for pid, name in session.processes():
        with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as f:
            maps = len(f.readlines())
        found[pid] = (rss_kib(pid), len(os.listdir(f"/proc/{pid}/fd")), maps, name)
    return found


def idle_usage(session, limit_s=15):
    """usage() once the server has closed its connections: it lingers over some for seconds."""
    deadline = time.monotonic() + limit_s
    while True:
        found = usage(session)
        if all(u[1] <= IDLE_FILES for u in found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def growth(before, after):
    """The processes that hold more than noise makes: (before, after) of each."""
    assert before.keys() == after.keys()
    return [(before[pid], after[pid]) for pid, (rss, files, maps, _) in after.items()
            if rss > before[pid][0] * 1.1 + 2048 or files > before[pid][1] + 4
            or maps > before[pid][2] + 20]


@pytest.mark.limit(400)
def test_nothing_grows_over_100_000_requests(chiral, tmp_path):
    site = Website(chiral, LOCAL_LOCAL, tmp_path, files=SMALL)
    s = site.start()

    def ab(requests, *options, name="f1000.bin"):
        done = subprocess.run(["ab", "-q", "-n", str(requests), "-c", "10", *options,
                               f"http://127.0.0.1:{site.port}/{name}"],
                              capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr.decode() + s.story()
        assert b"Failed requests:        0" in done.stdout, done.stdout.decode()

    # What waits for the follower is bounded by the window: reach the bound before measuring.
    ab(5000, "-k", name="f100000.bin")
    ab(10000, name="f65536.bin")
    ab(10000)
    # How far a buffer grows towards that bound depends on how far the follower ever fell behind; what
    # leaks grows each time.
    before = idle_usage(s)
    for _ in range(3):
        ab(80000, "-k")
        ab(20000)
        after = idle_usage(s)
        grown = growth(before, after)
        if not grown:
            break
        before = after
    assert not grown, grown
    assert max(u[0] for u in after.values() if u[3] == "chiral") < MONITOR_LIMIT_KIB, after
    site.assert_quiet()
    site.terminate()


def test_large_transfer_does_not_stay(chiral, tmp_path):
    """200 MB through a session leave the monitors as small as they were."""
    site = Website(chiral, LOCAL_LOCAL, tmp_path, files={**SMALL, "big.bin": os.urandom(20 << 20)})
    s = site.start()
    for _ in range(10):
        load.fetch(site.port, "/big.bin")
    sizes = [rss_kib(p) for p in s.monitors()]
    assert sizes and max(sizes) < MONITOR_LIMIT_KIB, sizes
    s.assert_quiet()
    site.terminate()
