# SPDX-License-Identifier: Apache-2.0
"""What the tests know about Chiral: how to start a session, read its status, find its processes."""
import atexit
import io
import itertools
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time

MARKER = "CHIRAL_TEST"

EXIT_PEER_LOST = 121
EXIT_DIVERGENCE = 122
EXIT_OWN_FAILURE = 125
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127

NATIVE = platform.machine()
FOREIGN = {"x86_64": "aarch64", "aarch64": "x86_64"}[NATIVE]
MICROVM = "microvm"

_numbers = itertools.count(1)


class Combo:
    """Who leads and who follows; the ISA of each."""

    def __init__(self, name, leader, follower):
        self.name, self.leader, self.follower = name, leader, follower
        self.leader_isa = FOREIGN if leader == MICROVM else NATIVE
        self.follower_isa = FOREIGN if follower == MICROVM else NATIVE
        self.leads_in_guest = leader == MICROVM
        self.uses_guest = MICROVM in (leader, follower)
        self.isas = {self.leader_isa, self.follower_isa}

    def __repr__(self):
        return self.name

    def address(self):
        """Where a server has to listen, so that a client on this machine reaches it."""
        return "0.0.0.0" if self.leads_in_guest else "127.0.0.1"

    def options(self, port=None):
        o = ["--leader", self.leader, "--follower", self.follower]
        if port is not None and self.leads_in_guest:
            o += ["--publish", f"{port}:{port}"]
        return o


LOCAL_MICROVM = Combo("local-microvm", "local", MICROVM)
MICROVM_LOCAL = Combo("microvm-local", MICROVM, "local")
LOCAL_LOCAL = Combo("local-local", "local", "local")
NATIVE_ONLY = Combo("native", "local", "local")
COMBOS = [LOCAL_MICROVM, MICROVM_LOCAL, LOCAL_LOCAL]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def exit_status(returncode):
    """subprocess's return code as a shell tells it."""
    return returncode if returncode >= 0 else 128 - returncode


def wait_until(condition, timeout, what):
    """Polls until condition() is true; its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout} s")
        time.sleep(0.02)


def read_proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read()
    except OSError:
        return b""


def processes_marked(value):
    """(pid, name) of the processes of this machine whose environment carries a marker that begins
    with value. Zombies are gone already as far as anybody cares."""
    found = []
    want = f"{MARKER}={value}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        if any(e.startswith(want) for e in read_proc(pid, "environ").split(b"\0")):
            stat = read_proc(pid, "stat").rpartition(b")")[2].split()
            if stat and stat[0] != b"Z":
                found.append((int(pid), read_proc(pid, "comm").decode(errors="replace").strip()))
    return found


def listening(port):
    """The inode of the socket that listens on a port of this machine, or None. Asks the kernel: a
    connection would be taken for the peer that is waited for."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            field = line.split()
            if field[1].endswith(f":{port:04X}") and field[3] == "0A":
                return field[9]
    return None


def rss_kib(pid):
    for line in read_proc(pid, "status").decode().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Session:
    """One `chiral` process that runs or joins a session, and what it said on its status descriptor."""

    def __init__(self, path, command, program, env=None, stdin=None, cwd=None, status=True):
        self.marker = f"{os.getpid()}.{next(_numbers):05}"    # none is the beginning of another
        self.stdout_file = tempfile.TemporaryFile()
        self.stderr_file = tempfile.TemporaryFile()
        self.status = []
        self.program_name = os.path.basename(program[0]) if program else ""
        r, w = os.pipe()
        argv = [path, *command]
        if status:
            argv += ["--json-status-fd", str(w)]
        if program:
            argv += ["--", *program]
        if path is None:    # --without-chiral
            argv = list(program)
        self.argv = argv
        full_env = {**os.environ, **(env or {}), MARKER: self.marker}
        self.process = subprocess.Popen(
            argv, stdin=stdin if stdin is not None else subprocess.DEVNULL, stdout=self.stdout_file,
            stderr=self.stderr_file, pass_fds=(w,), env=full_env, cwd=cwd, start_new_session=True)
        os.close(w)
        self._reader = threading.Thread(target=self._read_status, args=(r,), daemon=True)
        self._reader.start()

    def _read_status(self, fd):
        with os.fdopen(fd, "rb") as f:
            for line in f:
                entry = json.loads(line)
                entry["_seen"] = time.monotonic()
                self.status.append(entry)

    @property
    def pid(self):
        return self.process.pid

    @property
    def alarms(self):
        return [s for s in list(self.status) if "rule" in s]

    def stdout(self):
        return os.pread(self.stdout_file.fileno(), 1 << 27, 0)

    def stderr(self):
        return os.pread(self.stderr_file.fileno(), 1 << 24, 0).decode(errors="replace")

    def story(self):
        """For assertion messages."""
        return (f"{' '.join(self.argv)}\nstatus {self.process.poll()}, alarms "
                f"{json.dumps(self.alarms)[:4000]}\nstderr:\n{self.stderr()[-6000:]}")

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout=20):
        """The exit status; fails when it does not end in time."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout} s: {self.story()}") from None
        self._reader.join(5)
        return exit_status(status)

    def expect(self, status, timeout=20):
        assert self.wait(timeout) == status, self.story()
        return self

    def wait_alarm(self, timeout=10):
        return wait_until(lambda: self.alarms and self.alarms[0], timeout,
                          f"an alarm of {' '.join(self.argv)}; stderr: {self.stderr()[-3000:]}")

    def assert_quiet(self):
        assert not self.alarms, self.story()
        assert self.running(), self.story()

    def kill(self, sig):
        self.process.send_signal(sig)

    def processes(self):
        return processes_marked(self.marker)

    def monitors(self):
        """Pids of Chiral's own processes on this machine, the one we started first."""
        chiral = os.path.realpath(self.argv[0])
        pids = [p for p, _ in self.processes() if exe(p) == chiral]
        return sorted(pids, key=lambda p: p != self.pid)

    def variants(self):
        """Pids of the program's processes on this machine."""
        chiral = os.path.realpath(self.argv[0])
        return [p for p, _ in self.processes() if exe(p) not in (chiral, "")]

    def end(self):
        """Ends it whatever its state; the processes that were left behind although it was over."""
        if self.running():
            self.kill(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill(signal.SIGKILL)
                self.process.wait(5)
        end = time.monotonic() + 5
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        for pid, _ in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.stdout_file.close()
        self.stderr_file.close()
        return left


def exe(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


class Chiral:
    """Starts sessions of one test, and ends them all."""

    def __init__(self, path, capture=None):
        self.path = path
        self.capture = capture
        self.sessions = []

    def start(self, command, program, **kwargs):
        if self.capture and command[0] in ("run", "lead", "record") and "--capture" not in command:
            command = [command[0], "--capture", self.capture, *command[1:]]
        s = Session(self.path, command, program, **kwargs)
        self.sessions.append(s)
        return s

    def run(self, combo, program, options=(), port=None, **kwargs):
        return self.start(["run", *combo.options(port), *options], program, **kwargs)

    def command(self, *args, timeout=60, **kwargs):
        """A command that is no session, to its end."""
        return subprocess.run([self.path, *args], capture_output=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, check=False, **kwargs)

    def close(self):
        left = []
        for s in self.sessions:
            if not s.stdout_file.closed:
                left += s.end()
        self.sessions = []
        assert not left, f"processes left behind: {left}"


class Guest:
    """A microVM of the other ISA for this run alone: the user's own may be in use, and some tests kill
    theirs."""

    def __init__(self, path):
        self.path = path
        self.folder = tempfile.mkdtemp(prefix="chiral-")    # short: socket paths have 108 bytes
        os.environ["XDG_RUNTIME_DIR"] = self.folder
        atexit.register(self.stop)      # also when a test run ends in the middle

    def command(self, *args, timeout=900, **kwargs):
        return subprocess.run([self.path, "microvm", *args], timeout=timeout, check=False,
                              capture_output=True, **kwargs)

    def start(self, packages=()):
        for args in (["add", *packages], ["start"]):
            done = self.command(*args)
            assert done.returncode == 0, f"chiral microvm {args}: {done.stderr.decode()}"

    def stop(self):
        atexit.unregister(self.stop)
        done = self.command("stop", timeout=30)
        assert done.returncode == 0, done.stderr.decode()
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    def pid(self):
        """QEMU's."""
        return self.status()["pid"]

    def exec(self, *argv, stdin=b"", check=True, timeout=60):
        done = subprocess.run([self.path, "microvm", "exec", "--", *argv], input=stdin,
                              capture_output=True, timeout=timeout, check=False)
        if check:
            assert done.returncode == 0, f"in the guest: {argv}: {done.stderr.decode()}"
        return done

    def popen(self, *argv):
        """A server in the guest: it ends with the process that is returned."""
        return subprocess.Popen([self.path, "microvm", "exec", "--", *argv], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def put(self, folder, files):
        """Writes files ({relative path: bytes}) below folder in the guest."""
        pack = io.BytesIO()
        with tarfile.open(fileobj=pack, mode="w") as tar:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                entry.mode = 0o755 if data[:4] == b"\x7fELF" else 0o644
                entry.mtime = int(time.time())
                tar.addfile(entry, io.BytesIO(data))
        self.exec("mkdir", "-p", folder)
        self.exec("tar", "-x", "-f", "-", "-C", folder, stdin=pack.getvalue(), timeout=300)

    def variants(self, marker):
        """Pids in the guest whose environment carries a session's marker."""
        script = f"busybox grep -ls {MARKER}={marker} /proc/[0-9]*/environ; true"
        return [int(p.split(b"/")[2]) for p in self.exec("sh", "-c", script).stdout.split()]
