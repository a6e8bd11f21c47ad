# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests: the chiral binary, one microVM for the whole run, a limit for
every test, and the check that no test leaves a process behind."""
import functools
import json
import os
import signal
import subprocess
import sys

import pytest

from chiral import COMBOS, NATIVE_ONLY, Chiral, Guest, processes_marked

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "matrix"))
import matrix  # noqa: E402
import servers  # noqa: E402,F401 # its rows
import tools  # noqa: E402,F401
DEFAULT_LIMIT = 120

# A shell's background job ignores SIGINT, and so would every program that is started here.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--chiral-build", default=os.path.join(ROOT, "build"),
                     help="build folder with the chiral program (default: build)")
    parser.addoption("--chiral-capture", choices=["ptrace", "bpf", "auto"],
                     help="how leaders are captured where a test does not say (default: Chiral's)")
    parser.addoption("--storm-seconds", type=int, default=5,
                     help="how long it rains signals (default: 5)")
    parser.addoption("--storm-calls", type=int, default=20000,
                     help="calls that the kernel records for a slow follower")
    parser.addoption("--storm-processes", type=int, default=500,
                     help="how many processes are made in a row (default: 500)")
    parser.addoption("--without-chiral", action="store_true",
                     help="run the programs natively: do the tests themselves hold?")


def pytest_generate_tests(metafunc):
    """Tests that ask for a combo run once for each; those without Chiral run natively."""
    if "combo" in metafunc.fixturenames:
        native = metafunc.config.getoption("--without-chiral")
        metafunc.parametrize("combo", [NATIVE_ONLY] if native else COMBOS, ids=repr, indirect=True,
                             scope="module")


def pytest_configure(config):
    def terminated(_signum, _frame):
        pytest.exit("terminated", 143)  # the fixtures still end what they started

    signal.signal(signal.SIGTERM, terminated)
    config.addinivalue_line("markers", f"limit(seconds): give up after so long ({DEFAULT_LIMIT})")
    config.addinivalue_line("markers", "bpf: the kernel has to record calls; skipped where it may not")
    config.addinivalue_line("markers", "stops: leaders are captured by ptrace where a test does not say")


class OverTime(Exception):
    pass


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """No test may hang: SIGALRM ends it as a failure of its own."""
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else DEFAULT_LIMIT

    def over(_signum, _frame):
        raise OverTime(f"the test did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def build(request):
    return os.path.abspath(request.config.getoption("--chiral-build"))


@pytest.fixture(scope="session")
def chiral_path(build, request):
    if request.config.getoption("--without-chiral"):
        return None
    path = os.path.join(build, "chiral")
    assert os.access(path, os.X_OK), f"{path} is missing: build first (make)"
    return path


@pytest.fixture(scope="session")
def guest(chiral_path):
    """The microVM of the other ISA, with the programs under test."""
    g = Guest(chiral_path)
    g.start(["lighttpd", "busybox", "curl", "coreutils", "sqlite3", "redis-tools",
             "redis-server", "hostname", *matrix.packages(r for r in matrix.ROWS if r.fast)])
    yield g
    g.stop()


@pytest.fixture(scope="module")
def combo(request):
    """Who leads, who follows; the microVM runs when it is needed."""
    if request.param.uses_guest:
        request.param.guest = request.getfixturevalue("guest")
    return request.param


@functools.lru_cache
def checks(chiral_path):
    """What `chiral check` finds on this machine."""
    found = json.loads(subprocess.run([chiral_path, "check", "--json"], stdout=subprocess.PIPE,
                                      check=True).stdout)["checks"]
    return {c["name"]: c["ok"] for c in found}


@pytest.fixture
def chiral(chiral_path, request):
    """Starts sessions; ends them after the test and fails it when a process is left."""
    marked = request.node.get_closest_marker
    if marked("bpf") and not checks(chiral_path)["bpf"]:
        pytest.skip("the kernel records calls for nobody here; `chiral check` says why")
    c = Chiral(chiral_path, request.config.getoption("--chiral-capture") or
               ("ptrace" if marked("stops") else None))
    yield c
    c.close()


@pytest.fixture
def live(build, chiral):
    """live(combo, program, arguments, options) starts a program of tests/live."""
    def start(combo, program, arguments=(), options=(), **kwargs):
        ship = []
        for isa in sorted(combo.isas):
            path = os.path.join(build, "tests", "live", f"{program}.{isa}")
            if not os.path.exists(path):
                pytest.skip(f"{path} was not built (is the compiler for {isa} installed?)")
            ship += ["--program", f"{isa}={path}"]
        return chiral.run(combo, [f"./{program}", *arguments], [*ship, *options], **kwargs)
    return start


@pytest.fixture
def one_processor(chiral):
    """Programs are shown the same processor on both nodes, as far as this machine can do that."""
    if not checks(chiral.path)["processor"]:
        pytest.skip("this machine has no CPUID faulting")


@pytest.fixture(scope="session")
def attack(build):
    """Path of a program of tests/attack for an ISA: attack("vulnd", "aarch64")."""
    def path(name, isa):
        p = os.path.join(build, "tests", "attack", f"{name}.{isa}")
        if not os.path.exists(p):
            pytest.skip(f"{p} was not built (is the compiler for {isa} installed?)")
        return p
    return path


def pytest_sessionfinish(session, exitstatus):
    """The last word: nothing that carries a marker of this run may still be there."""
    left = processes_marked(f"{os.getpid()}.")
    for pid, name in left:
        print(f"left behind: {pid} {name}")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if left and exitstatus == 0:
        session.exitstatus = 1
