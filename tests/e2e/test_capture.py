# SPDX-License-Identifier: Apache-2.0
"""Both ways of capturing a leader: the same program gives the same stream, call by call."""
import os
import re
import signal
import subprocess

import pytest

from chiral import EXIT_OWN_FAILURE, LOCAL_LOCAL, MARKER, NATIVE, read_proc, wait_until

pytestmark = pytest.mark.bpf

# Programs that do the same twice, apart from what is taken out below.
PROGRAMS = {
    "true": ["/bin/true"],
    "ls": ["/bin/ls", "-lR", "/usr/share/doc/bash", "/etc/apt"],
    "cat-large": ["/bin/cat", "{large}"],
    "tac-large": ["/usr/bin/tac", "{large}"],
    "sum": ["/usr/bin/sha256sum", "{large}", "/bin/bash"],
    "sort": ["/usr/bin/sort", "-r", "/etc/passwd"],
    "not-there": ["/bin/ls", "/nowhere/at/all", "/" + "long/" * 300],
    "sqlite": ["/usr/bin/sqlite3", ":memory:", "create table t(a,b); insert into t values(1,'x'),(2,'y');"
               "select * from t;"],
    "shell": ["/bin/sh", "-c", "for i in 1 2 3; do echo $i; cat /etc/hostname; done; cd /tmp; pwd; exit 3"],
    "find": ["/usr/bin/find", "/usr/share/doc/bash", "/etc/apt", "-type", "f", "-size", "+1k"],
    "dd": ["/bin/dd", "if={large}", "of=/dev/null", "bs=300000", "status=none"],
}
STATUS = {"not-there": 2, "shell": 3}


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("capture") / "large")
    with open(path, "wb") as f:
        for i in range(30000):
            f.write(b"line n%dn of a file that is read in many pieces\n" % i)
    return path


def stream(chiral, capture, program, path, status):
    s = chiral.start(["record", "--capture", capture, "-o", path], program, status=False)
    s.expect(status, timeout=60)
    assert "ptrace" not in s.stderr(), s.story()
    done = chiral.command("trace", path)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(errors="replace").splitlines()


def one_call(text):
    """A call that took its time may have been announced: then it is two lines."""
    if text.endswith(" = ?") and not text.startswith("exit"):
        return ""
    return re.sub(r"^<\.\.\. \S+ resumed> ", "", text)


def plain(lines):
    """The streams, thread after thread. Thread ids by their order; what the kernel gives anew each
    time is taken out, and so is what depends on the test itself."""
    tids, streams = [], []
    for line in lines:
        tid, text = line.split(" ", 1)
        if tid not in tids:
            tids.append(tid)
            streams.append([])
        # When a child ends is a race that a shell has with it: before the shell waits, or then.
        if not re.match(r"--- SIGCHLD |wait4\(-1, .*, WNOHANG, NULL\) = -1 ECHILD", text):
            streams[tids.index(tid)].append(one_call(text))
    text = "\n".join(line for stream in streams for line in stream if line)
    for number, tid in enumerate(tids):
        text = re.sub(rf"(?m)(= |\(|, ){tid}(?=$|[,)])", rf"\g<1>T{number}", text)
    # Reading for the first time in a day sets an access time (relatime, mount(8)).
    text = re.sub(r"tv_n?sec=\d+|\w*atime\w*=(\d+|\"(\\.|[^\"\\])*\")", "TIME", text)
    text = re.sub(r"((getppid|set_tid_address)\(.*?\)) = \w+", r"\1 = ID", text)
    text = re.sub(r"sin_port=\d+|sa_data=\"(\\.|[^\"\\])*\"", "PORT", text)
    text = re.sub(r"f_b?(free|avail|ffree)=\d+", "FREE", text)
    text = re.sub(r"newfstatat\([012], .*", "its own stdio", text)
    text = re.sub(r"read\(3, .*, 44\) = 44", "sqlite's seed", text)
    text = re.sub(rf"{MARKER}=[\d.]+", "MARKER", text)
    return re.sub(r"(getrandom|sysinfo)\(.*", r"\1", text).splitlines()


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_stream(chiral, large, tmp_path, name):
    program = [a.replace("{large}", large) for a in PROGRAMS[name]]
    streams = [plain(stream(chiral, how, program, str(tmp_path / how), STATUS.get(name, 0)))
               for how in ("ptrace", "bpf")]
    assert streams[0] == streams[1]
    assert len(streams[0]) >= 4


def test_clocks(chiral, build, tmp_path):
    """Most readings of clocks are no calls, and events all the same; ptrace knows calls only."""
    clocks = os.path.join(build, "tests", "live", f"clocks.{NATIVE}")
    s = chiral.run(LOCAL_LOCAL, [clocks], ["--capture", "bpf"]).expect(0, timeout=60)
    assert not s.alarms, s.story()
    assert s.status[-1]["clocks"] > 400, s.status[-1]
    s = chiral.start(["record", "--capture", "bpf", "--discard"], [clocks, "threads"])
    s.expect(0, timeout=60)
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules:\n  - calls: [clock_gettime]\n    level: lockstep\n")
    s = chiral.run(LOCAL_LOCAL, [clocks], ["--capture", "bpf", "--policy", str(policy)])
    s.expect(0, timeout=60)
    assert s.status[-1]["clocks"] == 0 and not s.alarms, s.story()


def test_verify(chiral, large, tmp_path):
    """A record that the kernel made is one that a follower agrees with."""
    path = str(tmp_path / "record")
    chiral.start(["record", "--capture", "bpf", "-o", path], ["/bin/cat", large], status=False).expect(0)
    chiral.start(["verify", path, "--node", "local"], None, status=False).expect(0)


@pytest.fixture(scope="module")
def recording(build):
    path = os.path.join(build, "tests", "live", f"recording.{NATIVE}")
    assert os.path.exists(path), f"{path} was not built"
    return path


@pytest.mark.parametrize("what", [[], ["not-in-memory"]], ids=["hard", "not-in-memory"])
def test_same_stream_of_what_is_hard(chiral, recording, tmp_path, what):
    """Memory that is large, long, scattered, overlapping or not there."""
    streams = [plain(stream(chiral, how, [recording, *what], str(tmp_path / how), 0))
               for how in ("ptrace", "bpf")]
    assert streams[0] == streams[1]


@pytest.fixture(scope="module")
def batches(build):
    return os.path.join(build, "tests", "live", f"batches.{NATIVE}")


def test_same_stream_of_batches(chiral, batches, tmp_path):
    """Many messages in one call, descriptors over others."""
    streams = [plain(stream(chiral, how, [batches], str(tmp_path / how), 0)) for how in ("ptrace", "bpf")]
    assert streams[0] == streams[1]


def test_batches_of_threads(chiral, batches, tmp_path):
    """Each call of each thread, in the order of the thread; and followers agree."""
    lines = stream(chiral, "bpf", [batches, "threads"], str(tmp_path / "record"), 0)
    calls = [one_call(line.split(" ", 1)[1]) for line in lines]
    for call, number in ("sendmmsg", 1600), ("recvmmsg", 1600), ("dup3", 3200):
        assert sum(c.startswith(f"{call}(") for c in calls) == number, call
    s = chiral.run(LOCAL_LOCAL, [batches, "threads"], ["--capture", "bpf"]).expect(0, timeout=60)
    assert not s.alarms and s.status[-1]["recorded"] > 6400, s.story()


def test_batches_on_every_node(live, combo):
    s = live(combo, "batches", [], ["--capture", "bpf"]).expect(0)
    assert not s.alarms and completed(s)["large"], s.story()


def completed(session):
    return session.status[-1]["completed"]


def test_completed_by_the_tracer(chiral, recording):
    """What the kernel could not record whole is compared all the same."""
    s = chiral.run(LOCAL_LOCAL, [recording], ["--capture", "bpf"]).expect(0)
    assert not s.alarms, s.story()
    assert completed(s)["unread"] and completed(s)["large"] and completed(s)["signals"], s.status


@pytest.mark.parametrize("how", [[], ["/bin/sh", "-c", "$0 $1 && exec $0 $1"]], ids=["first", "executed"])
def test_untouched_data(chiral, recording, how):
    """Programs begin with data that are in no page table yet."""
    s = chiral.run(LOCAL_LOCAL, [*how, recording, "untouched-data"], ["--capture", "bpf"]).expect(0)
    assert not s.alarms and s.stdout() == b"untouched data\n" * (2 if how else 1), s.story()


def test_on_every_node(live, combo):
    """The kernel of the leader's node records, whichever that is."""
    s = live(combo, "recording", [], ["--capture", "bpf"]).expect(0)
    assert not s.alarms, s.story()
    ended = s.status[-1]
    assert ended["recorded"] > ended["calls"]["compared"] * 0.9 and completed(s)["large"], ended


@pytest.mark.parametrize("what", ["overwritten", "message-overwritten"])
def test_what_cannot_be_known(chiral, recording, what):
    """What a call began with is neither recorded nor there any more: the session ends and says so."""
    assert subprocess.run([recording, what], check=False, capture_output=True).returncode == 0
    s = chiral.start(["record", "--capture", "bpf", "--discard"], [recording, what])
    s.expect(EXIT_OWN_FAILURE)
    assert "was not in memory when it began" in s.stderr(), s.story()


def test_ring_overflows(chiral, recording):
    """A follower that is slower than its leader: threads wait, no call is lost."""
    counts = []
    for how in ("ptrace", "bpf"):
        s = chiral.run(LOCAL_LOCAL, [recording, "flood"], ["--capture", how]).expect(0, timeout=100)
        assert not s.alarms, s.story()
        counts.append(s.status[-1]["calls"]["compared"])
    assert completed(s)["full"], s.status
    assert counts[0] == counts[1]


def calls_of(pid):
    return sum(int(n) for n in re.findall(rb"sysc[rw]: (\d+)", read_proc(pid, "io")))


@pytest.mark.parametrize("how", ["ptrace", "bpf"])
def test_no_further_than_the_window(chiral, tmp_path, how):
    """The follower does not take anything: its leader stands still when the window is full, one call
    further at the most. Its node's end ends it."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("window:\n  events: 300\n")
    s = chiral.run(LOCAL_LOCAL, ["/bin/sh", "-c", "read x; exec dd if=/dev/zero of=/dev/null bs=1"],
                   ["--capture", how, "--policy", str(policy)], stdin=subprocess.PIPE)
    variants = wait_until(lambda: len(s.variants()) == 2 and s.variants(), 20, "two variants")
    of = {int(read_proc(v, "stat").split()[3]): v for v in variants}
    leader, follower = sorted(of)
    os.kill(follower, signal.SIGSTOP)
    s.process.stdin.write(b"\n")
    s.process.stdin.flush()
    counts = [0]
    wait_until(lambda: (counts.append(calls_of(of[leader])) or
                        len(counts) > 20 and counts[-1] > 200 and len(set(counts[-20:])) == 1),
               20, "standing still")
    assert counts[-1] <= 302, counts
    s.kill(signal.SIGTERM)
    os.kill(follower, signal.SIGCONT)
    s.expect(128 + signal.SIGTERM)
    assert not s.alarms, s.story()


def test_programs_that_begin_without_room(chiral, tmp_path):
    """The calls that the monitor makes for a new program find no room either: the stops that the kernel
    sends for them are nobody's."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("window:\n  events: 1\n")
    s = chiral.run(LOCAL_LOCAL, ["/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done"],
                   ["--capture", "bpf", "--policy", str(policy)])
    s.expect(0)
    assert s.status[-1]["completed"]["full"] >= 10 and not s.alarms, s.story()


@pytest.mark.parametrize("how", ["ptrace", "bpf"])
def test_told_by_a_call_that_goes_on(chiral, recording, how):
    """A thread is woken by a call that ends after its own one: what was computed before is there. The
    follower begins when its leader is done, so that it does not compute meanwhile."""
    s = chiral.run(LOCAL_LOCAL, [recording, "told"], ["--capture", how])
    wait_until(lambda: s.status or not s.running(), 20, "the start")
    monitor = max(s.monitors())     # the follower's, which was started last
    os.kill(monitor, signal.SIGSTOP)
    wait_until(lambda: s.stdout() or not s.running(), 30, "the leader's end")
    os.kill(monitor, signal.SIGCONT)
    s.expect(0)
    assert not s.alarms, s.story()


def without_bpf(argv, **kwargs):
    """Runs argv as a user who may not load programs."""
    return subprocess.run(["setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--inh-caps",
                           "-bpf,-perfmon,-sys_admin", "--reuid", "65534", "--clear-groups", *argv],
                          capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False,
                          **kwargs)


@pytest.fixture
def chiral_for_all(chiral_path, tmp_path):
    """A copy that nobody may execute: the build may be below a private folder."""
    copy = tmp_path / "chiral"
    copy.write_bytes(open(chiral_path, "rb").read())
    copy.chmod(0o755)
    folder = tmp_path
    while folder != folder.parent and not os.stat(folder).st_mode & 1:
        folder.chmod(0o755)
        folder = folder.parent
    return str(copy)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_privilege(chiral_for_all, tmp_path):
    """auto, which is the default, says in one line that stops are used; bpf is an error."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    env = {**os.environ, "XDG_RUNTIME_DIR": str(home)}
    argv = [chiral_for_all, "run", "--follower", "local"]
    for asked, lines in [[], 1], [["--capture", "auto"], 1], [["--capture", "ptrace"], 0]:
        done = without_bpf([*argv, *asked, "--", "/bin/echo", "hello"], env=env)
        assert done.returncode == 0 and done.stdout == b"hello\n", done.stderr
        assert done.stderr.count(b"\n") == lines and done.stderr.count(b"captured by ptrace") == lines
    done = without_bpf([*argv, "--capture", "bpf", "--", "/bin/echo", "hello"], env=env)
    assert done.returncode == EXIT_OWN_FAILURE and done.stdout == b"", done.stderr
    assert b"--capture ptrace" in done.stderr


@pytest.mark.parametrize("level", ["async", "lockstep"])
def test_default(chiral, level):
    """Nobody asked for anything: nothing is said, and the kernel records where it may."""
    chiral.capture = None
    s = chiral.run(LOCAL_LOCAL, ["/bin/echo", "hello"], ["--level", level]).expect(0)
    assert s.stdout() == b"hello\n" and s.stderr() == "", s.story()
    assert ("recorded" in s.status[-1]) == (level == "async"), s.status


def test_lockstep_stops(chiral):
    s = chiral.run(LOCAL_LOCAL, ["/bin/echo", "hello"], ["--capture", "bpf", "--level", "lockstep"])
    s.expect(0)
    assert s.stdout() == b"hello\n" and "ptrace" in s.stderr(), s.story()


def test_rules_stop_their_calls_only(chiral, tmp_path):
    """What a rule is about is held at its entry, all else is recorded."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules:\n  - calls: [write]\n    level: lockstep\n"
                      "  - calls: [chdir]\n    refuse: EACCES\n")
    s = chiral.run(LOCAL_LOCAL, ["/bin/sh", "-c", "cd / || echo refused; cat /etc/passwd; echo end"],
                   ["--capture", "bpf", "--policy", str(policy)]).expect(0)
    assert s.stdout().startswith(b"refused\n") and s.stdout().endswith(b"end\n"), s.story()
    assert s.status[-1]["recorded"] > 10 and not s.alarms, s.status
