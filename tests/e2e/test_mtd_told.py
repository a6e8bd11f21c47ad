# SPDX-License-Identifier: Apache-2.0
"""What a program that moves is told while it runs: by a signal while it computes on the other node, by a
points file that is read again."""
import signal

import pytest

from chiral import wait_until
from mtd import moving  # noqa: F401 # a fixture
from test_mtd import builder, pytestmark  # noqa: F401
from test_mtd import _limit  # noqa: F401
from test_mtd_nodes import WAYS, marked  # noqa: F401

FOREIGN = {"local:amd64": b"x86_64", "local:arm64": b"aarch64", "microvm": b"aarch64"}


AT_HOME = {name: way[1:] for name, way in WAYS.items() if way[0] == "local"}


@pytest.fixture(params=[("local:amd64", None), ("local:arm64", None), *AT_HOME.values()],
                ids=["shared", "shared-emulated", *AT_HOME])
def way(request):
    """Keyword arguments of moving(); the first two have one memory file."""
    other, pages = request.param
    if other == "microvm":
        request.getfixturevalue("guest")
    return {"other": other, "options": ["--pages", pages] if pages else []}


@pytest.fixture(scope="module")
def told(builder):
    builder.points("step", "step")
    return builder.program("told.c", points="step")


def test_signal_while_it_computes_elsewhere(builder, told, moving, marked, way):
    """No call and no switch brings the thread back to where the signal is."""
    m = moving(builder.points("leaves", "step entry 100% 0%"), [told, "compute"], env=marked, **way)
    isa = FOREIGN[way["other"]]
    assert m.process.stdout.readline() == isa + b"\n"
    m.process.send_signal(signal.SIGUSR1)
    assert m.finish() == (0, b"signal %d on %s\n" % (signal.SIGUSR1, isa)), m.stderr


def asked(m):
    """Where the program is after one more step."""
    m.process.stdin.write(b"x")
    m.process.stdin.flush()
    return m.process.stdout.readline().strip()


@pytest.mark.parametrize("way", [("local:arm64", None), ("local:arm64", "segv"), ("microvm", "uffd")],
                         ids=["shared", "segv", "microvm"], indirect=True)
def test_points_are_read_again(builder, told, moving, marked, way):
    points = builder.points("again", "step entry 0%")
    m = moving(points, [told, "serve"], env=marked, **way)

    def reload(*lines):
        builder.points("again", *lines)
        m.process.send_signal(signal.SIGHUP)

    assert {asked(m) for _ in range(20)} == {b"x86_64"}
    reload("step entry 100% 0%")
    wait_until(lambda: asked(m) == b"aarch64", 20, "its going away")
    assert {asked(m) for _ in range(20)} == {b"aarch64"}
    reload("step entry 0% 100%")
    wait_until(lambda: asked(m) == b"x86_64", 20, "its coming home")
    reload("step entry 50% percent")
    assert {asked(m) for _ in range(20)} == {b"x86_64"}
    m.process.stdin.close()
    assert m.process.wait(30) == 0
    assert "the fourth word" in m.process.stderr.read().decode()
