# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian's source packages, built with their own build systems by `chiral cc`: they give
the same bytes while they move. Built programs are cached, see tests/mtd/build-program."""
import bz2
import lzma
import os
import random
import shutil
import subprocess

import pytest

from chiral import NATIVE
from mtd import SOURCES, alone, build_program, moving, write_points  # noqa: F401 # a fixture

pytestmark = pytest.mark.skipif(NATIVE != "x86_64" or not shutil.which("clang-19"),
                                reason="programs that move are built on x86-64, with clang-19")

_rng = random.Random(5)
WORDS = [bytes(_rng.choices(b"abcdefghij", k=_rng.randrange(2, 9))) for _ in range(300)]
TEXT = b" ".join(_rng.choices(WORDS, k=40000)) + _rng.randbytes(20000) + bytes(30000)


@pytest.fixture(scope="module")
def built(chiral_path):
    """Builds are no part of a test's time."""
    if chiral_path is None:
        pytest.skip("without Chiral there is nothing to test")
    names = "lua", "minigzip", "bzip2", "xz",
    return {name: build_program(chiral_path, name) for name in names}


@pytest.fixture
def points(tmp_path):
    return lambda *lines: write_points(tmp_path / "points", *lines)


@pytest.fixture
def move(chiral_path, moving, points):
    """Runs a program that moves at all its points; its standard output."""
    def run(program, *args, share="1%", other="local:amd64", text=b"", least=100, **kwargs):
        m = moving(points("* entry " + share), [program, *args], other=other, **kwargs)
        status, out = m.finish(text)
        assert status == 0, m.stderr
        assert m.status["switches"] >= least
        return out
    return run


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_lua(built, move, tmp_path, other):
    lua = built["lua"]
    script = [os.path.join(SOURCES, "programs.lua"), "2", str(tmp_path / "file")]
    expected = alone(lua, *script)
    assert expected.returncode == 0 and b"round 2 4ce4125862695719" in expected.stdout, expected
    assert move(lua, *script, other=other, least=10000) == expected.stdout


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_zlib(built, move, other):
    """zlib's own example program compresses, and gzip is the judge."""
    minigzip = built["minigzip"]
    packed = move(minigzip, text=TEXT, other=other, share="50%")
    assert subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout == TEXT
    assert packed == alone(minigzip, input=TEXT).stdout
    assert move(minigzip, "-d", text=packed, other=other, share="100%") == TEXT


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_bzip2(built, move, other):
    bzip2 = built["bzip2"]
    packed = move(bzip2, "-c", text=TEXT, other=other, share="100%")
    assert packed == bz2.compress(TEXT)
    assert move(bzip2, "-dc", text=packed, other=other, share="100%") == TEXT


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_xz(built, move, other):
    xz = built["xz"]
    packed = move(xz, "-c", text=TEXT, other=other)
    assert lzma.decompress(packed) == TEXT
    assert move(xz, "-dc", text=packed, other=other, share="10%", least=10) == TEXT
