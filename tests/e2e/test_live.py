# SPDX-License-Identifier: Apache-2.0
"""Programs of tests/live: fork, exec, threads, signals, descriptors in every order. Each checks itself
and exits with 0; as two variants it has to do the same, without an alarm, at every level."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from chiral import EXIT_DIVERGENCE, LOCAL_LOCAL, read_proc, wait_until

LIVE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "live")
# Groups of live/calls: a file each.
GROUPS = sorted(os.path.basename(path)[:-2] for path in glob.glob(f"{LIVE}/calls/*.c"))
GROUPS.remove("main")

# name: program, arguments, exit status, options
RUNS = {
    "children": ("children", [], 0, []),
    "clocks": ("clocks", [], 0, []),
    "counter": ("counter", [], 0, []),
    "deaths": ("deaths", [], 0, []),
    "signals": ("signals", [], 0, []),
    "interrupts": ("interrupts", [], 0, []),
    "moments": ("moments", [], 0, []),
    "queues": ("queues", [], 0, []),
    "terminal": ("terminal", [], 0, []),
    "trees": ("trees", [], 0, []),
    "descriptors": ("descriptors", [], 0, []),
    "descriptors-local": ("descriptors", [], 0, ["--local", "/etc/passwd",
                                                 "--local", "/usr/lib"]),
    "recording": ("recording", [], 0, []),
    "threads": ("threads", ["many"], 0, []),
    "files": ("threads", ["files"], 0, []),
    "tells": ("threads", ["tells"], 0, []),
    "main-exits": ("threads", ["main-exits"], 0, []),
    "main-executes": ("threads", ["main-executes"], 0, []),
    "main-leaves": ("threads", ["main-leaves"], 0, []),
    "thread-executes": ("threads", ["thread-executes"], 0, []),
    "thread-exits": ("threads", ["thread-exits"], 23, []),
}


@pytest.mark.parametrize("level", ["async", "lockstep"])
@pytest.mark.parametrize("name", RUNS)
def test_live(live, combo, name, level):
    program, arguments, status, options = RUNS[name]
    s = live(combo, program, arguments, ["--level", level, *options])
    s.expect(status, timeout=110)
    assert not s.alarms, s.story()
    assert not s.processes(), s.story()


@pytest.mark.parametrize("how", ["ptrace", "bpf"])
@pytest.mark.parametrize("name", RUNS)
def test_the_smallest_window(live, tmp_path, name, how):
    """The leader stands still at each event. What its other threads do goes on."""
    program, arguments, status, options = RUNS[name]
    policy = tmp_path / "policy.yaml"
    policy.write_text("window:\n  events: 1\n")
    s = live(LOCAL_LOCAL, program, arguments, ["--policy", str(policy), "--capture", how, *options])
    s.expect(status, timeout=110)
    assert not s.alarms, s.story()


@pytest.mark.parametrize("level", ["async", "lockstep"])
@pytest.mark.parametrize("group", GROUPS)
def test_calls_of_a_group(live, group, level):
    s = live(LOCAL_LOCAL, "calls", [group], ["--level", level, "--env", "LIVE_ONE_ISA=1"])
    status = s.wait(timeout=110)
    assert status in (0, 77) and not s.alarms, s.story()
    if status == 77:
        pytest.skip(s.stdout().decode().splitlines()[-1])


@pytest.mark.limit(300)
@pytest.mark.parametrize("level", ["async", "lockstep"])
def test_calls(live, combo, level):
    """All groups in one session, each a program of its own: what failed is named."""
    s = live(combo, "calls", [], ["--level", level])
    status = s.wait(timeout=280)
    lines = s.stdout().decode(errors="replace").splitlines()
    failed = [line for line in lines if "FAILED" in line]
    assert status == 0 and not failed and not s.alarms, f"{failed} {lines[-3:]} {s.story()}"
    assert [line.split(":")[0] for line in lines if "(status" in line] == GROUPS, s.story()


def test_every_supported_call_has_a_live_test(build):
    if not shutil.which("strace"):
        pytest.skip("strace is missing: it tells which calls are each variant's own")
    done = subprocess.run([sys.executable, os.path.join(LIVE, "coverage.py"), "--build", build],
                          capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("level", ["async", "lockstep"])
def test_processor(live, combo, level, one_processor):
    """In threads, handlers, children and after exec the processor is the same everywhere."""
    s = live(combo, "cpu", options=["--level", level]).expect(0, timeout=60)
    places = ("main", "thread", "handler", "child", "executed")
    assert s.stdout().decode() == "".join(f"{place}: 0\n" for place in places), s.story()
    assert not s.alarms, s.story()


def leaders_variant(s):
    """The pid of the program that does the real work: its session names it."""
    started = wait_until(lambda: [e for e in s.status if e.get("event") == "started"], 10, "a start")
    return next(v["pid"] for v in started[0]["variants"] if v["role"] == "leader")


@pytest.mark.parametrize("level", ["async", "lockstep"])
def test_stopped_and_continued(chiral, level):
    """Job control of the leader's program is not the follower's business."""
    s = chiral.run(LOCAL_LOCAL, ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 0.1; echo $i; done"],
                   ["--level", level])
    pid = leaders_variant(s)
    for _ in range(3):
        time.sleep(0.1)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: b"(stopped)" in read_proc(pid, "status") or
                   b"(tracing stop)" in read_proc(pid, "status"), 5, "a stop")
        time.sleep(0.2)
        os.kill(pid, signal.SIGCONT)
    s.expect(0)
    assert s.stdout().split() == [b"%d" % i for i in range(1, 9)] and not s.alarms, s.story()


def test_killed_while_computing(chiral):
    """Neither variant makes a call: the follower ends as its leader does."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        s = chiral.run(LOCAL_LOCAL, ["sh", "-c", "while :; do :; done"])
        pid = leaders_variant(s)
        time.sleep(0.3)
        os.kill(pid, number)
        s.expect(128 + number, timeout=5)
        assert not s.alarms, s.story()


def test_hub_stopped_for_a_while(chiral):
    """Longer than a node may be silent."""
    s = chiral.run(LOCAL_LOCAL, ["sleep", "7"])
    leaders_variant(s)
    s.kill(signal.SIGTSTP)      # ^Z: a session cannot be suspended
    s.expect(0)
    assert not s.alarms, s.story()


@pytest.mark.parametrize("level", ["async", "lockstep"])
def test_goes_on_after_a_report(chiral, level):
    """The calls that waited when the alarm was made are executed when the session goes on."""
    s = chiral.run(LOCAL_LOCAL, ["sh", "-c", "test -e $0/not-there; cat /proc/self/cmdline >/dev/null; "
                                 "sleep 0.2; echo the end", "/nonexistent"],
                   ["--level", level, "--on-divergence", "report"])
    s.expect(0)
    assert s.stdout() == b"the end\n", s.story()


def test_report_then_end(live):
    """A follower that differs is dropped; the leader ends as it would alone."""
    s = live(LOCAL_LOCAL, "threads", ["many"], ["--level", "observe"])
    s.expect(0)
    assert EXIT_DIVERGENCE not in (s.process.returncode,)


@pytest.mark.parametrize("arguments,said", [(["differs"], False), (["differs", "thread"], True)])
def test_alarm_tells_of_threads(live, arguments, said):
    """Their order is not replicated: who reads the alarm has to know of them."""
    s = live(LOCAL_LOCAL, "threads", arguments)
    s.expect(EXIT_DIVERGENCE)
    assert ("2 threads were running" in s.alarms[0]["output"]) == said, s.story()
    assert s.alarms[0]["output_fields"]["chiral.threads"] == 1 + said
