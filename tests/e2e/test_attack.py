# SPDX-License-Identifier: Apache-2.0
"""Attacks must alarm; their benign twins must not.

The servers are those of tests/attack. exploit.py makes the payloads from the very binaries that run, and
probe tells what each length of input does to a server natively: both are the truth that alarms are
compared with, and both are tested here first."""
import os
import random
import re
import socket
import subprocess
import sys
import time

import pytest

from chiral import (EXIT_DIVERGENCE, FOREIGN, LOCAL_MICROVM, MICROVM_LOCAL, NATIVE, Session, free_port,
                    wait_until)
from website import GUEST_ROOT

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "attack"))
import exploit  # noqa: E402  (a script beside the servers, usable by hand)

BENIGN = ("echo", "echo", "alive")


class Target:
    """A server of tests/attack under a session."""

    def __init__(self, chiral, combo, attack, name, options=(), timeout=30):
        self.port = free_port()
        ship = []
        for isa in sorted(combo.isas):
            ship += ["--program", f"{isa}={attack(name, isa)}"]
        self.session = chiral.run(combo, [f"./{name}", combo.address(), str(self.port)],
                                  [*ship, *options], port=self.port)
        end = time.monotonic() + timeout
        while exchange(self.port, b"ready?")[:6] != b"ready?":
            assert self.session.running(), self.session.story()
            assert time.monotonic() < end, f"does not answer: {self.session.story()}"
            time.sleep(0.05)

    def exchange(self, payload, **kwargs):
        return exchange(self.port, payload, **kwargs)

    def expect_alarm(self, *rules):
        """The session must end itself with an alarm of one of these rules: its output_fields."""
        alarm = self.session.wait_alarm()
        self.session.expect(EXIT_DIVERGENCE)
        assert alarm["rule"] in rules, self.session.story()
        fields = alarm["output_fields"]
        assert {"time", "rule", "priority", "output"} <= set(alarm)
        for side in ("leader", "follower"):
            assert 1 <= len(fields[f"chiral.{side}.calls"]) <= 20, fields
        assert any(fields[f"chiral.{side}.stack"] for side in ("leader", "follower")), fields
        assert "ALARM" in self.session.stderr()
        return fields


def exchange(port, payload, want=None, silence=2.0):
    """Sends, and returns what comes back until that many bytes (as many as were sent), the end of the
    connection, or silence."""
    want = len(payload) if want is None else want
    reply = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=silence) as s:
            s.sendall(payload)
            while len(reply) < want:
                data = s.recv(65536)
                if not data:
                    break
                reply += data
    except OSError:
        pass
    return reply


def call_name(text):
    return re.match(r"[a-z_0-9]+", text or "").group(0) if text else ""


# ---- the attacks themselves work -----------------------------------------------------------------

def test_payload_takes_over_native(attack):
    path = attack("vulnd", NATIVE)
    port = free_port()
    s = Session(None, [], [path, "127.0.0.1", str(port)])
    try:
        wait_until(lambda: exchange(port, b"hi") == b"hi", 10, "vulnd")
        payload, facts = exploit.build(path)
        assert facts["isa"] == NATIVE
        assert exchange(port, payload, want=len(payload) + 6) == payload + b"pwned\n"
        assert s.wait(5) == 66
    finally:
        assert not s.end()


def test_payload_takes_over_foreign(attack, guest):
    """In the microVM, without Chiral; the client is busybox's nc there."""
    path = attack("vulnd", FOREIGN)
    payload, facts = exploit.build(path)
    assert facts["isa"] == FOREIGN
    with open(path, "rb") as f:
        guest.put(f"{GUEST_ROOT}/attack", {"vulnd": f.read(), "payload": payload})
    out = guest.exec("sh", "-c", f"cd {GUEST_ROOT}/attack && ./vulnd 127.0.0.1 7001 & p=$!; sleep 1; "
                     f"(cat {GUEST_ROOT}/attack/payload; sleep 1) | busybox nc 127.0.0.1 7001; "
                     "wait $p; echo status $?").stdout
    assert out.endswith(b"pwned\nstatus 66\n"), out


# ---- benign inputs -------------------------------------------------------------------------------

@pytest.mark.parametrize("level", ["async", "lockstep"])
def test_echo_benign(chiral, combo, attack, level):
    t = Target(chiral, combo, attack, "echod", ["--level", level])
    rng = random.Random(7)
    for size in [1, 2, 16, 17, 128, 511, 512, 513, 2000, 50000, *rng.choices(range(1, 3000), k=30)]:
        data = rng.randbytes(size)
        assert t.exchange(data, silence=10) == data
    socks = [socket.create_connection(("127.0.0.1", t.port), timeout=20) for _ in range(70)]
    for i, s in enumerate(socks):
        s.sendall(b"%d" % i)
    for i, s in enumerate(socks):
        assert s.recv(100) == b"%d" % i
        s.close()
    t.session.assert_quiet()
    wait_until(lambda: b"69" in t.session.stdout(), 10, "its standard output")
    t.session.kill(15)
    t.session.expect(0)
    assert not t.session.alarms, t.session.story()


def test_vulnerable_benign(chiral, combo, attack):
    """What fits the buffer never alarms."""
    t = Target(chiral, combo, attack, "vulnd")
    for size in range(1, 17):
        data = bytes(range(65, 65 + size))
        assert t.exchange(data) == data
    t.session.assert_quiet()


@pytest.mark.parametrize("request_", ["pid", "fd", "time", "uname", "random", "cwd", "file", "port"])
def test_same_text(chiral, combo, attack, request_):
    """What a program may know about itself and its node is the leader's in both variants."""
    t = Target(chiral, combo, attack, "samed")
    for _ in range(3):
        reply = t.exchange(request_.encode(), want=1)
        assert reply
    if request_ == "uname":
        assert reply.split()[-1] == combo.leader_isa.encode()
    time.sleep(0.3)
    t.session.assert_quiet()


# ---- overflows -----------------------------------------------------------------------------------

def parse_probe(text):
    return {int(n): tuple(rest) for n, *rest in (line.split() for line in text.splitlines())}


@pytest.fixture(scope="module")
def truth(attack, guest):
    """{isa: {length: set of native behaviours}}, from two runs on each node."""
    base = f"{GUEST_ROOT}/attack"
    content = {}
    for name in ("vulnd", "probe"):
        with open(attack(name, FOREIGN), "rb") as f:
            content[name] = f.read()
    guest.put(base, content)
    found = {NATIVE: {}, FOREIGN: {}}
    for _ in range(2):
        native = subprocess.Popen([attack("probe", NATIVE), attack("vulnd", NATIVE), "20000", "1",
                                   "128"], stdout=subprocess.PIPE)
        runs = {FOREIGN: guest.exec(f"{base}/probe", f"{base}/vulnd", "20000", "1", "128",
                                    timeout=240).stdout,
                NATIVE: native.communicate(timeout=60)[0]}
        for isa, out in runs.items():
            for length, behaviour in parse_probe(out.decode()).items():
                found[isa].setdefault(length, set()).add(behaviour)
    return found


def test_truth(truth):
    """The probe sees what it must: small inputs are harmless, large ones are not, on both ISAs."""
    for isa, lengths in truth.items():
        assert all(lengths[n] == {BENIGN} for n in range(1, 17)), isa
        assert all(BENIGN not in lengths[n] for n in range(64, 129)), isa
    assert any(truth[NATIVE][n] != truth[FOREIGN][n] for n in range(17, 129))


def overflow(chiral, combo, attack, truth, lengths):
    """Sends so many 'A' and "ok" on one connection, for each length. Alarms where the variants'
    native behaviours differ, silence where both are benign. Returns the lengths that alarmed."""
    alarmed = []
    target = None
    for n in lengths:
        native = [truth[isa][n] for isa in sorted(combo.isas)]
        if target is None:
            target = Target(chiral, combo, attack, "vulnd")
        s = target.session
        with socket.create_connection(("127.0.0.1", target.port), timeout=3) as c:
            try:
                c.sendall(b"A" * n)
                c.recv(256)
                time.sleep(0.06)
                c.sendall(b"ok")
                c.recv(256)
            except OSError:
                pass
        if all(b == {BENIGN} for b in native):
            s.assert_quiet()
            continue
        stable = all(len(b) == 1 for b in native)
        if stable and native[0] != native[-1]:
            s.wait_alarm()
        s.process.wait(10)      # whatever the two did, no session survives the crash of a variant
        if s.alarms:
            alarmed.append(n)
            s.expect(EXIT_DIVERGENCE)
        s.end()
        target = None
    return alarmed


@pytest.mark.limit(600)
def test_overflow_every_length(chiral, attack, guest, truth):
    alarmed = overflow(chiral, LOCAL_MICROVM, attack, truth, range(17, 129))
    must = [n for n in range(17, 129)
            if truth[NATIVE][n] != truth[FOREIGN][n] and len(truth[NATIVE][n] | truth[FOREIGN][n]) == 2]
    assert must and set(must) <= set(alarmed)


@pytest.mark.limit(200)
def test_overflow_foreign_leader(chiral, attack, guest, truth):
    lengths = [17, 20, 24, 25, 26, 31, 32, 33, 39, 40, 41, 48, 49, 64, 100, 128]
    assert overflow(chiral, MICROVM_LOCAL, attack, truth, lengths)


# ---- real payloads -------------------------------------------------------------------------------

@pytest.mark.parametrize("level", ["async", "lockstep"])
@pytest.mark.parametrize("isa", ["x86_64", "aarch64"])
@pytest.mark.parametrize("mixed", [LOCAL_MICROVM, MICROVM_LOCAL], ids=repr)
def test_payload(chiral, mixed, attack, guest, isa, level):
    """The payload for either ISA, with either in the lead. The alarm names the call that the variant
    which was taken over made, or the one at which the other went astray."""
    payload, _ = exploit.build(attack("vulnd", isa))
    t = Target(chiral, mixed, attack, "vulnd", ["--level", level])
    reply = t.exchange(payload, want=len(payload) + 6)
    fields = t.expect_alarm("divergence.call", "divergence.argument", "divergence.payload",
                            "crash.one_variant", "divergence.signal")
    hit = "leader" if mixed.leader_isa == isa else "follower"
    other = "follower" if hit == "leader" else "leader"
    calls = {side: call_name(fields.get(f"chiral.{side}.call", "")) for side in (hit, other)}
    if isa == "x86_64":
        # x86-64 returns into pwned() at once; arm64 asks for more input first.
        assert calls[hit] == "write" and "pwned" in fields[f"chiral.{hit}.call"], fields
        assert calls[other] == "read", fields
    else:
        # The bytes that hold arm64's return address are x86-64's saved register: its next read() is
        # from a descriptor that is an address.
        assert calls[hit] == calls[other] == "read", fields
    if level == "lockstep":
        assert b"pwned" not in reply


# ---- leaks ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", ["stack", "heap", "code", "raw"])
def test_pointer_leak(chiral, combo, attack, what):
    t = Target(chiral, combo, attack, "leakd")
    assert t.exchange(b"hello") == b"hello"
    t.session.assert_quiet()
    t.exchange(what.encode(), want=1)
    fields = t.expect_alarm("divergence.payload", "divergence.argument")
    assert call_name(fields["chiral.leader.call"]) == "write", fields
    assert call_name(fields["chiral.follower.call"]) == "write", fields
    assert "chiral.mismatch" in fields


def test_pointer_leak_lockstep(chiral, combo, attack):
    t = Target(chiral, combo, attack, "leakd", ["--level", "lockstep"])
    assert t.exchange(b"stack", want=1) == b""
    t.expect_alarm("divergence.payload")


def test_leak_observed(chiral, combo, attack):
    """observe: the alarm is told, nothing is stopped."""
    t = Target(chiral, combo, attack, "leakd", ["--level", "observe"])
    assert t.exchange(b"stack", want=1)
    t.session.wait_alarm()
    assert t.exchange(b"hello") == b"hello"
    assert t.session.running()
    t.session.kill(15)
    t.session.expect(0)


def test_leak_reported(chiral, combo, attack):
    t = Target(chiral, combo, attack, "leakd", ["--on-divergence", "report"])
    assert t.exchange(b"stack", want=1)
    t.session.wait_alarm()
    assert t.exchange(b"hello") == b"hello"
    t.session.kill(15)
    t.session.wait()


def test_leak_frozen(chiral, attack):
    """freeze: the variants stay, stopped, until the session is told to end."""
    from chiral import LOCAL_LOCAL
    t = Target(chiral, LOCAL_LOCAL, attack, "leakd", ["--on-divergence", "freeze"])
    variants = t.session.variants()
    assert variants
    t.exchange(b"stack", want=1)
    t.session.wait_alarm()
    time.sleep(0.5)
    assert sorted(t.session.variants()) == sorted(variants)
    assert t.exchange(b"hello", silence=1) == b""
    t.session.kill(15)
    t.session.expect(EXIT_DIVERGENCE)
