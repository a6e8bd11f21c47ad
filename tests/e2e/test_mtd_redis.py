# SPDX-License-Identifier: Apache-2.0
"""redis of Debian's source package, built with `chiral cc`: every answer is right while it moves."""
import random
import shutil
import socket
import subprocess

import pytest

from chiral import NATIVE, wait_until
from mtd import build_program, moving  # noqa: F401 # a fixture
from mtd_server import redis, serve  # noqa: F401

pytestmark = pytest.mark.skipif(NATIVE != "x86_64" or not shutil.which("clang-19"),
                                reason="programs that move are built on x86-64, with clang-19")

_rng = random.Random(11)


@pytest.fixture(scope="module")
def built(chiral_path):
    """Builds are no part of a test's time."""
    if chiral_path is None:
        pytest.skip("without Chiral there is nothing to test")
    return build_program(chiral_path, "redis", "selected")


@pytest.fixture
def start(built, serve, tmp_path):  # pylint: disable=redefined-outer-name
    def argv(port):
        return redis(tmp_path, port) + ["--appendonly", "yes"]
    return lambda other: serve("redis", built, argv, "50%", other)


class Client:
    """It waits for each answer."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        assert line.endswith(b"\r\n"), line
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest


def commands(client, rounds):
    """Ten commands a round, each with one right answer."""
    for i in range(rounds):
        value = _rng.randbytes(i % 700)
        field = str(i).encode()
        assert client("PING", value) == value
        assert client("SET", f"k{i}", value) == b"OK"
        assert client("GET", f"k{i}") == value
        assert client("LPUSH", "list", i) == i + 1
        assert client("LRANGE", "list", 0, 1) == [field] + [b"%d" % (i - 1)] * (i > 0)
        assert client("INCRBYFLOAT", "sum", "0.25") == f"{(i + 1) / 4:g}".encode()
        assert client("ZADD", "z", i / 3, f"m{i}") == 1
        assert client("HSET", f"h{i % 10}", f"f{i}", i) == 1
        assert client("EVAL", "return redis.call('HGET', KEYS[1], ARGV[1]) .. #cjson.encode({1, 'x'})", 1,
                     f"h{i % 10}", f"f{i}") == field + b"7"
        assert client("DEL", f"k{i // 2}") == (i % 2 == 0)


def expire(client):
    """A key that is looked for, and ones that only the server's timer meets."""
    for i in range(100):
        assert client("SET", f"short{i}", i, "PX", 200) == b"OK"
    assert client("SET", "long", 1, "EX", 1000) == b"OK"
    assert 990 < client("TTL", "long") <= 1000
    wait_until(lambda: client("GET", "short0") is None, 30, "the end of a key")
    wait_until(lambda: b"expires=1," in client("INFO", "keyspace"), 30, "the end of all keys")
    assert client("EXISTS", "short7") == 0 and client("GET", "long") == b"1"


def save(client):
    """A child writes the file, at home; the server goes on moving."""
    assert client("BGSAVE") == b"Background saving started"
    wait_until(lambda: b"rdb_bgsave_in_progress:0" in client("INFO", "persistence"), 60, "the file")
    assert b"rdb_last_bgsave_status:ok" in client("INFO", "persistence")
    assert b"rdb_saves:1" in client("INFO", "persistence")


def check_file(path, keys):
    done = subprocess.run(["redis-check-rdb", str(path)], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0 and f"{keys} keys read" in done.stdout, done


@pytest.mark.limit(400)
@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_redis(start, tmp_path, other):
    server = start(other)
    with Client(server.port) as client:
        commands(client, 1000)
        expire(client)
        save(client)
        check_file(tmp_path / "dump.rdb", client("DBSIZE"))
        assert client("FLUSHALL", "ASYNC") == b"OK" and client("DBSIZE") == 0
    server.end(5000)


@pytest.mark.limit(300)
@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_benchmark(start, other):
    """redis's own load, of ten clients at once."""
    server = start(other)
    done = subprocess.run(["redis-benchmark", "-p", str(server.port), "-c", "10", "-n", "2000", "-q", "-t",
                           "ping,set,get"], capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0 and done.stdout.count("requests per second") == 4, done
    server.end(1000)
