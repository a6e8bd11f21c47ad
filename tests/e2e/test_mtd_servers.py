# SPDX-License-Identifier: Apache-2.0
"""Web servers of Debian's source packages, built with `chiral cc`, serve while they move: every byte
is compared, and no request is stuck."""
import os
import random
import shutil
import signal

import pytest

import load
from chiral import NATIVE
from mtd import build_program, moving  # noqa: F401 # a fixture
from mtd_server import lighttpd, nginx, serve  # noqa: F401

pytestmark = pytest.mark.skipif(NATIVE != "x86_64" or not shutil.which("clang-19"),
                                reason="programs that move are built on x86-64, with clang-19")

_rng = random.Random(7)
FILES = {f"f{n}.bin": _rng.randbytes(n) for n in (0, 1, 1000, 4096, 16384, 100000)}


@pytest.fixture(scope="module")
def built(chiral_path):
    """Builds are no part of a test's time."""
    if chiral_path is None:
        pytest.skip("without Chiral there is nothing to test")
    return {name: build_program(chiral_path, name, "selected") for name in ("nginx", "lighttpd")}


@pytest.fixture
def start(built, serve, tmp_path):  # pylint: disable=redefined-outer-name
    """Documents, and a server of them."""
    os.mkdir(tmp_path / "www")
    for name, content in FILES.items():
        (tmp_path / "www" / name).write_bytes(content)
    argv = {"nginx": nginx, "lighttpd": lighttpd}
    return lambda name, share, other, **kwargs: serve(
        name, built[name], lambda port: argv[name](tmp_path, port), share, other, **kwargs)


@pytest.mark.limit(400)
@pytest.mark.parametrize("home, other", [("local:amd64", "local:amd64"), ("local:amd64", "local:arm64"),
                                         ("local:arm64", "local:amd64")])
@pytest.mark.parametrize("name", ["nginx", "lighttpd"])
def test_web(start, name, home, other):
    server = start(name, "50%", other, home=home)
    load.get_many(server.port, FILES, 9000, 10, keep=True, timeout=90)
    load.get_many(server.port, FILES, 1000, 10, keep=False, timeout=90)
    # At SIGTERM lighttpd's status says whether a connection was left.
    server.end(3000, signal.SIGINT)


@pytest.mark.limit(400)
def test_microvm(start, guest):  # pylint: disable=unused-argument
    """Two memories: pages go over the link to arm64, and userfaultfd finds what is not there."""
    server = start("nginx", "20%", "microvm", options=["--pages", "uffd"])
    load.get_many(server.port, FILES, 400, 5, keep=True, timeout=90)
    server.end(40, signal.SIGINT)  # of about 100
    status = server.moving.status
    assert status["pages_in"] > 50 and status["pages_out"] > 50 and status["calls"] > 100, status


@pytest.mark.limit(400)
@pytest.mark.parametrize("name, config", [("nginx", nginx), ("lighttpd", lighttpd)])
def test_home_in_the_microvm(built, serve, guest, tmp_path, name, config):
    """Files, sockets and kernel are arm64's; half of the program's time is spent on x86-64."""
    def argv(port):
        args = config(tmp_path, port, "0.0.0.0")
        guest.put(str(tmp_path), {"www/" + n: content for n, content in FILES.items()})
        guest.put(str(tmp_path), {"conf": (tmp_path / "conf").read_bytes()})
        return args

    server = serve(name, built[name], argv, "20%", "local:amd64", home="microvm", publish=True)
    load.wait_ready(server.port, server, path="/f1.bin")
    load.get_many(server.port, FILES, 400, 5, keep=True, timeout=90)
    load.get_many(server.port, FILES, 50, 5, keep=False, timeout=90)
    server.end(40, signal.SIGINT)
    status = server.moving.status
    assert status["pages_in"] > 50 and status["pages_out"] > 50 and status["calls"] > 100, status
