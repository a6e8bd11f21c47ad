# SPDX-License-Identifier: Apache-2.0
"""Programs that move between two memories: the page protocol, with userfaultfd and with faults, on
this machine, on another node, in the microVM. Whatever dies, the session ends with a sentence."""
import os
import signal
import socket
import subprocess
import threading

import pytest

from chiral import EXIT_PEER_LOST, MARKER, processes_marked, read_proc, wait_until
from mtd import alone, moving  # noqa: F401 # a fixture
from test_mtd import behaviour, builder, kernels, language, pytestmark, wishes  # noqa: F401
from test_mtd import _limit  # noqa: F401

# Home, the other node, how pages are kept.
WAYS = {
    "uffd": ("local", "local:amd64", "uffd"),
    "segv": ("local", "local:amd64", "segv"),
    "emulated": ("local", "local:arm64", "segv"),
    "microvm": ("local", "microvm", "uffd"),
    "microvm-segv": ("local", "microvm", "segv"),
    "emulated-home": ("local:arm64", "local:amd64", "shm"),
    "microvm-home": ("microvm", "local:amd64", "uffd"),
}


@pytest.fixture(params=WAYS)
def way(request):
    """Keyword arguments of moving() for kinds of nodes."""
    home, other, pages = WAYS[request.param]
    if "microvm" in (home, other):
        request.getfixturevalue("guest")
    return {"home": home, "other": other, "options": ["--pages", pages]}


@pytest.fixture(scope="module")
def pages(builder):
    return builder.program("pages.c")


@pytest.fixture
def marked():
    """An environment; what it has marked is gone at the end."""
    value = f"mtd{os.getpid()}.{marked_count.__next__():04}"
    yield {**os.environ, MARKER: value}
    wait_until(lambda: not processes_marked(value), 10, f"the end of {processes_marked(value)}")


marked_count = iter(range(1, 10000))


def is_slow(way):
    return (way["home"], way["other"]) != ("local", "local:amd64")


def sends_pages(way):
    return "shm" not in way["options"]


# ---- the same output ------------------------------------------------------------------------------

def test_language(builder, language, moving, way, marked):
    share = "5%" if is_slow(way) else "100%"
    m = moving(builder.points("some", f"* entry {share} 50%"), [language, "1"], env=marked, **way)
    assert m.finish() == (7, alone(language, "1").stdout), m.stderr
    assert m.stderr == "" and m.status["switches"] > 20
    if sends_pages(way):
        assert m.status["pages_pushed"] > 20 and m.status["pages_in"] and m.status["pages_out"]


def test_kernels(builder, kernels, moving, way, marked):
    m = moving(builder.points("few", "* entry 1% 20%"), [kernels, "1"], env=marked, **way)
    assert m.finish() == (0, alone(kernels, "1").stdout), m.stderr
    assert m.status["switches"] > 0


def test_kernel_accesses(builder, pages, moving, way, marked):
    """read(2) and write(2) on pages that are on the other node, or shared, or moved a moment ago."""
    rounds = "1" if is_slow(way) else "5"
    m = moving(builder.points("points", "point entry 50%"), [pages, rounds], env=marked, **way)
    expected = alone(pages, rounds)
    assert expected.returncode == 0
    assert m.finish() == (0, expected.stdout), m.stderr
    assert m.status["switches"] > 20 and m.status["calls"] > 10
    if sends_pages(way):
        assert m.status["faults"] > 0 and m.status["other_faults"] > 0


def test_stress(builder, pages, language, moving, marked):
    """Tens of thousands of pages and switches."""
    points = builder.points("points", "* entry 30%")
    m = moving(points, [pages, "60"], env=marked, options=["--pages", "uffd"])
    assert m.finish() == (0, alone(pages, "60").stdout), m.stderr
    assert m.status["switches"] > 1000 and m.status["pages_in"] + m.status["pages_out"] > 10000


# ---- the session ----------------------------------------------------------------------------------

def test_streams(builder, behaviour, moving, way, marked):
    m = moving(builder.points("p30", "* entry 30%"), [behaviour, "echo"], env=marked, **way)
    text = b"".join(b"line %d\n" % i for i in range(50))
    assert m.finish(text) == (0, text), m.stderr


def test_handlers(builder, behaviour, moving, way, marked):
    m = moving(builder.points("h", "* entry 50%"), [behaviour, "handlers"], env=marked, **way)
    assert m.finish() == (0, b"raise 1\ninfo 1\nold 1\ntimer 1\n"
                          b"interrupted -1 Interrupted system call\nrestarted 1\n"
                          b"never restarted -1 Interrupted system call\n"), m.stderr


def test_crash(builder, behaviour, moving, way, marked):
    m = moving(builder.points("p100", "*"), [behaviour, "crash"], env=marked, **way)
    assert m.finish()[0] == 128 + signal.SIGSEGV, m.stderr


@pytest.mark.parametrize("what", ["wait", "loop"])
@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_signals(builder, behaviour, moving, way, marked, what, signo):
    m = moving(builder.points("p1", "* entry 1%"), [behaviour, what], env=marked, **way)
    assert m.process.stdout.readline() == b"waiting\n"
    m.process.send_signal(signo)
    assert m.process.wait(30) == 128 + signo, m.process.stderr.read()


@pytest.mark.parametrize("what", ["fork", "system"])
def test_fork(builder, wishes, moving, way, marked, what):
    """What is on the other node is the child's too."""
    expected = alone(wishes, what)
    m = moving(builder.points("p50", "* entry 50%"), [wishes, what], env=marked, **way)
    assert m.finish() == (0, expected.stdout), m.stderr


def test_exec(builder, wishes, moving, way, marked):
    m = moving(builder.points("p100", "*"), [wishes, "exec", "/bin/sh", "-c", "exit 5"], env=marked, **way)
    assert m.finish()[0] == 5, m.stderr


# ---- what dies ------------------------------------------------------------------------------------

def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def processes_of(m):
    """The hub, its two children (keeper and home), the keeper's child (the other node's pager), and the
    other process."""
    keeper, home = m.children()
    pager, = children_of(keeper)
    other, = children_of(pager)
    return {"hub": m.process.pid, "keeper": keeper, "home": home, "pager": pager, "other": other}


ENDS = {"hub": -signal.SIGKILL, "home": 128 + signal.SIGKILL, "other": 128 + signal.SIGKILL,
        "pager": EXIT_PEER_LOST, "keeper": EXIT_PEER_LOST}


@pytest.mark.parametrize("share", ["0.01%", "100%"])
@pytest.mark.parametrize("victim", ENDS)
@pytest.mark.parametrize("what", ["loop", "wait"])
def test_killed(builder, behaviour, moving, marked, victim, share, what):
    m = moving(builder.points("kill", f"* entry {share}"), [behaviour, what], env=marked,
               options=["--pages", "uffd"])
    assert m.process.stdout.readline() == b"waiting\n"
    os.kill(processes_of(m)[victim], signal.SIGKILL)
    m.process.wait(30)
    assert m.process.returncode == ENDS[victim], m.process.stderr.read()
    if ENDS[victim] == EXIT_PEER_LOST:
        assert b"local" in m.process.stderr.read()


def ticks(pid):
    """Processor time in user code, in clock ticks."""
    return int(read_proc(pid, "stat").rpartition(b")")[2].split()[11])


def test_home_does_not_end(builder, wishes, moving, marked):
    """The program's status is known on the other node."""
    m = moving(builder.points("never", "* entry 0%"), [wishes, "leave"], env=marked,
               options=["--pages", "uffd"])
    assert m.process.stdout.readline() == b"there\n"
    of = processes_of(m)
    # Home has answered the call that printed when the other one computes on.
    wait_until(lambda: ticks(of["other"]) >= 10, 30, "the other process to compute")
    os.kill(of["home"], signal.SIGSTOP)
    assert m.finish()[0] == 3
    assert "its process here did not in 5 seconds; it was killed" in m.stderr


def test_killed_in_the_microvm(builder, behaviour, moving, marked, guest):
    m = moving(builder.points("few", "* entry 1%"), [behaviour, "loop"], other="microvm", env=marked)
    assert m.process.stdout.readline() == b"waiting\n"
    guest.exec("sh", "-c", "kill -9 $(grep -l ^behaviour /proc/[0-9]*/comm | tr -dc '0-9\\n')")
    assert m.process.wait(30) == 128 + signal.SIGKILL, m.process.stderr.read()


def test_microvm_dies(builder, behaviour, moving, marked, guest):
    m = moving(builder.points("few", "* entry 1%"), [behaviour, "loop"], other="microvm", env=marked)
    assert m.process.stdout.readline() == b"waiting\n"
    try:
        os.kill(guest.pid(), signal.SIGKILL)
        assert m.process.wait(30) == EXIT_PEER_LOST
        assert b"cannot go on without its pages" in m.process.stderr.read()
    finally:
        assert guest.command("start").returncode == 0  # for the tests that follow


class Wire:
    """A TCP connection to a node that can be cut or fall silent."""

    def __init__(self, address):
        self.node = address
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets, self.mute = [], threading.Event()
        self.passed = 0
        threading.Thread(target=self.accept, daemon=True).start()
        self.daemon = None

    @property
    def address(self):
        return "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]

    def accept(self):
        try:
            a, _ = self.listener.accept()
        except OSError:
            return
        b = socket.create_connection(self.node)
        self.sockets = [a, b]
        for x, y in ((a, b), (b, a)):
            threading.Thread(target=self.copy, args=(x, y), daemon=True).start()

    def copy(self, x, y):
        try:
            while data := x.recv(65536):
                self.passed += len(data)
                if not self.mute.is_set():
                    y.sendall(data)
        except OSError:
            pass
        for s in (x, y):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        for s in self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.cut()
        for s in [*self.sockets, self.listener]:
            s.close()


@pytest.fixture
def wire(chiral_path, marked):
    node = subprocess.Popen([chiral_path, "node", "--listen", "tcp://127.0.0.1:0"], env=marked,
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    port = int(node.stderr.readline().rpartition(":")[2])
    w = Wire(("127.0.0.1", port))
    w.daemon = node.pid
    yield w
    w.close()
    node.terminate()
    node.communicate(timeout=20)


@pytest.fixture(params=["other", "home"])
def far(request, wire):
    """Keyword arguments of moving(): either of the two is behind the wire."""
    return {request.param: wire.address}


def test_over_tcp(builder, language, moving, far, marked):
    m = moving(builder.points("p20", "* entry 20%"), [language, "2"], env=marked, **far)
    assert m.finish() == (7, alone(language, "2").stdout), m.stderr
    assert m.status["switches"] > 100


@pytest.mark.parametrize("share", ["0.01%", "3%", "100%"])
@pytest.mark.parametrize("what", ["loop", "wait"])
def test_cut(builder, behaviour, moving, wire, far, marked, share, what):
    m = moving(builder.points("cut", f"* entry {share}"), [behaviour, what], env=marked, **far)
    assert m.process.stdout.readline() == b"waiting\n"
    before = wire.passed
    if what == "loop":
        wait_until(lambda: wire.passed > before, 20, "something on the wire")
    wire.cut()
    assert m.process.wait(30) == EXIT_PEER_LOST
    expected = b"cannot go on without its home" if "home" in far else b"cannot go on without its pages"
    assert expected in m.process.stderr.read()


def test_silence(builder, behaviour, moving, wire, far, marked):
    m = moving(builder.points("cut", "* entry 3%"), [behaviour, "loop"], env=marked, **far)
    assert m.process.stdout.readline() == b"waiting\n"
    wire.mute.set()
    assert m.process.wait(30) == EXIT_PEER_LOST
    # Whoever notices first: the node, which then closes, or the hub.
    err = m.process.stderr.read()
    assert b"said nothing for four seconds" in err or b"closed the connection" in err


def test_usage(chiral_path, builder, behaviour):
    points = builder.points("p100", "*")

    def run(*args):
        done = subprocess.run([chiral_path, "run", "--mode", "mtd", "--points", points, *args, "--", behaviour,
                               "echo"], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 125 and not done.stdout, done
        return done.stderr

    assert "userfaultfd" in run("--other", "local:arm64", "--pages", "uffd")
    assert "no memory in common" in run("--other", "tcp://127.0.0.1:1", "--pages", "shm")
    assert "use shm, uffd" in run("--pages", "magic")
    assert "one of the two has to be this machine" in run("--home", "microvm", "--other", "tcp://127.0.0.1:1")
