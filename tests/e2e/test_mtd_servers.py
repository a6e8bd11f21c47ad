# SPDX-License-Identifier: Apache-2.0
"""Servers of Debian's source packages, built with `chiral cc`, serve while they move: every byte is
compared, and no request is stuck."""
import os
import random
import shutil
import signal
import socket

import pytest

import load
from chiral import NATIVE, free_port, wait_until
from mtd import SOURCES, build_program, moving, write_points  # noqa: F401 # a fixture

pytestmark = pytest.mark.skipif(NATIVE != "x86_64" or not shutil.which("clang-19"),
                                reason="programs that move are built on x86-64, with clang-19")

_rng = random.Random(7)
FILES = {f"f{n}.bin": _rng.randbytes(n) for n in (0, 1, 1000, 4096, 16384, 100000)}

NGINX = """\
daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 128; }}
http {{
  access_log off; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path {root}/t1;
  server {{ listen 127.0.0.1:{port}; root {root}/www; }}
}}
"""


@pytest.fixture(scope="module")
def built(chiral_path):
    """Builds are no part of a test's time."""
    if chiral_path is None:
        pytest.skip("without Chiral there is nothing to test")
    return {name: build_program(chiral_path, name, "selected") for name in ("nginx",)}


class Server:
    """One that moves at the points it was built with."""

    def __init__(self, moving, program, argv, points, other):  # pylint: disable=redefined-outer-name
        self.port = free_port()
        self.moving = moving(points, [program, *argv(self.port)], other=other)

    def running(self):
        return self.moving.process.poll() is None

    def story(self):
        status, _ = self.moving.finish()
        return f"status {status}: {self.moving.stderr}"

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except OSError:
            assert self.running(), self.story()
            return False

    def end(self, least):
        """Ends it as its operator would; it has moved so often."""
        self.moving.process.send_signal(signal.SIGTERM)
        status, _ = self.moving.finish()
        assert status == 0, self.moving.stderr
        assert self.moving.status["switches"] >= least, self.moving.status
        assert self.moving.stderr == ""


@pytest.fixture
def serve(built, moving, tmp_path):  # pylint: disable=redefined-outer-name
    def start(name, argv, share, other):
        with open(os.path.join(SOURCES, "points", name), encoding="ascii") as f:
            names = [line.split()[0] for line in f if not line.startswith("#")]
        points = write_points(tmp_path / "points", *[f"{n} entry {share}" for n in names])
        server = Server(moving, built[name], argv, points, other)
        wait_until(server.answers, 60, "the server")
        return server
    return start


def web(tmp_path, config):
    """Documents and a configuration; the path of the latter for a port."""
    os.mkdir(tmp_path / "www")
    for name, content in FILES.items():
        (tmp_path / "www" / name).write_bytes(content)

    def write(port):
        path = tmp_path / "conf"
        path.write_text(config.format(root=tmp_path, port=port))
        return str(path)
    return write


@pytest.mark.limit(400)
@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_nginx(serve, tmp_path, other):
    conf = web(tmp_path, NGINX)
    server = serve("nginx", lambda port: ["-c", conf(port), "-p", str(tmp_path), "-e", str(tmp_path / "log")],
                   "50%", other)
    load.get_many(server.port, FILES, 9000, 10, keep=True, timeout=90)
    load.get_many(server.port, FILES, 1000, 10, keep=False, timeout=90)
    server.end(3000)
