# SPDX-License-Identifier: Apache-2.0
"""Programs built with `chiral cc`, under `chiral run --mode mtd` and without."""
import json
import os
import subprocess

import pytest

from chiral import exit_status

SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mtd")


def build_program(chiral_path, name, variant="all"):
    """Path of a program of a Debian source package; the first time this takes minutes."""
    done = subprocess.run([os.path.join(SOURCES, "build-program"), chiral_path, name, variant],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write_points(path, *lines):
    """A points file that holds the lines; its path."""
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


class Moving:
    """A program under `chiral run --mode mtd`."""

    def __init__(self, chiral_path, points, argv, other="local:amd64", home="local", options=(), **kwargs):
        status_read, status_write = os.pipe()
        self.process = subprocess.Popen(
            [chiral_path, "run", "--mode", "mtd", "--points", points, "--home", home, "--other", other,
             *options, "--json-status-fd", str(status_write), "--", *argv],
            pass_fds=[status_write], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **kwargs)
        os.close(status_write)
        self.status_read = status_read

    def finish(self, text=None, limit=110):
        try:
            out, err = self.process.communicate(text, timeout=limit)
        finally:
            self.close()
        with os.fdopen(self.status_read) as f:
            lines = f.read().splitlines()
        self.status = json.loads(lines[-1])["mtd"] if lines else None
        self.stderr = err.decode()
        return exit_status(self.process.returncode), out

    def children(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as f:
            return [int(p) for p in f.read().split()]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()  # its processes die with it
            self.process.wait()


@pytest.fixture
def moving(chiral_path):
    if os.geteuid() != 0:
        pytest.skip("a points file has to belong to root")
    started = []

    def start(*args, **kwargs):
        started.append(Moving(chiral_path, *args, **kwargs))
        return started[-1]

    yield start
    for m in started:
        m.close()


def alone(program, *args, **kwargs):
    """The same file without Chiral: it does not move."""
    return subprocess.run([program, *args], capture_output=True, timeout=60, **kwargs)
