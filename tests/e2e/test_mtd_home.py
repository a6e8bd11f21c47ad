# SPDX-License-Identifier: Apache-2.0
"""Programs that move and whose home is not an x86-64 process of this machine. Their system calls are
x86-64's wherever they are, and what they see is the same. See test_mtd_nodes.py too."""
import os
import signal

import pytest

from mtd import alone, moving  # noqa: F401 # a fixture
from test_mtd import behaviour, builder, pytestmark, wishes  # noqa: F401
from test_mtd import _limit  # noqa: F401
from test_mtd_nodes import marked  # noqa: F401

WAYS = {"emulated": ("local:arm64", "local:amd64")}


@pytest.fixture(params=WAYS)
def way(request):
    """Keyword arguments of moving() for a kind of home."""
    home, other = WAYS[request.param]
    return {"home": home, "other": other}


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
