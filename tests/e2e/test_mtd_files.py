# SPDX-License-Identifier: Apache-2.0
"""Files that the other node opens itself, by the list in the points file."""
import pytest

from mtd import alone, moving  # noqa: F401 # a fixture
from test_mtd import _limit, builder, pytestmark  # noqa: F401
from test_mtd_nodes import WAYS, way  # noqa: F401

SIZE = 20000
NEVER = "* entry 0%"


@pytest.fixture(scope="module")
def local(builder):
    return builder.program("local.c")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data" / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(i * 7919 >> 3 & 0xff for i in range(SIZE)))
    return str(path)


def whose(builder, moving, local, path, *listed, other="local:amd64"):
    m = moving(builder.points("listed", NEVER, *listed), [local, "whose", path], other=other)
    status, out = m.finish()
    assert status == 0 and m.stderr == "", m.stderr
    return out.decode().strip()


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_where_it_is_opened(builder, moving, local, other):
    """/proc tells who has opened it."""
    stat = "/proc/self/stat"
    assert whose(builder, moving, local, stat, stat, other=other) == "another's"
    assert whose(builder, moving, local, stat, "/etc/localtime", "/proc/self/*", other=other) == "another's"


@pytest.mark.parametrize("listed", [[], ["/proc/self/sta"], ["/proc/self/stat/*", "/proc/selfish*"]])
def test_what_is_not_on_the_list(builder, moving, local, listed):
    assert whose(builder, moving, local, "/proc/self/stat", *listed) == "home's"


@pytest.mark.parametrize("path", ["/proc/self/../self/stat", "/proc/self/./stat", "/proc//self/stat"])
def test_no_way_around_the_list(builder, moving, local, path):
    assert whose(builder, moving, local, path, "/proc/self/*") == "home's"


@pytest.mark.parametrize("share", ["0%", "30%"])
def test_positions(request, builder, moving, local, file, way, share):
    """Whatever the descriptor goes through, the bytes are those that it always gives."""
    if way["home"] == "microvm":
        with open(file, "rb") as f:
            request.getfixturevalue("guest").put("/", {file.lstrip("/"): f.read()})
    points = builder.points("positions", "* entry " + share, file.rsplit("/", 1)[0] + "/*")
    m = moving(points, [local, "positions", file], **way)
    expected = alone(local, "positions", file).stdout
    assert b"WRONG" not in expected and expected.count(b"ok") > 50
    assert m.finish() == (0, expected), m.stderr


@pytest.mark.parametrize("way", ["uffd", "segv", "emulated"], indirect=True)
def test_reading_asks_nobody(builder, moving, local, file, way):
    calls = []
    for listed in ([], [file]):
        m = moving(builder.points("many", NEVER, *listed), [local, "many", file], **way)
        assert m.finish() == (0, b"many ok\n"), m.stderr
        calls.append(m.status["calls"])
    assert calls[0] > SIZE // 10 and calls[1] < 20


@pytest.mark.parametrize("line, what", [
    ("/etc/../etc/passwd", "no . and no .."), ("/etc/*/passwd", "a * at its end only"), ("/", "empty parts"),
    ("/etc/passwd entry", "stands alone"), ("/" + "x" * 5000, "too many paths")])
def test_wrong_lines(builder, moving, local, line, what):
    m = moving(builder.points("wrong", NEVER, line), [local, "many", "/dev/null"])
    assert m.finish()[0] == 125
    assert ":2: " in m.stderr and what in m.stderr
