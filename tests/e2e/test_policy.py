# SPDX-License-Identifier: Apache-2.0
"""Policy files: refused before anything runs, rules that make calls wait or fail, lost peers."""
import hashlib
import json
import os
import re
import signal
import time

import pytest

import load
from chiral import (EXIT_DIVERGENCE, EXIT_OWN_FAILURE, LOCAL_LOCAL, NATIVE, free_port, wait_until)
from website import SMALL, Website

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = os.path.join(ROOT, "doc", "policy-example.yaml")


@pytest.fixture
def policy(tmp_path):
    """Writes a policy file; its path."""
    def write(text):
        path = tmp_path / "policy.yaml"
        path.write_text(text)
        return str(path)
    return write


def digest(chiral, path):
    done = chiral.command("policy", "explain", "--json", path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["digest"]


# ---- check and explain ---------------------------------------------------------------------------

def test_example(chiral):
    done = chiral.command("policy", "check", EXAMPLE)
    assert done.returncode == 0 and not done.stderr, done
    assert re.search(rb"correct, \d+ rules, digest [0-9a-f]{64}\n", done.stdout)


def test_explain(chiral, policy):
    path = policy("level: lockstep\nrules:\n  - calls: [sendto]\n    descriptors: [socket]\n"
                  "    level: async\n  - paths: [/etc/shadow]\n    refuse: EACCES\n")
    text = chiral.command("policy", "explain", path).stdout.decode()
    assert "level: lockstep\n" in text and "on-divergence: kill (default)\n" in text
    assert "on-lost-peer: kill (default)\n" in text and "window.events: 2048 (default)" in text
    assert "does not wait for the followers" in text and "EACCES (Permission denied)" in text
    entry = json.loads(chiral.command("policy", "explain", "--json", path).stdout)
    assert entry["digest"] in text
    assert entry["rules"][0]["covers"] == ["sendto"]
    assert "level" not in entry["defaults"] and "window.bytes" in entry["defaults"]
    canonical = chiral.command("policy", "explain", "--canonical", path).stdout
    assert hashlib.sha256(canonical).hexdigest() == entry["digest"]


def test_default_policy(chiral, policy, monkeypatch):
    """Without FILE: that of CHIRAL_POLICY, which stands for /etc/chiral/policy.yaml."""
    monkeypatch.setenv("CHIRAL_POLICY", policy("level: observe\n"))
    assert b"level: observe\n" in chiral.command("policy", "explain").stdout
    s = chiral.run(LOCAL_LOCAL, ["/bin/true"]).expect(0)
    assert s.status[0]["level"] == "observe"
    monkeypatch.setenv("CHIRAL_POLICY", "/nowhere/policy.yaml")
    done = chiral.command("policy", "check")
    assert done.returncode == 1 and b"/nowhere/policy.yaml" in done.stderr


@pytest.mark.parametrize("argv", [["policy"], ["policy", "sing"], ["policy", "check", "a", "b"],
                                  ["policy", "check", "--json"], ["policy", "check", "--x"]],
                         ids=" ".join)
def test_usage(chiral, argv):
    done = chiral.command(*argv)
    assert done.returncode == EXIT_OWN_FAILURE and done.stderr and not done.stdout


# ---- refused before anything runs ----------------------------------------------------------------

@pytest.mark.parametrize("command", ["run", "record"])
def test_unknown_key(chiral, policy, tmp_path, command):
    """One sentence with file and line; the program is not started."""
    path = policy("level: async\n# a mistake:\nruels: []\n")
    options = (["run", "--leader", "local", "--follower", "local"] if command == "run"
               else ["record", "-o", str(tmp_path / "r")])
    s = chiral.start([*options, "--policy", path], ["/usr/bin/touch", f"{tmp_path}/ran"])
    s.expect(EXIT_OWN_FAILURE)
    assert f"{path}:3: there is no setting 'ruels'" in s.stderr(), s.stderr()
    assert len(s.stderr().splitlines()) == 1
    assert not os.path.exists(tmp_path / "ran") and not s.status
    done = chiral.command("policy", "check", path)
    assert done.returncode == 1 and b":3: there is no setting 'ruels'" in done.stderr


def test_no_such_policy(chiral):
    s = chiral.run(LOCAL_LOCAL, ["/bin/true"], ["--policy", "/nowhere/p.yaml"]).expect(EXIT_OWN_FAILURE)
    assert "/nowhere/p.yaml" in s.stderr()


# ---- the digest ----------------------------------------------------------------------------------

def test_digest_in_status(chiral, policy, combo):
    path = policy("window: {events: 300}\nrules:\n  - {classes: [output], level: lockstep}\n")
    s = chiral.run(combo, ["/bin/ls", "/"], ["--policy", path]).expect(0)
    assert s.status[0]["policy"] == digest(chiral, path)
    assert not s.alarms


def test_options_win(chiral, policy):
    """A digest is that of what is in force: options are a part of it."""
    path = policy("level: lockstep\nrules:\n  - {calls: [write], level: lockstep}\n")
    s = chiral.run(LOCAL_LOCAL, ["/bin/true"], ["--policy", path, "--level", "async"]).expect(0)
    assert s.status[0]["level"] == "async"
    assert s.status[0]["policy"] == digest(chiral, "/dev/null")


def test_digest_in_alarm(chiral, policy):
    """A program that prints an address: the alarm names the policy, in both forms."""
    path = policy("on-divergence: report\nwindow: {events: 99}\n")
    s = chiral.run(LOCAL_LOCAL, ["/usr/bin/python3", "-c", "print(id(object()))"], ["--policy", path])
    s.expect(0)
    assert [a["rule"] for a in s.alarms] == ["divergence.payload"], s.story()
    assert s.alarms[0]["output_fields"]["chiral.policy"] == digest(chiral, path)
    assert f"policy    {digest(chiral, path)}" in s.stderr()


def test_verify_tells_policies_apart(chiral, policy, tmp_path):
    path = policy("rules:\n  - {calls: [write], refuse: EIO}\n")
    record = str(tmp_path / "r")
    program = ["/bin/sh", "-c", "echo x; exit 3"]
    chiral.start(["record", "-o", record, "--policy", path], program).expect(3)
    s = chiral.start(["verify", record, "--policy", path], None).expect(3)
    assert "recorded_policy" not in s.status[0] and "another policy" not in s.stderr()
    s = chiral.start(["verify", record], None).expect(3)
    assert s.status[0]["recorded_policy"] == digest(chiral, path)
    assert "another policy" in s.stderr()


# ---- lockstep for some calls ---------------------------------------------------------------------

def follower_monitor(s):
    """The process that traces the follower's variant: the second one of the program's name."""
    def find():
        pids = [v["pid"] for v in s.status[0]["variants"] if v["role"] == "follower"] if s.status else []
        for pid in pids:
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                return int(re.search(r"TracerPid:\t(\d+)", f.read())[1])
        return None
    return wait_until(find, 10, "the follower's monitor")


@pytest.mark.parametrize("rule,held", [
    ("{paths: ['DIR/late'], level: lockstep}", True),
    ("{calls: [openat], paths: ['DIR/l*'], level: lockstep}", True),
    ("{calls: [write], descriptors: [pipe], level: lockstep}", True),
    ("{classes: [output], descriptors: [pipe], level: lockstep}", True),
    ("{paths: ['DIR/other'], level: lockstep}", False),
    ("{calls: [write], descriptors: [socket], level: lockstep}", False),
])
def test_leader_waits(chiral, policy, tmp_path, rule, held):
    """While the follower's monitor is stopped, the leader makes all calls but those that wait."""
    path = policy("rules:\n  - " + rule.replace("DIR", str(tmp_path)) + "\n")
    script = "read x <go; echo 1 >early; echo 2 | cat >late; echo end"
    leader_waits(chiral, ["/bin/sh", "-c", script], ["--policy", path], tmp_path, held)


@pytest.mark.parametrize("capture", ["ptrace", pytest.param("bpf", marks=pytest.mark.bpf)])
@pytest.mark.parametrize("marks,held", [((1,), True), ((0,), False), ((1, 0), False)])
def test_region_of_the_program(chiral, tmp_path, marks, held, capture):
    """chiral_region() of chiral.h: what the program does in a region waits for the followers."""
    prctl = {"x86_64": 157, "aarch64": 167}[NATIVE]
    mark = "".join(f"syscall({prctl}, 0x43485250, {on}, 0, 0, 0);" for on in marks)
    # What leaves a region belongs to it.
    before, after = (mark, "") if len(marks) == 2 else ("", mark)
    script = (f"sub put {{ open(F, '>', $_[0]); syswrite(F, qq(2\\n)); close(F) }} {before}"
              f"open(G, 'go'); <G>; put('early'); {after} put('late'); print 'end'")
    leader_waits(chiral, ["/usr/bin/perl", "-e", script], [], tmp_path, held, capture)


def leader_waits(chiral, program, options, tmp_path, held, capture="ptrace"):
    """The program reads a line from the file go, writes to the file early and then to the file late."""
    go = tmp_path / "go"
    os.mkfifo(go)
    s = chiral.run(LOCAL_LOCAL, program, ["--capture", capture, *options], cwd=str(tmp_path))
    monitor = follower_monitor(s)
    with open(go, "w", encoding="ascii") as f:      # its reader is there: the leader is at read(2)
        os.kill(monitor, signal.SIGSTOP)
        try:
            f.write("go\n")
            f.flush()
            wait_until(lambda: (tmp_path / "early").exists() and
                       (tmp_path / "early").read_bytes(), 2, "the calls that do not wait")
            if held:
                time.sleep(0.5)
                assert not (tmp_path / "late").exists() or not (tmp_path / "late").read_bytes()
            else:
                wait_until(lambda: (tmp_path / "late").exists() and
                           (tmp_path / "late").read_bytes(), 2, "a call that no rule is about")
        finally:
            os.kill(monitor, signal.SIGCONT)
    s.expect(0)
    assert (tmp_path / "late").read_bytes() == b"2\n"
    assert not s.alarms, s.story()


@pytest.mark.parametrize("text", [
    "rules:\n  - {classes: [output], level: lockstep}\n",
    "rules:\n  - {classes: [process, file-system], level: lockstep}\n",
    "level: lockstep\nrules:\n  - {classes: [basic-io, clock], level: async}\n",
    "rules:\n  - {descriptors: [pipe, file], level: lockstep}\n",
])
def test_mixed_levels(chiral, policy, combo, text):
    """Pipelines, children and files under rules of every kind, everywhere."""
    script = "for i in 1 2 3; do echo $i | cat | wc -c; done; ls / | sort | head -2; date >/dev/null"
    s = chiral.run(combo, ["/bin/sh", "-c", script], ["--policy", policy(text)])
    s.expect(0, timeout=60)
    assert s.stdout().startswith(b"2\n2\n2\n") and not s.alarms, s.story()


@pytest.mark.limit(240)
def test_web_server(chiral, combo, tmp_path):
    """Nothing leaves through a socket before it was compared; the rest runs ahead. Under load."""
    site = Website(chiral, combo, tmp_path, combo.guest if combo.uses_guest else None, files=SMALL)
    site.start(["--policy", EXAMPLE])
    load.get_many(site.port, SMALL, 60, 4, keep=True, timeout=150)
    site.assert_quiet()
    site.terminate()


def test_lead_and_follow(chiral, policy):
    """The policy is the leader's side's, and travels with START."""
    path = policy("window: {events: 5}\nrules:\n  - {classes: [output], level: lockstep}\n")
    address = f"tcp://127.0.0.1:{free_port()}"
    lead = chiral.start(["lead", "--listen", address, "--policy", path], ["/bin/echo", "hello"])
    follow = chiral.start(["follow", address], ["/bin/echo", "hello"], status=False)
    lead.expect(0)
    follow.expect(0)
    assert lead.status[0]["policy"] == digest(chiral, path) and not lead.alarms


# ---- refused calls -------------------------------------------------------------------------------

def test_refuse(chiral, policy, combo):
    """The call fails in every variant with the same error, and nothing happens."""
    path = policy("rules:\n  - {calls: [mkdirat, unlinkat], refuse: EROFS}\n"
                  "  - {paths: [/etc/hostname], refuse: EACCES}\n")
    s = chiral.run(combo, ["/bin/sh", "-c", "mkdir /tmp/chiral-refused; echo $?; cat /etc/hostname; "
                           "cat /etc/../etc/./hostname; test -d /tmp/chiral-refused; echo $?"],
                   ["--policy", path]).expect(0)
    assert s.stdout() == b"1\n1\n", s.story()
    assert s.stderr().count("Permission denied") == 2 and "Read-only file system" in s.stderr()
    assert not s.alarms, s.story()


def test_refuse_processes(chiral, policy):
    path = policy("rules:\n  - {calls: [execve], refuse: EPERM}\n")
    s = chiral.run(LOCAL_LOCAL, ["/bin/sh", "-c", "/bin/ls /; echo $?; exec /bin/ls /"],
                   ["--policy", path]).expect(126)
    assert s.stdout() == b"126\n" and not s.alarms, s.story()
    path = policy("rules:\n  - {calls: [clone], refuse: EAGAIN}\n")
    s = chiral.run(LOCAL_LOCAL, ["/bin/sh", "-c", "(echo no) || echo none; echo end"],
                   ["--policy", path])
    s.wait()
    assert b"no\n" not in s.stdout() and not s.alarms, s.story()


def test_refuse_executable_memory(chiral, policy):
    """mmap and mprotect are local but for what becomes executable; that is what a rule is about."""
    path = policy("rules:\n  - {calls: [mmap, mprotect], refuse: EACCES}\n")
    script = ("import mmap, ctypes\n"
              "mmap.mmap(-1, 4096).close()\n"
              "try: mmap.mmap(-1, 4096, prot=7)\n"
              "except PermissionError as e: print(e.strerror)\n")
    s = chiral.run(LOCAL_LOCAL, ["/usr/bin/python3", "-c", script], ["--policy", path]).expect(0)
    assert s.stdout() == b"Permission denied\n" and not s.alarms, s.story()


@pytest.mark.parametrize("command", ["run", "record"])
def test_forbidden(chiral, policy, tmp_path, command):
    """refuse: end. The call is not executed, an alarm says which, the session ends."""
    path = policy(f"on-divergence: report\nrules:\n  - {{paths: ['{tmp_path}/x*'], refuse: end}}\n")
    options = (["run", "--leader", "local", "--follower", "local"] if command == "run"
               else ["record", "-o", str(tmp_path / "r")])
    s = chiral.start([*options, "--policy", path],
                     ["/bin/sh", "-c", f"echo begin; echo 1 >{tmp_path}/x1; echo not"])
    s.expect(EXIT_DIVERGENCE)
    assert s.stdout() == b"begin\n" and not os.path.exists(tmp_path / "x1")
    assert [a["rule"] for a in s.alarms] == ["policy.forbidden"], s.story()
    fields = s.alarms[0]["output_fields"]
    assert fields["chiral.action"] == "kill" and fields["chiral.policy"] == digest(chiral, path)
    assert fields["chiral.leader.call"].startswith("openat(") and fields["chiral.leader.stack"]
    assert f"policy    {digest(chiral, path)}" in s.stderr()
    assert s.status[-1]["forbidden"] and not s.status[-1]["divergent"]


def test_forbidden_in_a_microvm(chiral, policy, combo):
    path = policy("rules:\n  - {calls: [mkdirat], refuse: end}\n")
    s = chiral.run(combo, ["/bin/mkdir", "/tmp/chiral-forbidden"], ["--policy", path])
    s.expect(EXIT_DIVERGENCE)
    assert [a["rule"] for a in s.alarms] == ["policy.forbidden"], s.story()
    assert s.alarms[0]["output_fields"]["chiral.leader.isa"] == combo.leader_isa


# ---- observed differences ------------------------------------------------------------------------

WRITE_ID = ("import os, sys\n"
            "log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
            "for i in range(3): os.write(log, b'%016x' % id(object()))\n"
            "print('logged', flush=True)\n"
            "if len(sys.argv) > 2: os.write(1, b'%016x' % id(object()))\n")


def test_observe(chiral, policy, tmp_path):
    """Addresses in a log are let pass, and told once; those that go elsewhere are not."""
    log = tmp_path / "log"
    path = policy(f"rules:\n  - {{calls: [write], paths: [{log}], level: observe}}\n")
    program = ["/usr/bin/python3", "-c", WRITE_ID, str(log)]
    s = chiral.run(LOCAL_LOCAL, program, ["--policy", path]).expect(0)
    assert s.stdout() == b"logged\n" and log.stat().st_size == 48
    assert [a["rule"] for a in s.alarms] == ["divergence.payload"], s.story()
    assert s.alarms[0]["output_fields"]["chiral.action"] == "report"
    assert s.status[-1]["notices"] == 1 and not s.status[-1]["divergent"]
    s = chiral.run(LOCAL_LOCAL, [*program, "more"], ["--policy", path]).expect(EXIT_DIVERGENCE)
    assert [a["output_fields"]["chiral.action"] for a in s.alarms] == ["report", "kill"], s.story()
    s = chiral.run(LOCAL_LOCAL, program).expect(EXIT_DIVERGENCE)
    assert len(s.alarms) == 1


def test_observe_lengths(chiral, policy, tmp_path):
    """How many bytes a call sends is never let pass."""
    path = policy("rules:\n  - {calls: [write], level: observe}\n")
    script = "import os; os.write(1, b'x' * (id(object()) >> 12 & 0xffff))"
    s = chiral.run(LOCAL_LOCAL, ["/usr/bin/python3", "-c", script], ["--policy", path])
    s.expect(EXIT_DIVERGENCE)
    assert s.alarms[0]["rule"] != "policy.forbidden" and s.status[-1]["notices"] == 0


def test_observe_digests(chiral, policy, tmp_path):
    """The same of a buffer that is compared by digests."""
    log = tmp_path / "log"
    path = policy(f"rules:\n  - {{classes: [output], paths: [{log}], level: observe}}\n")
    script = "import os, sys; os.write(os.open(sys.argv[1], 65), b'%016x' % id(object()) * 1000)"
    s = chiral.run(LOCAL_LOCAL, ["/usr/bin/python3", "-c", script, str(log)], ["--policy", path])
    s.expect(0)
    assert log.stat().st_size == 16000 and s.status[-1]["notices"] == 1


# ---- a lost peer ---------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--level", "lockstep"]], ids=["async", "lockstep"])
def test_continue_without_follower(chiral, policy, tmp_path, options):
    path = policy("on-lost-peer: continue\n")
    go = tmp_path / "go"
    os.mkfifo(go)
    s = chiral.run(LOCAL_LOCAL, ["/bin/sh", "-c", "read x <go; echo alone; exit 5"],
                   ["--policy", path, *options], cwd=str(tmp_path))
    monitor = follower_monitor(s)
    with open(go, "w", encoding="ascii") as f:
        os.kill(monitor, signal.SIGKILL)
        s.wait_alarm()
        f.write("go\n")
    s.expect(5)
    assert s.stdout() == b"alone\n"
    assert [a["rule"] for a in s.alarms] == ["lost.peer"]
    assert s.alarms[0]["output_fields"]["chiral.action"] == "report"
    assert "goes on unprotected" in s.stderr() and s.status[-1]["lost"]


def test_lost_leader_ends_all(chiral, policy, tmp_path):
    path = policy("on-lost-peer: continue\n")
    s = chiral.run(LOCAL_LOCAL, ["/bin/sleep", "100"], ["--policy", path])
    pid = wait_until(lambda: s.status and s.status[0]["variants"][0]["pid"], 10, "the leader")
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        os.kill(int(re.search(r"TracerPid:\t(\d+)", f.read())[1]), signal.SIGKILL)
    assert s.wait() == 121, s.story()
