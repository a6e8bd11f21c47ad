# SPDX-License-Identifier: Apache-2.0
"""The two-terminal form: chiral lead and chiral follow, in either order, over long, cut and dirty
wires; and servers that have nothing to do for a minute."""
import os
import signal
import socket
import time

import pytest

import load
from chiral import (COMBOS, EXIT_OWN_FAILURE, EXIT_PEER_LOST, LOCAL_LOCAL, free_port, listening,
                    wait_until)
from delay import DelayProxy
from website import FILES, SMALL, Website


pytestmark = pytest.mark.stops


class Pair:
    """A leader and its follower that meet at an address."""

    def __init__(self, chiral, folder):
        self.chiral = chiral
        self.site = Website(chiral, LOCAL_LOCAL, folder)
        self.link = free_port()

    def lead(self, options=()):
        s = self.chiral.start(["lead", "--listen", f"tcp://127.0.0.1:{self.link}", *options],
                              self.site.program)
        self.site.session = s
        return s

    def follow(self, port=None):
        """Through a proxy (its port): it would refuse for a leader that does not listen yet."""
        if port:
            wait_until(lambda: listening(self.link), 10, "chiral lead")
        return self.chiral.start(["follow", f"tcp://127.0.0.1:{port or self.link}"],
                                 self.site.program, status=False)

    def ready(self):
        load.wait_ready(self.site.port, self.site.session)


@pytest.fixture
def pair(chiral, tmp_path):
    return Pair(chiral, tmp_path)


def finish(pair, lead, follow):
    lead.assert_quiet()
    assert follow.running(), follow.story()
    lead.kill(signal.SIGINT)  # lighttpd ends when its connections have
    lead.expect(0)
    follow.expect(0)
    assert not lead.alarms, lead.story()


@pytest.mark.parametrize("first", ["lead", "follow"])
def test_either_order_five_seconds_late(pair, first):
    if first == "lead":
        lead = pair.lead()
        time.sleep(5)
        follow = pair.follow()
    else:
        follow = pair.follow()
        time.sleep(5)
        lead = pair.lead()
    pair.ready()
    load.get_many(pair.site.port, SMALL, 300, 5, keep=True)
    finish(pair, lead, follow)


@pytest.mark.limit(200)
def test_latency_20_ms(pair):
    """Asynchronous: the clients of the leader do not feel how far away the follower is."""
    proxy = DelayProxy(pair.link, 0.020)
    try:
        lead = pair.lead()
        follow = pair.follow(proxy.port)
        pair.ready()
        begin = time.monotonic()
        load.get_many(pair.site.port, SMALL, 500, 1, keep=True)
        load.get_many(pair.site.port, SMALL, 500, 20, keep=False)
        took = time.monotonic() - begin
        assert proxy.connections >= 1
        assert took < 1000 * 0.040, f"{took:.1f} s: every request waited for the wire"
        finish(pair, lead, follow)
    finally:
        proxy.close()


def test_latency_20_ms_lockstep(pair):
    proxy = DelayProxy(pair.link, 0.020)
    try:
        lead = pair.lead(["--level", "lockstep"])
        follow = pair.follow(proxy.port)
        load.wait_ready(pair.site.port, lead, timeout=100)
        load.get_many(pair.site.port, {"f1000.bin": FILES["f1000.bin"]}, 5, 1, keep=True)
        finish(pair, lead, follow)
    finally:
        proxy.close()


def test_cut_wire(pair):
    proxy = DelayProxy(pair.link, 0.001)
    try:
        lead = pair.lead()
        follow = pair.follow(proxy.port)
        pair.ready()
        proxy.cut()
        lead.expect(EXIT_PEER_LOST, 5)
        follow.expect(EXIT_PEER_LOST, 5)
        assert all(a["rule"] == "lost.peer" for a in lead.alarms), lead.story()
    finally:
        proxy.close()


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64, b"\xff" * 64, os.urandom(4096), b"CHIRAL\r\n",
    b"\x40\0\0\0\0\0\0\0CHIRAL\r\n" + b"\xff" * 56,
], ids=["http", "zeros", "ones", "random", "magic", "version"])
def test_garbage_to_leader(pair, garbage):
    """Whoever talks nonsense to the leader's port gets an error there; nothing hangs, nothing dies of
    a signal."""
    lead = pair.lead()
    end = time.monotonic() + 10
    while True:
        try:
            s = socket.create_connection(("127.0.0.1", pair.link), timeout=5)
            break
        except OSError:
            assert time.monotonic() < end, lead.story()
            time.sleep(0.05)
    with s:
        try:
            s.sendall(garbage)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(10)
            while s.recv(65536):
                pass
        except ConnectionError:
            pass
    time.sleep(0.2)
    status = lead.process.poll()
    if status is None:      # it may wait for a real follower
        follow = pair.follow()
        pair.ready()
        finish(pair, lead, follow)
    else:
        assert lead.wait() in (EXIT_OWN_FAILURE, EXIT_PEER_LOST), lead.story()
        assert lead.stderr().strip()


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 200 OK\r\n\r\n", b"\0" * 64, os.urandom(1000)],
                         ids=["http", "zeros", "random"])
def test_garbage_to_follower(chiral, pair, garbage):
    with socket.create_server(("127.0.0.1", pair.link)) as server:
        follow = pair.follow()
        server.settimeout(10)
        peer, _ = server.accept()
        with peer:
            peer.sendall(garbage)
            status = follow.wait(15)
    assert status in (EXIT_OWN_FAILURE, EXIT_PEER_LOST), follow.story()
    assert follow.stderr().strip()


def test_silent_peer(pair):
    """A peer that takes the connection and says nothing is given up."""
    with socket.create_server(("127.0.0.1", pair.link)) as server:
        follow = pair.follow()
        server.settimeout(10)
        peer, _ = server.accept()
        with peer:
            status = follow.wait(30)
    assert status in (EXIT_OWN_FAILURE, EXIT_PEER_LOST), follow.story()


@pytest.mark.limit(240)
def test_idle_for_a_minute(chiral, tmp_path, request):
    """All three combinations at once, so that it is one minute only."""
    sites = []
    for i, combo in enumerate(COMBOS):
        guest = request.getfixturevalue("guest") if combo.uses_guest else None
        folder = tmp_path / str(i)
        folder.mkdir()
        site = Website(chiral, combo, folder, guest, files=SMALL)
        site.start()
        sites.append(site)
    time.sleep(60)
    for site in sites:
        site.assert_quiet()
        load.get_many(site.port, SMALL, 100, 5, keep=True)
        site.terminate()


def test_unix_socket(chiral, tmp_path):
    pair = Pair(chiral, tmp_path)
    address = f"unix:{tmp_path}/link"
    lead = chiral.start(["lead", "--listen", address], ["/bin/cat", "/etc/hostname"])
    follow = chiral.start(["follow", address], ["/bin/cat", "/etc/hostname"], status=False)
    lead.expect(0)
    follow.expect(0)
    with open("/etc/hostname", "rb") as f:
        assert lead.stdout() == f.read()
    assert follow.stdout() == b""
    assert pair.site.session is None


def test_node_daemon(chiral, tmp_path):
    """chiral run with a follower on a `chiral node --listen`."""
    port = free_port()
    node = chiral.start(["node", "--listen", f"tcp://127.0.0.1:{port}"], None, status=False)
    wait_until(lambda: listening(port), 10, "chiral node")
    for _ in range(3):
        s = chiral.start(["run", "--follower", f"tcp://127.0.0.1:{port}"], ["/bin/echo", "hello"])
        s.expect(0)
        assert s.stdout() == b"hello\n"
        assert not s.alarms, s.story()
    assert node.running(), node.story()
    node.kill(signal.SIGTERM)
    node.wait(5)
