# SPDX-License-Identifier: Apache-2.0
"""Death at random moments: of either monitor, either variant, `chiral run` itself, the microVM, the
link. Nothing may hang for more than 5 s, nothing may be left, the status must say what happened."""
import os
import random
import signal
import socket
import struct
import threading
import time

import pytest

import load
from chiral import (COMBOS, EXIT_DIVERGENCE, EXIT_PEER_LOST, LOCAL_LOCAL, LOCAL_MICROVM, MICROVM_LOCAL,
                    free_port, listening, read_proc, wait_until)
from delay import DelayProxy
from website import SMALL, Website

SEED = 2024
LIMIT = 5       # seconds until everything is over
KILLED = 128 + signal.SIGKILL


class Load:
    """Clients that keep a server busy and do not mind when it dies."""

    def __init__(self, port):
        self.port, self.stop = port, False
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(3)]
        for t in self.threads:
            t.start()

    def _run(self, n):
        rng = random.Random(n)
        while not self.stop:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=2) as s:
                    while not self.stop:
                        name = rng.choice(sorted(SMALL))
                        s.sendall(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                        if not s.recv(200000):
                            break
            except OSError:
                time.sleep(0.02)

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join(5)


def listener(port, pids):
    """Which of the processes listens on a port: the leader's variant; the follower has no sockets."""
    socket_link = f"socket:[{listening(port)}]"
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == socket_link:
                    return pid
        except OSError:
            continue
    return None


def parent(pid):
    return int(read_proc(pid, "stat").rpartition(b")")[2].split()[1])


def guest_parent(guest, pid):
    return int(guest.exec("sh", "-c", f"sed 's/.*) //' /proc/{pid}/stat").stdout.split()[1])


class Roles:
    """The processes of a session: leader and follower, variant and monitor, here or in the guest."""

    def __init__(self, site):
        self.site, self.combo, self.guest = site, site.combo, site.guest
        s = site.session
        here = s.variants()
        self.variant, self.local = {}, {}
        if self.combo.uses_guest:
            there = self.guest.variants(s.marker)
            assert len(here) == 1 and len(there) == 1, (here, there, s.story())
            local_side = "follower" if self.combo.leads_in_guest else "leader"
            far_side = "leader" if self.combo.leads_in_guest else "follower"
            self.variant = {local_side: here[0], far_side: there[0]}
            self.local = {local_side: True, far_side: False}
        else:
            leader = listener(site.port, here)
            assert leader and len(here) == 2, (leader, here, s.story())
            self.variant = {"leader": leader, "follower": next(p for p in here if p != leader)}
            self.local = {"leader": True, "follower": True}

    def kill(self, side, what):
        pid = self.variant[side]
        if not self.local[side]:
            if what == "monitor":
                pid = guest_parent(self.guest, pid)
            self.guest.exec("kill", "-9", str(pid))
            return
        if what == "monitor":
            pid = parent(pid)
            assert pid in self.site.session.monitors(), "a variant's parent is its monitor"
            if pid == self.site.session.pid:
                return self.site.session.kill(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)


def over(site, roles, begin):
    """Within LIMIT seconds after the kill no process of the session is left on either node."""
    s = site.session
    wait_until(lambda: not s.processes(), LIMIT, f"the end of {s.processes()}; {s.story()}")
    if site.combo.uses_guest:
        wait_until(lambda: not site.guest.variants(s.marker), LIMIT, "the end of the guest's variant")
    return time.monotonic() - begin


VICTIMS = [("run", None), ("leader", "monitor"), ("follower", "monitor"), ("leader", "variant"),
           ("follower", "variant")]


def plan():
    """45 kills: every victim in every combination three times, at moments drawn from a fixed seed."""
    rng = random.Random(SEED)
    for n in range(3):
        for combo in COMBOS:
            for side, what in VICTIMS:
                # From the first moments of the start to the middle of the load.
                yield n, combo, side, what, rng.uniform(0, 1.5)


def title(step):
    return f"{step[1]}-{step[2]}{'-' + step[3] if step[3] else ''}-{step[0]}"


@pytest.mark.parametrize("step", list(plan()), ids=title)
def test_kill(chiral, step, tmp_path, request):
    _, combo, side, what, delay = step
    guest = request.getfixturevalue("guest") if combo.uses_guest else None
    site = Website(chiral, combo, tmp_path, guest, files=SMALL)
    s = site.start()
    roles = Roles(site)
    work = Load(site.port)
    try:
        time.sleep(delay)
        s.assert_quiet()
        begin = time.monotonic()
        if side == "run":
            s.kill(signal.SIGKILL)
            want = {KILLED}
        else:
            roles.kill(side, what)
            # A kill of the leader's program from outside is a signal like any other: it ends with it.
            want = {("leader", "monitor"): {EXIT_PEER_LOST}, ("follower", "monitor"): {EXIT_PEER_LOST},
                    ("leader", "variant"): {KILLED, EXIT_DIVERGENCE},
                    ("follower", "variant"): {EXIT_DIVERGENCE}}[side, what]
        status = s.wait(LIMIT)
        over(site, roles, begin)
        assert status in want | ({KILLED} if roles_hub(s, side, what) else set()), s.story()
        rules = {a["rule"] for a in s.alarms}
        if status == EXIT_PEER_LOST:
            assert rules <= {"lost.peer"}, s.story()
        if status == EXIT_DIVERGENCE:
            assert rules & {"crash.one_variant", "divergence.exit", "divergence.signal"}, s.story()
    finally:
        work.end()


def roles_hub(session, side, what):
    """Whether the monitor that was killed is the `chiral run` process itself."""
    return what == "monitor" and session.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1, 0.3], ids=str)
def test_kill_run_while_it_starts(chiral, delay, guest):
    """Also before there is anything to serve."""
    for combo in COMBOS:
        s = chiral.run(combo, ["/bin/sleep", "60"])
        time.sleep(delay)
        s.kill(signal.SIGKILL)
        wait_until(lambda s=s: not s.processes(), LIMIT, f"the end of {s.processes()}")
        if combo.uses_guest:
            wait_until(lambda s=s: not guest.variants(s.marker), LIMIT, "the end in the guest")


@pytest.mark.limit(240)
@pytest.mark.parametrize("mixed", [LOCAL_MICROVM, MICROVM_LOCAL], ids=repr)
def test_kill_microvm(chiral, mixed, guest, tmp_path):
    """QEMU dies: the peer is lost, the session ends, the next one finds a new microVM."""
    site = Website(chiral, mixed, tmp_path, guest, files=SMALL)
    s = site.start()
    work = Load(site.port)
    time.sleep(0.5)
    os.kill(guest.pid(), signal.SIGKILL)
    s.expect(EXIT_PEER_LOST, LIMIT)
    work.end()
    wait_until(lambda: not s.processes(), LIMIT, f"the end of {s.processes()}")
    assert {a["rule"] for a in s.alarms} <= {"lost.peer"}, s.story()
    again = chiral.run(mixed, ["/bin/echo", "back"])
    again.expect(0, 60)
    assert again.stdout() == b"back\n"


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.4, 1.0], ids=str)
def test_cut_link(chiral, tmp_path, delay):
    """The wire between lead and follow breaks under load."""
    site = Website(chiral, LOCAL_LOCAL, tmp_path, files=SMALL)
    link = free_port()
    proxy = DelayProxy(link, 0)
    lead = chiral.start(["lead", "--listen", f"tcp://127.0.0.1:{link}"], site.program)
    wait_until(lambda: listening(link), 10, "chiral lead")
    follow = chiral.start(["follow", f"tcp://127.0.0.1:{proxy.port}"], site.program, status=False)
    site.session = lead
    load.wait_ready(site.port, lead)
    work = Load(site.port)
    time.sleep(delay)
    proxy.cut()
    lead.expect(EXIT_PEER_LOST, LIMIT)
    follow.expect(EXIT_PEER_LOST, LIMIT)
    work.end()
    proxy.close()
    wait_until(lambda: not lead.processes() and not follow.processes(), LIMIT, "the end")


def test_follower_killed_in_a_call(chiral):
    """It is told as a death wherever in a call that is: a call that was answered is not compared again."""
    rng = random.Random(SEED)
    for _ in range(30):
        s = chiral.run(LOCAL_LOCAL, ["/bin/sh", "-c", "exec dd if=/dev/zero of=/dev/null bs=1"])
        variants = wait_until(lambda: len(s.variants()) == 2 and s.variants(), 20, "two variants")
        time.sleep(rng.uniform(0.05, 0.15))
        os.kill(max(variants, key=parent), signal.SIGKILL)      # its monitor was started last
        s.expect(EXIT_DIVERGENCE, LIMIT)
        assert [a["rule"] for a in s.alarms] == ["crash.one_variant"], s.story()


def test_stopped_peer_is_lost(chiral, tmp_path):
    """A follower's monitor that is stopped (SIGSTOP) answers no heartbeat: lost, not waited for."""
    site = Website(chiral, LOCAL_LOCAL, tmp_path, files=SMALL)
    s = site.start()
    roles = Roles(site)
    monitor = parent(roles.variant["follower"])
    if monitor == s.pid:
        pytest.skip("the follower's monitor is chiral run itself")
    os.kill(monitor, signal.SIGSTOP)
    try:
        s.expect(EXIT_PEER_LOST, 3 * LIMIT)
    finally:
        try:
            os.kill(monitor, signal.SIGCONT)
        except ProcessLookupError:
            pass
    wait_until(lambda: not s.processes(), LIMIT, f"the end of {s.processes()}")


def test_clients_reset_when_killed(chiral, tmp_path):
    """What a client has half received when the session is killed does not keep it waiting."""
    site = Website(chiral, LOCAL_LOCAL, tmp_path, files=SMALL)
    s = site.start()
    with socket.create_connection(("127.0.0.1", site.port), timeout=LIMIT) as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", LIMIT, 0))
        c.sendall(b"GET /f1000.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.recv(100)
        s.kill(signal.SIGKILL)
        try:
            while c.recv(65536):
                pass
        except ConnectionError:
            pass
