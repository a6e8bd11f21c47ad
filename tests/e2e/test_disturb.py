# SPDX-License-Identifier: Apache-2.0
"""A leader that tries not to be seen: every call of it is in its stream all the same, whoever captures."""
import os
import re

import pytest

from chiral import LOCAL_LOCAL, NATIVE

HOW = ["ptrace", pytest.param("bpf", marks=pytest.mark.bpf)]


@pytest.fixture(scope="module")
def disturb(build):
    return os.path.join(build, "tests", "live", f"disturb.{NATIVE}")


def record(chiral, disturb, how, attack, path, status=0):
    """Calls of the stream, without those of the start."""
    s = chiral.start(["record", "--capture", how, "-o", path], [disturb, attack], status=False)
    s.expect(status, timeout=100)
    done = chiral.command("trace", path)
    assert done.returncode == 0, done.stderr
    calls = [line.split(" ", 1)[1] for line in done.stdout.decode(errors="replace").splitlines()]
    return [re.sub(r"^<\.\.\. \S+ resumed> ", "", c) for c in calls if not c.endswith(" = ?")]


def count(calls, pattern):
    return sum(1 for c in calls if re.match(pattern, c))


@pytest.mark.parametrize("how", HOW)
def test_threads(chiral, disturb, tmp_path, how):
    """1024 threads at once, 20 calls each."""
    calls = record(chiral, disturb, how, "threads", str(tmp_path / "record"))
    assert count(calls, r"write\(\d+, .*, 3000\) = 3000$") == 1024 * 20
    assert count(calls, r'write\(1, "done') == 1


@pytest.mark.parametrize("how", HOW)
def test_races(chiral, disturb, tmp_path, how):
    """Memory that is taken away while calls use it."""
    calls = record(chiral, disturb, how, "races", str(tmp_path / "record"))
    opened = next(i for i, c in enumerate(calls) if '"/dev/zero"' in c)
    for call in ("read", "write", "writev"):
        assert count(calls[opened:], rf"{call}\((?!1,)") == 1000, call
    assert count(calls, r'write\(1, "done') == 1


@pytest.mark.bpf
@pytest.mark.parametrize("attack", ["lengths", "leave"])
def test_same_stream(chiral, disturb, tmp_path, attack):
    streams = [record(chiral, disturb, how, attack, str(tmp_path / how)) for how in ("ptrace", "bpf")]
    shown = [[re.sub(r"((getppid|set_tid_address|setsid)\(.*\)) = \d+", r"\1", c) for c in calls]
             for calls in streams]
    assert shown[0] == shown[1]
    assert count(shown[1], r'write\(1, "done') == 1


@pytest.mark.parametrize("how", HOW)
def test_lies_about_clocks(chiral, disturb, tmp_path, how):
    """What it says that it has read of clocks is nonsense, and then cannot be read: its calls are what they are."""
    calls = record(chiral, disturb, how, "clocks", str(tmp_path / "record"))
    assert count(calls, r"getppid\(") == 2 * 200
    assert count(calls, r'write\(1, "done') == 1


@pytest.mark.parametrize("how", HOW)
def test_kills_its_group(chiral, disturb, tmp_path, how):
    calls = record(chiral, disturb, how, "kill-group", str(tmp_path / "record"), status=128 + 9)
    assert count(calls, r'write\(1, "kill') == 1 and count(calls, r'write\(1, "done') == 0


@pytest.mark.bpf
@pytest.mark.parametrize("attack", ["lengths", "leave", "races", "clocks"])
def test_session(chiral, disturb, attack):
    """Followers agree where what happens is not a race or a lie; whatever happens, nothing hangs."""
    s = chiral.run(LOCAL_LOCAL, [disturb, attack], ["--capture", "bpf"])
    status = s.wait(100)
    assert status == (122 if attack == "clocks" else 0) or attack == "races", s.story()
