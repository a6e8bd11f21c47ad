# SPDX-License-Identifier: Apache-2.0
"""The command line: what every command says about itself, statuses, record, verify and trace."""
import json
import os
import re
import subprocess

import pytest

from chiral import (EXIT_DIVERGENCE, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_OWN_FAILURE, LOCAL_LOCAL,
                    exit_status)

COMMANDS = ["run", "lead", "follow", "record", "verify", "trace", "check", "calls", "microvm", "node",
            "policy", "cc"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help(chiral, command):
    done = chiral.command(command, "--help")
    assert done.returncode == 0 and not done.stderr, done
    text = done.stdout.decode()
    assert text.lower().startswith("usage: chiral " + command), text
    assert all(len(line) <= 100 for line in text.splitlines()), text


def test_help_lists_all(chiral):
    for argument in ("--help", "help"):
        done = chiral.command(argument)
        assert done.returncode == 0
        assert all(f"\n  {c} " in done.stdout.decode() for c in COMMANDS)


def test_version(chiral):
    assert re.fullmatch(rb"chiral \d+\.\d+\.\d+\n", chiral.command("--version").stdout)


@pytest.mark.parametrize("argv", [
    [], ["nonsense"], ["run"], ["run", "--"], ["run", "--nonsense", "--", "true"],
    ["run", "--leader", "mars", "--", "true"], ["run", "--level", "strict", "--", "true"],
    ["run", "--on-divergence", "sing", "--", "true"], ["run", "--publish", "x:y", "--", "true"],
    ["run", "--program", "pdp11=/bin/true", "--", "true"], ["lead", "--", "true"], ["follow"],
    ["record", "--", "true"], ["verify"], ["trace"], ["microvm", "dance"],
    ["run", "--follower", "local", "--mode", "mtd", "--", "true"],
    ["node", "--listen", "nowhere"], ["run", "--json-status-fd", "x", "--", "true"],
    ["run", "--json-status-fd", "999", "--follower", "local", "--", "true"],
], ids=" ".join)
def test_usage_errors(chiral, argv):
    """One clear sentence on stderr and 125, nothing on stdout."""
    done = chiral.command(*argv)
    assert done.returncode == EXIT_OWN_FAILURE, done
    assert done.stderr.strip() and not done.stdout, done


def test_not_found(chiral, combo):
    s = chiral.run(combo, ["/nowhere/program"])
    s.expect(EXIT_NOT_FOUND)
    assert "/nowhere/program" in s.stderr()
    chiral.run(combo, ["no-such-program-at-all"]).expect(EXIT_NOT_FOUND)


def test_not_executable(chiral, combo):
    s = chiral.run(combo, ["/etc/passwd"])
    s.expect(EXIT_NOT_EXECUTABLE)
    assert "/etc/passwd" in s.stderr()


def test_no_such_record(chiral):
    for command in ("verify", "trace"):
        done = chiral.command(command, "/nowhere/record")
        assert done.returncode == EXIT_OWN_FAILURE and b"/nowhere/record" in done.stderr


@pytest.mark.parametrize("code", [0, 1, 7, 121, 122, 255])
def test_program_status(chiral, combo, code):
    chiral.run(combo, ["/bin/sh", "-c", f"exit {code}"]).expect(code)


@pytest.mark.parametrize("sig", [2, 9, 15])
def test_program_killed(chiral, combo, sig):
    chiral.run(combo, ["/bin/sh", "-c", f"kill -{sig} $$"]).expect(128 + sig)


def test_stderr_and_stdout_are_separate(chiral, combo):
    s = chiral.run(combo, ["/bin/sh", "-c", "echo out; echo err >&2"]).expect(0)
    assert s.stdout() == b"out\n"
    assert "err\n" in s.stderr() and "out" not in s.stderr()


def test_arguments_and_environment(chiral, combo):
    s = chiral.run(combo, ["/usr/bin/printf", "%s|", "a b", "", "ü", "--", "-n"]).expect(0)
    assert s.stdout() == "a b||ü|--|-n|".encode()
    s = chiral.run(combo, ["/usr/bin/printenv", "EVENING"], env={"EVENING": "out  there"}).expect(0)
    assert s.stdout() == b"out  there\n"


def test_working_directory_and_umask(chiral, tmp_path):
    s = chiral.run(LOCAL_LOCAL, ["/bin/pwd"], cwd=str(tmp_path)).expect(0)
    assert s.stdout().decode().strip() == str(tmp_path)
    old = os.umask(0o027)
    try:
        chiral.run(LOCAL_LOCAL, ["/usr/bin/touch", f"{tmp_path}/new"]).expect(0)
    finally:
        os.umask(old)
    assert os.stat(tmp_path / "new").st_mode & 0o777 == 0o640


def test_path_lookup(chiral, combo):
    assert chiral.run(combo, ["echo", "found"]).expect(0).stdout() == b"found\n"


def test_status_lines(chiral, combo):
    """The last line of the status descriptor tells how it went and what was done."""
    s = chiral.run(combo, ["/bin/ls", "/"]).expect(0)
    last = s.status[-1]
    calls = counters(last)
    assert calls["compared"] > 0 and calls["replayed"] > 0, s.status
    assert not s.alarms


def counters(entry):
    """The counters of the final status line."""
    found = {}

    def walk(node):
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value)
            elif key in ("compared", "replayed", "local"):
                found[key] = value
    walk(entry)
    return found


# ---- record, verify, trace -----------------------------------------------------------------------

@pytest.fixture
def record(chiral, tmp_path):
    path = str(tmp_path / "ls.chiral")
    s = chiral.start(["record", "-o", path], ["/bin/ls", "-l", "/usr/lib"], status=False).expect(0)
    assert s.stdout() == subprocess.run(["/bin/ls", "-l", "/usr/lib"], check=True,
                                        capture_output=True).stdout
    return path


def test_record_is_private(record):
    assert os.stat(record).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("node", ["local", "microvm"])
def test_verify(chiral, record, node, request):
    if node == "microvm":
        request.getfixturevalue("guest")
    chiral.start(["verify", record, "--node", node], None, status=False).expect(0)


def test_trace(chiral, record):
    done = chiral.command("trace", record)
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert re.search(r'^.*\bopenat?\(.*"/usr/lib".*\) = \d+', text, re.M), text[:3000]
    assert "exit_group(0)" in text or "exited" in text, text[-1000:]


def test_trace_json(chiral, record):
    done = chiral.command("trace", "--json", record)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    calls = [e["call"] for e in events if e["event"] == "call"]
    assert any(c["call"] == "openat" and c["args"]["pathname"] == "/usr/lib" for c in calls)
    assert events[-1]["event"] == "death" and events[-1]["status"] == 0


def test_verify_alarms_on_another_program(chiral, record, tmp_path):
    """A record that was tampered with does not verify: one byte of what the program wrote."""
    with open(record, "rb") as f:
        data = bytearray(f.read())
    at = data.rfind(b"systemd")
    if at < 0:
        at = data.rfind(b"x86_64-linux-gnu")
    assert at > 0, "the listing is not in the record"
    data[at] ^= 1
    bad = str(tmp_path / "bad.chiral")
    with open(bad, "wb") as f:
        f.write(data)
    s = chiral.start(["verify", bad], None, status=False)
    assert s.wait() in (EXIT_DIVERGENCE, EXIT_OWN_FAILURE), s.story()


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 40, 200, -1, -9])
def test_cut_record(chiral, record, tmp_path, cut):
    with open(record, "rb") as f:
        data = f.read()
    short = str(tmp_path / "short.chiral")
    with open(short, "wb") as f:
        f.write(data[:cut])
    for command in ("trace", "verify"):
        done = chiral.command(command, short)
        assert exit_status(done.returncode) == EXIT_OWN_FAILURE, done
        assert b"short.chiral" in done.stderr, done


def test_garbage_record(chiral, tmp_path):
    for i, data in enumerate((b"\0" * 1000, os.urandom(5000), b"\x7fELF" + b"\0" * 60)):
        path = tmp_path / f"garbage{i}"
        path.write_bytes(data)
        for command in ("trace", "verify"):
            done = chiral.command(command, str(path))
            assert exit_status(done.returncode) == EXIT_OWN_FAILURE, done


# ---- check and calls -----------------------------------------------------------------------------

def test_check(chiral):
    done = chiral.command("check")
    assert done.returncode == 0, done
    assert len(done.stdout.splitlines()) > 5
    as_json = chiral.command("check", "--json")
    assert as_json.returncode == 0, as_json
    json.loads(as_json.stdout)


def test_calls(chiral):
    done = chiral.command("calls")
    text = done.stdout.decode()
    assert done.returncode == 0
    for name in ("openat", "epoll_wait", "io_uring_setup", "renameat2"):
        assert re.search(rf"\b{name}\b", text), name
