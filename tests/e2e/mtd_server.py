# SPDX-License-Identifier: Apache-2.0
"""A server that was built with `chiral cc` and moves at the points that it was built with."""
import os
import signal
import socket

import pytest

from chiral import free_port, wait_until
from mtd import SOURCES, write_points

NGINX = """\
daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 128; }}
http {{
  access_log off; keepalive_requests 100000000; default_type application/octet-stream;
  client_body_temp_path {root}/t1;
  server {{ listen {host}:{port}; root {root}/www; }}
}}
"""
LIGHTTPD = """\
server.document-root = "{root}/www"
server.port = {port}
server.bind = "{host}"
server.errorlog = "{root}/error.log"
server.max-keep-alive-requests = 100000000
mimetype.assign = ( "" => "application/octet-stream" )
"""


def _write_config(text, root, port, host):
    path = os.path.join(root, "conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(text.format(root=root, port=port, host=host))
    return path


def nginx(root, port, host="127.0.0.1"):
    """Arguments for nginx, with documents in root/www."""
    return ["-c", _write_config(NGINX, root, port, host), "-p", str(root), "-e", os.path.join(root, "log")]


def lighttpd(root, port, host="127.0.0.1"):
    return ["-D", "-f", _write_config(LIGHTTPD, root, port, host)]


def redis(root, port):
    """Its own report of a crash needs handlers of faults, which a program that moves cannot have."""
    return ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(root), "--save", "",
            "--crash-log-enabled", "no"]


def selected_points(name):
    """The functions of tests/mtd/points/NAME."""
    with open(os.path.join(SOURCES, "points", name), encoding="ascii") as f:
        return [line.split()[0] for line in f if not line.startswith("#")]


class Server:
    def __init__(self, moving, program, argv, points, other, publish=False, options=(), **kwargs):
        self.port = free_port()
        if publish:
            options = [*options, "--publish", f"{self.port}:{self.port}"]
        self.moving = moving(points, [program, *argv(self.port)], other=other, options=options, **kwargs)

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

    def end(self, least, signo=signal.SIGTERM):
        """Ends it as its operator would; it has moved so often. What it wrote to standard output."""
        self.moving.process.send_signal(signo)
        status, out = self.moving.finish()
        assert status == 0, self.moving.stderr
        assert self.moving.status["switches"] >= least, self.moving.status
        assert self.moving.stderr == ""
        return out


@pytest.fixture
def serve(moving, tmp_path):
    """Starts the program NAME, built at PATH, with argv(port); it moves with this probability."""
    def start(name, path, argv, share, other, **kwargs):
        points = write_points(tmp_path / "points", *[f"{n} entry {share}" for n in selected_points(name)])
        server = Server(moving, path, argv, points, other, **kwargs)
        wait_until(server.answers, 60, "the server")
        return server
    return start
