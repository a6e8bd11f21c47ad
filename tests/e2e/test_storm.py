# SPDX-License-Identifier: Apache-2.0
"""Signals by the thousand and processes by the thousand: the same in every variant, and nothing is left.
`make storm` runs these for longer than `make check` does."""
import os
import re
import signal
import subprocess
import time

import pytest

from chiral import LOCAL_LOCAL, NATIVE, read_proc, rss_kib, wait_until

LEVELS = ["async", "lockstep"]
# What allocators keep.
GROWTH_KIB = 1024
# The ring and the window, mapped and copied.
MONITOR_KIB = 64 << 10


@pytest.mark.limit(300)
@pytest.mark.parametrize("level", LEVELS)
def test_timer_signals(live, combo, level, request):
    """The program writes its count at every call, so that one handler more in one variant is an alarm."""
    seconds = request.config.getoption("--storm-seconds")
    s = live(combo, "storm", [str(seconds), "1000"], ["--level", level])
    s.expect(0, timeout=5 * seconds + 60)
    assert not s.alarms, s.story()
    said = re.fullmatch(rb"(\d+) signals, (\d+) nested, (\d+) rounds\n", s.stdout())
    signals, nested, rounds = map(int, said.groups())
    print(f"{combo} {level}: {said[0].decode()}", end="")
    # On an emulated processor several expiries are one signal.
    assert signals >= seconds * 20 and nested > seconds and rounds > seconds, s.story()


@pytest.mark.parametrize("how", ["ptrace", pytest.param("bpf", marks=pytest.mark.bpf)])
@pytest.mark.parametrize("role", ["leader", "follower"])
def test_continued_all_the_time(chiral, build, role, how):
    """SIGCONT takes back other signals that stop, the recorder's as well, and ends clone(2) early."""
    program = os.path.join(build, "tests", "live", f"recording.{NATIVE}")
    s = chiral.run(LOCAL_LOCAL, [program, "flood", "20000"], ["--capture", how])
    wait_until(lambda: s.status or not s.running(), 20, "the start")
    pid = next(v["pid"] for v in s.status[0]["variants"] if v["role"] == role)
    sent = 0
    while s.running():
        for _ in range(500):
            try:
                os.kill(pid, signal.SIGCONT)
                sent += 1
            except ProcessLookupError:
                break
        time.sleep(0.002)  # each is a stop: without a pause, what a slow machine makes of it is nothing else
    s.expect(0)
    assert not s.alarms and sent > 1000, (sent, s.story())


def sizes(pids):
    """{pid: (resident KiB, descriptors, threads)}"""
    return {p: (rss_kib(p), len(os.listdir(f"/proc/{p}/fd")), len(os.listdir(f"/proc/{p}/task")))
            for p in pids}


def zombies(pids):
    """Children of the session's processes that nobody has waited for."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        stat = read_proc(pid, "stat").rpartition(b")")[2].split()
        if stat and stat[0] == b"Z" and int(stat[1]) in pids:
            found.append(pid)
    return found


@pytest.mark.limit(600)
@pytest.mark.parametrize("level", LEVELS)
def test_processes_leave_nothing(live, level, request):
    """fork or vfork, exec, wait, exit: again and again."""
    count = request.config.getoption("--storm-processes")
    s = live(LOCAL_LOCAL, "trees", ["200", str(count)], ["--level", level], stdin=subprocess.PIPE)
    wait_until(lambda: s.stdout().count(b"done\n") == 1 or not s.running(), 120, "the first phase")
    assert s.running(), s.story()
    before = sizes(s.monitors())
    s.process.stdin.write(b"g")
    s.process.stdin.flush()
    wait_until(lambda: s.stdout().count(b"done\n") == 2 or not s.running(), 500, "the second phase")
    assert s.running(), s.story()
    # The follower may have some way to go.
    wait_until(lambda: len(s.variants()) == 2 and not zombies(s.monitors() + s.variants()), 30,
               "the end of all children")
    after = sizes(s.monitors())
    print(f"{level}: {before} -> {after}")
    assert before.keys() == after.keys()
    for pid, (rss, files, threads) in after.items():
        story = (pid, before[pid], after[pid])
        assert rss <= before[pid][0] + GROWTH_KIB, story
        assert files <= before[pid][1], story
        assert threads == before[pid][2], story
    s.process.stdin.write(b"e")
    s.process.stdin.flush()
    s.expect(0)
    assert not s.alarms, s.story()


@pytest.mark.limit(7200)
@pytest.mark.bpf
def test_recorded_calls_for_a_slow_follower(chiral, build, request):
    """Each call writes its number: one that was lost, doubled or out of order is an alarm."""
    count = request.config.getoption("--storm-calls")
    program = os.path.join(build, "tests", "live", f"recording.{NATIVE}")
    s = chiral.run(LOCAL_LOCAL, [program, "flood", str(count)], ["--capture", "bpf"])
    wait_until(lambda: s.variants() or not s.running(), 20, "the variants")
    monitors = s.monitors()
    os.setpriority(os.PRIO_PROCESS, max(monitors), 19)      # the follower's, which was started last
    largest = 0
    while s.running():
        largest = max([largest, *map(rss_kib, monitors)])
        time.sleep(0.1)
    s.expect(0, timeout=20)
    ended = s.status[-1]
    print(f"{ended['recorded']} recorded, {ended['completed']}, at most {largest} KiB", end="")
    assert not s.alarms and ended["recorded"] >= count, s.story()
    assert ended["completed"]["full"], "the follower was never behind"
    assert largest < MONITOR_KIB
