# SPDX-License-Identifier: Apache-2.0
"""The program matrix: unmodified Debian programs, each a row, each in the three combinations.

A row is a function that uses a program as its users do, and asserts what a user would notice:

	@row("sort", packages=["coreutils"], fast=True)
	def sort(bed):
		bed.put("words", b"b\\na\\n")
		bed.same(["sort", f"{bed.root}/words"])

It is given a bed (below): the leader's node, programs on it with and without Chiral. It fails by an
AssertionError; an alarm of any of its sessions fails it too, when it returns. Rows are in servers.py
and tools.py; run.py runs them.
"""
import difflib
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from chiral import Chiral, exit_status, free_port, wait_until  # noqa: E402

# Programs are executed by the path that the leader found: one that both nodes have.
ENV = {"LC_ALL": "C.UTF-8", "TZ": "UTC0", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
RACES = "threads were running"      # what an alarm has to say when a row blames threads for it
ROWS = []


class Row:
    """
    name        what is run
    packages    Debian packages that both nodes need
    fast        part of `make check` (a few seconds in each combination)
    limit       seconds for one combination
    unsupported the reason why the program cannot run; the function then shows just that
    across      the reason why two ISAs differ: an alarm is accepted where leader and follower have
                different ones
    races       the reason why its threads may differ: an alarm is accepted only when its text says
                that threads were running
    """

    def __init__(self, function, name, packages, fast, limit, unsupported, across, races):
        self.function, self.name, self.packages = function, name, list(packages)
        self.fast, self.limit = fast, limit
        self.unsupported, self.across, self.races = unsupported, across, races

    def __repr__(self):
        return self.name


def row(name, packages=(), fast=False, limit=400, unsupported=None, across=None,
        races=None):
    def register(function):
        assert all(r.name != name for r in ROWS), f"two rows are named {name}"
        ROWS.append(Row(function, name, packages, fast, limit, unsupported, across, races))
        return function
    return register


def packages(rows):
    return sorted({p for r in rows for p in r.packages})


def difference(a, b):
    lines = (text.decode(errors="backslashreplace").splitlines() for text in (a, b))
    return "\n".join(list(difflib.unified_diff(*lines, n=2, lineterm=""))[2:40])


class Bed:
    """One row in one combination. `root` is a folder on the leader's node, and only there."""

    def __init__(self, path, combo, guest):
        self.chiral, self.combo, self.guest = Chiral(path), combo, guest
        self.in_guest = combo.leads_in_guest
        self.processes = []
        self.elsewhere = False      # root is on the follower's node as well
        if self.in_guest:
            self.root = guest.exec("mktemp", "-d", "/tmp/matrix.XXXXXX").stdout.decode().strip()
        else:
            self.root = tempfile.mkdtemp(prefix="chiral-matrix-")
        self.native(["chmod", "755", self.root])    # some servers become another user

    @property
    def address(self):
        """Where a server has to listen for clients on this machine."""
        return self.combo.address()

    def port(self):
        return free_port()

    def put_all(self, files):
        """Writes files, {name: bytes}, below root: at once, for each command in the guest takes its time."""
        if self.in_guest:
            self.guest.put(self.root, files)
            return
        for name, data in files.items():
            path = f"{self.root}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)

    def put(self, name, data, mode=None):
        """Writes a file below root; the path."""
        path = f"{self.root}/{name}"
        self.put_all({name: data.encode() if isinstance(data, str) else data})
        if mode is not None:
            self.native(["chmod", f"{mode:o}", path])
        return path

    def install(self, name, binaries):
        """Writes a program, {ISA: bytes}, to the same path on every node; the path."""
        path = self.put(name, binaries[self.combo.leader_isa], 0o755)
        self.elsewhere = self.combo.leader != self.combo.follower
        if self.elsewhere and self.in_guest:
            os.makedirs(self.root)
            with open(path, "xb") as f:
                f.write(binaries[self.combo.follower_isa])
            os.chmod(path, 0o755)
        elif self.elsewhere:
            self.guest.put(self.root, {name: binaries[self.combo.follower_isa]})
        return path

    def native(self, argv, stdin=b"", env=None, timeout=120):
        """(status, standard output) of a program on the leader's node, without Chiral."""
        argv = ["env", *[f"{k}={v}" for k, v in {**ENV, **(env or {})}.items()], *argv]
        if self.in_guest:
            argv.insert(1, "--chdir=/")     # where a session's program is
            done = self.guest.exec(*argv, stdin=stdin, check=False, timeout=timeout)
        else:
            done = subprocess.run(argv, input=stdin, capture_output=True, check=False,
                                  timeout=timeout)
        return exit_status(done.returncode), done.stdout

    def sh(self, script, timeout=120):
        """The output of a shell script on the leader's node, which must succeed."""
        status, out = self.native(["sh", "-c", f"exec 2>&1; cd {self.root}; {script}"],
                                  timeout=timeout)
        assert status == 0, f"{script}: status {status}: {out.decode(errors='replace')}"
        return out.decode(errors="replace")

    def start(self, argv, ports=(), options=(), env=None, stdin=None, cwd=None):
        """A session; clients on this machine reach its `ports`."""
        options = list(options)
        for p in ports if self.in_guest else ():
            options += ["--publish", f"{p}:{p}"]
        if cwd:
            options += ["--cwd", cwd]
        return self.chiral.run(self.combo, argv, options, env={**ENV, **(env or {})}, stdin=stdin)

    def popen(self, argv, env=None):
        """A program without Chiral on the leader's node that runs until the row is over."""
        argv = ["env", *[f"{k}={v}" for k, v in {**ENV, **(env or {})}.items()], *argv]
        self.processes.append(
            self.guest.popen(*argv) if self.in_guest else
            subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL))
        return self.processes[-1]

    def session(self, argv, stdin=b"", env=None, options=(), timeout=300, cwd=None):
        """(status, standard output) of a session that ends by itself."""
        with open(os.memfd_create("stdin"), "w+b", buffering=0) as f:
            f.write(stdin)
            f.seek(0)
            s = self.start(argv, env=env, stdin=f, options=options, cwd=cwd)
        status = s.wait(timeout)
        assert not s.alarms, s.story()
        return status, s.stdout()

    def same(self, argv, stdin=b"", env=None, options=(), before=None):
        """Runs a program natively and in a session; status and output must agree. The output.
        `before` is a shell script that puts the folder into the same state before both."""
        if before:
            self.sh(before)
        want = self.native(argv, stdin, env)
        if before:
            self.sh(before)
        got = self.session(argv, stdin, env, options)
        assert got == want, (f"{argv[0]}: status {got[0]}, natively {want[0]}; output natively (-) "
                             f"and in the session (+):\n{difference(want[1], got[1])}\n"
                             f"{self.chiral.sessions[-1].stderr()[-2000:]}")
        return got[1]

    def stop(self, session, status, signal=15, timeout=60):
        """Ends a session by a signal to its program; it must end with `status`."""
        session.assert_quiet()
        session.kill(signal)
        session.expect(status, timeout)

    def wait(self, condition, what, timeout=60):
        return wait_until(condition, timeout, what)

    @property
    def alarms(self):
        return [a for s in self.chiral.sessions for a in s.alarms]

    def compared(self):
        """Calls that the followers of the sessions so far compared."""
        return sum(line["calls"]["compared"] for s in self.chiral.sessions for line in s.status
                   if line.get("event") == "exit")

    def close(self):
        for p in self.processes:
            p.terminate()
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(10)
        try:
            self.chiral.close()
        finally:
            if self.in_guest or self.elsewhere:
                self.guest.exec("rm", "-rf", self.root, check=False)
            if not self.in_guest or self.elsewhere:
                shutil.rmtree(self.root, ignore_errors=True)


class Outcome:
    """What a row gave in a combination: `result` is ok, alarm (accepted), unsupported or FAILED."""

    def __init__(self, result, compared, story=""):
        self.result, self.compared, self.story = result, compared, story

    @property
    def failed(self):
        return self.result == "FAILED"


def accepted(row_, combo, alarms):
    """What an alarm of this row means here; None: a failure."""
    if row_.unsupported or (row_.across and len(combo.isas) > 1):
        return "unsupported"
    return "alarm" if row_.races and all(RACES in a["output"] for a in alarms) else None


def run_row(row_, path, combo, guest):
    """Runs a row once; never raises but for what ends the whole run."""
    bed = Bed(path, combo, guest)
    problem = ""
    try:
        try:
            row_.function(bed)
        except Exception as e:  # pylint: disable=broad-except # told as the row's failure
            problem = f"{type(e).__name__}: {e}"
            # What its sessions said matters more than how a client noticed.
            if not isinstance(e, AssertionError) or "stderr:" not in str(e):
                problem += "".join("\n" + s.story() for s in bed.chiral.sessions)
        alarms = bed.alarms
        compared = bed.compared()
        if alarms and accepted(row_, combo, alarms) and not (row_.unsupported and problem):
            return Outcome(accepted(row_, combo, alarms), compared, alarms[0]["output"])
        if alarms and not problem:
            problem = "alarm: " + alarms[0]["output"]
        if problem:
            return Outcome("FAILED", compared, problem)
        return Outcome("unsupported" if row_.unsupported else "ok", compared)
    finally:
        bed.close()
