# SPDX-License-Identifier: Apache-2.0
"""Debian's unmodified lighttpd, in every combination of roles and ISAs: what clients and
administrators do to a web server must work as it does natively, and never raise an alarm."""
import asyncio
import signal
import time

import pytest

import load
from chiral import Chiral, wait_until
from website import BIG, FILES, SMALL, Website


@pytest.fixture(scope="module")
def website(chiral_path, combo, tmp_path_factory):
    chiral = Chiral(chiral_path)
    guest = combo.guest if combo.uses_guest else None
    site = Website(chiral, combo, tmp_path_factory.mktemp("site"), guest)
    yield site
    chiral.close()


@pytest.fixture
def site(website):
    """A server that runs before the test, and still does and is quiet after it."""
    website.ensure()
    yield website
    website.assert_quiet()


# Together 10 000 requests for each combination.
@pytest.mark.limit(300)
@pytest.mark.parametrize("keep,connections,requests", [
    (True, 1, 1000), (True, 10, 2000), (True, 200, 3000),
    (False, 1, 500), (False, 10, 1500), (False, 50, 2000),
], ids=lambda v: {True: "keep", False: "close"}.get(v, str(v)) if isinstance(v, bool) else str(v))
def test_requests(site, keep, connections, requests):
    load.get_many(site.port, SMALL, requests, connections, keep, timeout=200)


@pytest.mark.limit(300)
@pytest.mark.parametrize("keep", [True, False], ids=["keep", "close"])
def test_big_files(site, keep):
    load.get_many(site.port, BIG, 6, 2, keep, timeout=200)


def test_not_found(site):
    for i in range(10):
        reply = load.fetch(site.port, f"/missing-{i}")
        assert reply.status == 404
        assert b"404" in reply.body


def test_head(site):
    for name, data in FILES.items():
        reply = load.fetch(site.port, "/" + name, method="HEAD")
        assert (reply.status, reply.headers["content-length"]) == (200, str(len(data)))


@pytest.mark.parametrize("value,begin,end", [
    ("bytes=0-0", 0, 1), ("bytes=100-999", 100, 1000), ("bytes=-1", 99999, 100000),
    ("bytes=50000-", 50000, 100000),
])
def test_range(site, value, begin, end):
    data = FILES["f100000.bin"]
    reply = load.fetch(site.port, "/f100000.bin", headers={"Range": value})
    assert reply.status == 206
    assert reply.headers["content-range"] == f"bytes {begin}-{end - 1}/100000"
    assert reply.body == data[begin:end]


def test_ranges_many_and_bad(site):
    reply = load.fetch(site.port, "/f4096.bin", headers={"Range": "bytes=0-9,100-109"})
    assert reply.status == 206
    assert FILES["f4096.bin"][:10] in reply.body and FILES["f4096.bin"][100:110] in reply.body
    assert load.fetch(site.port, "/f4096.bin", headers={"Range": "bytes=5000-"}).status == 416


@pytest.mark.parametrize("size", [0, 100, 5000, 1 << 20])
def test_post(site, size):
    reply = load.fetch(site.port, "/f1000.bin", method="POST", body=b"p" * size,
                       headers={} if size else {"Content-Length": "0"})
    assert reply.status == 200
    assert reply.body == FILES["f1000.bin"]


def test_directory_listing(site):
    reply = load.fetch(site.port, "/list/")
    assert reply.status == 200
    assert b"one.txt" in reply.body and b"two.txt" in reply.body


def test_error_pages(site):
    assert load.fetch(site.port, "/list").status == 301
    assert load.fetch(site.port, "/f1000.bin", method="BREW").status in (405, 501)
    assert load.fetch(site.port, "/", headers={"X": "y" * 20000}).status == 431
    assert load.fetch(site.port, "/", method="GET", headers={"Content-Length": "-1"}).status == 400


def test_conditional(site):
    first = load.fetch(site.port, "/f4096.bin")
    again = load.fetch(site.port, "/f4096.bin", headers={"If-None-Match": first.headers["etag"]})
    assert again.status == 304
    old = load.fetch(site.port, "/f4096.bin",
                     headers={"If-Modified-Since": first.headers["last-modified"]})
    assert old.status == 304


@pytest.mark.parametrize("size", [2000, 5000])
def test_cookies(site, size):
    for _ in range(5):
        reply = load.fetch(site.port, "/f1000.bin", headers={"Cookie": "c=" + "k" * size})
        assert reply.body == FILES["f1000.bin"]


@pytest.mark.limit(240)
@pytest.mark.parametrize("connections", [60, 140, 500])
def test_simultaneous(site, connections):
    load.hold_many(site.port, SMALL, connections, timeout=200)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_abort(site, reset):
    for after in (0, 1000, 100000, 2000000):
        for _ in range(4):
            load.abort(site.port, f"/f{10 << 20}.bin", after, reset)


def test_abort_without_request(site):
    for payload in (b"", b"GET / HT", b"\r\n\r\n", b"\x16\x03\x01\x02\x00" * 20, b"\0" * 3000):
        load.dribble(site.port, payload)


def test_slow_clients(site):
    load.slow(site.port, "/f100000.bin", FILES["f100000.bin"])


def test_pipelining(site):
    load.pipeline(site.port, "/f1000.bin", FILES["f1000.bin"], 20)


@pytest.mark.parametrize("sig", ["SIGHUP", "SIGWINCH", "SIGUSR1"])
def test_signal(site, sig):
    """The signals lighttpd knows, under load, sent to `chiral run` as a service manager would."""
    async def both():
        c = load.Client(site.port)
        for i in range(60):
            if i % 20 == 10:
                site.session.kill(getattr(signal, sig))
            try:
                reply = await c.request("/f4096.bin")
                assert reply.body == FILES["f4096.bin"]
            except (OSError, EOFError):
                assert sig == "SIGUSR1"     # a graceful restart may close idle connections
                c.close()
        c.close()

    asyncio.run(both())
    load.wait_ready(site.port, site.session)


def test_access_log(site):
    """The log is written once, by the leader: what the follower writes is compared and dropped."""
    name = f"once-{time.monotonic_ns()}"
    load.fetch(site.port, "/" + name)
    site.session.kill(signal.SIGHUP)    # flushes the log
    wait_until(lambda: name.encode() in site.file("access.log"), 15, "the request in access.log")
    assert site.file("access.log").count(name.encode()) == 1


def test_terminate(website):
    """The last of its module's combination: a clean end with the program's own status."""
    website.ensure()
    load.get_many(website.port, SMALL, 50, 5, True)
    website.terminate()
