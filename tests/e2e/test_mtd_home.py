# SPDX-License-Identifier: Apache-2.0
"""Programs that move and whose home is not an x86-64 process of this machine. Their system calls are
x86-64's wherever they are, and what they see is the same. See test_mtd_nodes.py too."""
import os
import signal

import pytest

from chiral import EXIT_PEER_LOST
from mtd import alone, moving  # noqa: F401 # a fixture
from test_mtd import behaviour, builder, pytestmark, wishes  # noqa: F401
from test_mtd import _limit  # noqa: F401
from test_mtd_nodes import ENDS, children_of, marked, wire  # noqa: F401

@pytest.fixture(params=["emulated", "node"])
def way(request):
    """Keyword arguments of moving() for a kind of home."""
    if request.param == "emulated":
        return {"home": "local:arm64"}
    return {"home": request.getfixturevalue("wire").address, "other": "local:arm64"}


@pytest.fixture(scope="module")
def calls(builder):
    return builder.program("calls.c")


@pytest.mark.parametrize("share", ["0%", "100%", "20% 50%"])
def test_calls(builder, calls, moving, way, marked, tmp_path, share):
    """Calls that arm64 does not have, flags and structures that it lays out in another way."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for f in folders:
        f.mkdir()
    expected = alone(calls, str(folders[0]))
    assert expected.returncode == 0 and len(expected.stdout.splitlines()) > 80
    m = moving(builder.points("p", "* entry " + share), [calls, str(folders[1])], env=marked, **way)
    assert m.finish() == (0, expected.stdout), m.stderr
    assert m.stderr == "" and (m.status["switches"] > 10) == (share != "0%")


def test_arguments_environment_descriptors(builder, behaviour, moving, way, marked):
    m = moving(builder.points("p100", "*"), [behaviour, "environment", "two words", ""],
               env={**marked, "TEST_A": "b c"}, **way)
    assert m.finish() == (0, b"argument %s\nargument environment\nargument two words\nargument \n"
                          b"variable TEST_A=b c\nnext descriptor 3\n" % behaviour.encode()), m.stderr


def test_no_signal_is_slept_through(builder, behaviour, moving, marked):
    """Where a wait begins is another instruction on each ISA."""
    m = moving(builder.points("w", "* entry 50%"), [behaviour, "wakes", "500"], home="local:arm64", env=marked)
    for i in range(500):
        assert m.process.stdout.readline() == b"%d\n" % i
        os.kill(m.children()[0], signal.SIGUSR1)
    assert m.finish() == (0, b""), m.stderr
    assert m.status["switches"] > 100


@pytest.mark.parametrize("share", ["100% 0%", "0%"])
def test_interrupted_computing(builder, wishes, moving, way, marked, share):
    m = moving(builder.points("once", "* entry " + share), [wishes, "interrupted", "20"], env=marked, **way)
    assert m.finish(limit=60) == (0, b"20 ticks\n"), m.stderr


# ---- home is on a node ----------------------------------------------------------------------------

def test_much_output(builder, behaviour, moving, wire, marked):
    """Nobody reads it for longer than a silent node may live; nothing is lost."""
    m = moving(builder.points("p", "* entry 0.01%"), [behaviour, "much", "1600000"], home=wire.address,
               env=marked)
    lines = b""
    while lines.count(b"running") < 6:  # one a second
        more = os.read(m.status_read, 4096)
        assert more, m.finish()
        lines += more
    status, out = m.finish()
    assert status == 0 and out == b"".join(b"%7d\n" % i for i in range(1600000 // 8)), m.stderr


def test_input_that_nobody_reads(builder, behaviour, moving, wire, marked):
    m = moving(builder.points("p", "* entry 10%"), [behaviour, "first"], home=wire.address, env=marked)
    assert m.finish(b"line\n" * 200000) == (0, b"line\n"), m.stderr


def processes_of(m, wire):
    """The hub, its child (the other process); the node's keeper, its child (home's pager), and home."""
    other, = m.children()
    keeper, = children_of(wire.daemon)
    pager, = children_of(keeper)
    home, = children_of(pager)
    return {"hub": m.process.pid, "keeper": keeper, "home": home, "pager": pager, "other": other}


@pytest.mark.parametrize("share", ["0.01%", "100%"])
@pytest.mark.parametrize("victim", ENDS)
@pytest.mark.parametrize("what", ["loop", "wait"])
def test_killed(builder, behaviour, moving, marked, wire, victim, share, what):
    m = moving(builder.points("kill", f"* entry {share}"), [behaviour, what], home=wire.address, env=marked)
    assert m.process.stdout.readline() == b"waiting\n"
    os.kill(processes_of(m, wire)[victim], signal.SIGKILL)
    m.process.wait(30)
    assert m.process.returncode == ENDS[victim], m.process.stderr.read()
    if ENDS[victim] == EXIT_PEER_LOST:
        assert b"cannot go on without its home" in m.process.stderr.read()


def test_points_read_again(builder, wishes, moving, wire, marked):
    """Home hears of them over the link."""
    points = builder.points("live-home", "* entry 0%")
    m = moving(points, [wishes, "listening"], home=wire.address, other="local:arm64", env=marked)
    out, err = m.process.stdout, m.process.stderr
    assert out.readline() == b"ready\n"
    builder.points("live-home", "* entry 50%")
    m.process.send_signal(signal.SIGHUP)
    assert b"read again" in err.readline()
    assert out.readline() == b"moved\n"
    status, _ = m.finish(b"end")
    assert status == 0 and m.status["switches"] > 0
