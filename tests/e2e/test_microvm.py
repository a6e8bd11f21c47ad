# SPDX-License-Identifier: Apache-2.0
"""The microVM of the other ISA: build, start, commands in it, copies, published ports, its end."""
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from chiral import (EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_OWN_FAILURE, EXIT_PEER_LOST, FOREIGN,
                    Guest, free_port, read_proc, wait_until)


@pytest.fixture(scope="module")
def vm(chiral_path):
    """A microVM of this file's own: some tests kill it."""
    if chiral_path is None:
        pytest.skip("nothing to test without chiral")
    before = os.environ.get("XDG_RUNTIME_DIR")
    g = Guest(chiral_path)
    g.start(["busybox"])
    yield g
    g.stop()
    if before is None:
        del os.environ["XDG_RUNTIME_DIR"]
    else:
        os.environ["XDG_RUNTIME_DIR"] = before


def background(vm, *argv, **kwargs):
    return subprocess.Popen([vm.path, "microvm", "exec", "--", *argv], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)


def guest_processes(vm, pattern):
    """Command lines in the guest that contain pattern."""
    lines = vm.exec("ps", "ax", "-o", "args").stdout.decode().splitlines()
    return [l for l in lines if pattern in l]


# ---- commands ------------------------------------------------------------------------------------

def test_other_isa(vm):
    assert vm.exec("uname", "-m").stdout.decode().strip() == FOREIGN


@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -TERM $$", 143),
])
def test_exit_status(vm, script, status):
    assert vm.exec("sh", "-c", script, check=False).returncode == status


def test_not_found(vm):
    done = vm.exec("no-such-program", check=False)
    assert done.returncode == EXIT_NOT_FOUND
    assert b"no-such-program" in done.stderr


def test_not_executable(vm):
    done = vm.exec("/etc/passwd", check=False)
    assert done.returncode == EXIT_NOT_EXECUTABLE
    assert b"/etc/passwd" in done.stderr


def test_stdout_and_stderr_apart(vm):
    done = vm.exec("sh", "-c", "echo out; echo err >&2")
    assert done.stdout == b"out\n" and done.stderr == b"err\n"


def test_arguments_arrive_as_they_are(vm):
    words = ["", " a  b ", "$HOME", "*", "'\"\\", "ü\n\t", "-x"]
    out = vm.exec("sh", "-c", "for a; do printf '[%s]' \"$a\"; done", "sh", *words).stdout
    assert out.decode() == "".join(f"[{w}]" for w in words)


def test_no_stdin(vm):
    assert vm.exec("cat", stdin=b"").stdout == b""


def test_large_input_and_output(vm):
    data = os.urandom(1 << 20) * 24
    assert vm.exec("cat", stdin=data).stdout == data


def test_large_input_to_command_that_reads_late(vm):
    data = os.urandom(1 << 20) * 8
    out = vm.exec("sh", "-c", "sleep 1; sha256sum", stdin=data).stdout
    assert out.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_input_to_command_that_does_not_read(vm):
    assert vm.exec("true", stdin=bytes(4 << 20)).returncode == 0


def test_output_that_nobody_reads_waits(vm):
    """The node does not collect what we do not take."""
    p = background(vm, "sh", "-c", "head -c 200000000 /dev/zero; echo end >&2")
    time.sleep(2)
    used = vm.exec("sh", "-c", "ps ax -o rss,args | grep -c '[h]ead -c 200000000'").stdout
    assert int(used) >= 1, "it ran to its end although nobody read"
    rss = [int(l.split()[0]) for l in vm.exec("ps", "ax", "-o", "rss,args").stdout.decode()
           .splitlines()[1:] if "chiral node" in l]
    assert max(rss) < 32 << 10
    out, err = p.communicate(timeout=60)
    assert len(out) == 200000000 and err == b"end\n" and p.returncode == 0


def test_two_at_once(vm):
    """Each waits for what the other does."""
    vm.exec("rm", "-f", "/tmp/one", "/tmp/two")
    wait = "while [ ! -e /tmp/%s ]; do sleep 0.05; done"
    a = background(vm, "sh", "-c", f"touch /tmp/one; {wait % 'two'}; echo a")
    b = background(vm, "sh", "-c", f"{wait % 'one'}; touch /tmp/two; echo b")
    assert a.communicate(timeout=30)[0] == b"a\n"
    assert b.communicate(timeout=30)[0] == b"b\n"
    assert a.returncode == 0 and b.returncode == 0


def test_many_in_turn(vm):
    """Ports are used again and again; nothing of one command reaches the next."""
    for i in range(40):
        assert vm.exec("echo", str(i)).stdout == f"{i}\n".encode()


def test_more_than_ports(vm):
    """One too many is told so; the others are not disturbed."""
    running = [background(vm, "cat") for _ in range(15)]
    try:
        wait_until(lambda: vm.status()["sessions"] == 15, 30, "15 commands in the guest")
        done = vm.exec("true", check=False)
        assert done.returncode == EXIT_OWN_FAILURE and b"in use" in done.stderr
        for i, p in enumerate(running):
            assert p.communicate(str(i).encode(), timeout=30)[0] == str(i).encode()
            assert p.returncode == 0
    finally:
        for p in running:
            p.kill()
            p.wait()
    wait_until(lambda: vm.status()["sessions"] == 0, 10, "free ports")


# ---- ends ----------------------------------------------------------------------------------------

def test_killed_host_ends_the_command(vm):
    p = background(vm, "sh", "-c", "sleep 4711 & sleep 4712")
    wait_until(lambda: len(guest_processes(vm, "sleep 471")) >= 2, 20, "the command in the guest")
    p.kill()
    p.wait()
    wait_until(lambda: not guest_processes(vm, "sleep 471"), 10, "its end in the guest")
    assert vm.status()["sessions"] == 0


def test_stopped_and_killed_while_output_flows(vm):
    """Bytes of the old connection do not reach the new one."""
    for _ in range(10):
        p = background(vm, "sh", "-c", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done")
        p.stdout.read(100000)
        p.kill()
        p.wait()
        assert vm.exec("echo", "clean").stdout == b"clean\n"


def test_daemon_ends_with_its_command(vm):
    vm.exec("sh", "-c", "setsid sh -c 'setsid sleep 4713 & sleep 4713' >/dev/null 2>&1 & sleep 0.3")
    wait_until(lambda: not guest_processes(vm, "sleep 4713"), 5, "the daemon's end")


def test_killed_server_process(vm):
    """The guest's process that serves us dies: we are told at once, and the port works again."""
    p = background(vm, "sh", "-c", "echo $PPID; sleep 4714")
    server = int(p.stdout.readline())
    vm.exec("kill", "-9", str(server))
    begin = time.monotonic()
    _, err = p.communicate(timeout=10)
    assert p.returncode == EXIT_PEER_LOST and b"signal 9" in err, err
    assert time.monotonic() - begin < 4
    assert not guest_processes(vm, "sleep 4714")
    for _ in range(16):
        vm.exec("true")


# ---- copies --------------------------------------------------------------------------------------

def cp(vm, *args):
    return vm.command("cp", *map(str, args), timeout=60)


def test_cp_file(vm, tmp_path):
    data = os.urandom(300000)
    (tmp_path / "f").write_bytes(data)
    os.chmod(tmp_path / "f", 0o751)
    assert cp(vm, tmp_path / "f", "/srv/new/name").returncode == 0
    assert vm.exec("cat", "/srv/new/name").stdout == data
    assert vm.exec("stat", "-c", "%a", "/srv/new/name").stdout == b"751\n"
    assert cp(vm, tmp_path / "f", "/srv/new").returncode == 0
    assert vm.exec("cat", "/srv/new/f").stdout == data


def test_cp_tree(vm, tmp_path):
    (tmp_path / "t" / "sub").mkdir(parents=True)
    (tmp_path / "t" / "-odd name").write_text("x")
    (tmp_path / "t" / "sub" / "link").symlink_to("../-odd name")
    assert cp(vm, tmp_path / "t", "/srv/tree").returncode == 0
    assert vm.exec("cat", "/srv/tree/sub/link").stdout == b"x"
    assert cp(vm, f"{tmp_path}/t/.", tmp_path / "t" / "sub", "/srv/several/").returncode == 0
    assert vm.exec("ls", "/srv/several").stdout == b"sub\nt\n"


def test_cp_missing(vm):
    done = cp(vm, "/no/such/file", "/tmp")
    assert done.returncode == EXIT_OWN_FAILURE and b"/no/such/file" in done.stderr


# ---- packages ------------------------------------------------------------------------------------

@pytest.mark.limit(300)
def test_add_package_while_it_runs(vm):
    pid = vm.pid()
    done = vm.command("add", "jq")
    assert done.returncode == 0, done.stderr.decode()
    assert vm.exec("jq", ".a", stdin=b'{"a": 5}').stdout == b"5\n"
    assert vm.pid() == pid


def test_add_unknown_package(vm):
    done = vm.command("add", "no-such-package-at-all")
    assert done.returncode == EXIT_OWN_FAILURE and b"no-such-package-at-all" in done.stderr
    done = vm.command("add", "--bad;name")
    assert done.returncode == EXIT_OWN_FAILURE and b"not the name" in done.stderr


def test_build_is_cached(vm):
    begin = time.monotonic()
    done = vm.command("build")
    assert done.returncode == 0 and time.monotonic() - begin < 5
    image = done.stdout.decode().strip()
    for name in ("kernel", "modules.cpio", "root.squashfs", "manifest", "stamp"):
        assert os.path.getsize(os.path.join(image, name)) > 0


# ---- network -------------------------------------------------------------------------------------

def test_published_port_lives_as_long_as_its_session(vm):
    port = free_port()
    vm.exec("sh", "-c", "mkdir -p /srv/www; echo published >/srv/www/f")
    p = subprocess.Popen([vm.path, "microvm", "exec", "--publish", f"{port}:8080", "--",
                          "busybox", "httpd", "-f", "-p", "8080", "-h", "/srv/www"],
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def fetch():
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            c.request("GET", "/f")
            return c.getresponse().read()
        except OSError:
            return None

    try:
        assert wait_until(fetch, 20, f"an answer on port {port}") == b"published\n"
        assert vm.status()["published"].strip() == f"{port}:8080"
        again = vm.command("exec", "--publish", f"{port}:8080", "--", "true", timeout=20)
        assert again.returncode == EXIT_OWN_FAILURE and str(port).encode() in again.stderr
        assert fetch() == b"published\n"
        listening = open("/proc/net/tcp").read().upper()
        assert f"0100007F:{port:04X}" in listening and f"00000000:{port:04X}" not in listening
    finally:
        p.kill()
        p.wait()

    def closed():
        return f"0100007F:{port:04X} 00000000:0000 0A" not in open("/proc/net/tcp").read().upper()

    wait_until(closed, 5, "the end of the forward")
    assert vm.status()["published"].strip() == ""


@pytest.mark.parametrize("pair", ["80", "0:80", "80:0", "80:99999", "a:b", "1:2:3", "-1:80", ""])
def test_bad_publish(vm, pair):
    done = vm.command("exec", "--publish", pair, "--", "true", timeout=20)
    assert done.returncode == EXIT_OWN_FAILURE and b"HOST:GUEST" in done.stderr


def test_guest_reaches_nothing(vm):
    """Neither this machine nor what is behind it."""
    port = free_port()
    with socket.socket() as s:
        s.bind(("127.0.0.1", port))
        s.listen()
        done = vm.exec("busybox", "nc", "-w", "3", "10.0.2.2", str(port), check=False)
        assert done.returncode != 0
        s.settimeout(0.2)
        with pytest.raises(TimeoutError):
            s.accept()


# ---- life ----------------------------------------------------------------------------------------

def test_status(vm):
    s = vm.status()
    assert s["running"] and s["built"] and s["answers"] and s["isa"] == FOREIGN
    assert b"running" in vm.command("status").stdout


def test_killed_qemu_is_told_and_replaced(vm):
    p = background(vm, "sleep", "100")
    wait_until(lambda: guest_processes(vm, "sleep 100"), 20, "the command")
    os.kill(vm.pid(), signal.SIGKILL)
    _, err = p.communicate(timeout=5)
    assert p.returncode == EXIT_PEER_LOST and b"the microVM has ended" in err
    assert vm.status()["running"] is False
    assert vm.exec("echo", "again").stdout == b"again\n"


def test_two_starts_at_once(vm):
    vm.command("stop")
    done = []
    threads = [threading.Thread(target=lambda: done.append(vm.command("start"))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [d.returncode for d in done] == [0] * 4
    assert sum(b"is up after" in d.stderr for d in done) == 1
    pid = vm.pid()
    qemus = [p for p in filter(str.isdigit, os.listdir("/proc"))
             if f"{vm.folder}/chiral".encode() in cmdline(p)]
    assert qemus == [str(pid)]


def alive(pid):
    """Not counting a zombie that init has not taken yet."""
    return read_proc(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"])


def cmdline(pid):
    return read_proc(pid, "cmdline")


def test_stop_leaves_nothing(vm):
    p = background(vm, "sleep", "100")
    wait_until(lambda: vm.status()["sessions"] == 1, 20, "the command")
    pid = vm.pid()
    assert vm.command("stop", timeout=20).returncode == 0
    assert not alive(pid)
    p.communicate(timeout=5)
    assert p.returncode == EXIT_PEER_LOST
    assert json.loads(vm.command("status", "--json").stdout)["running"] is False
    assert vm.command("stop").returncode == 0
    (folder,) = os.scandir(os.path.join(vm.folder, "chiral"))
    assert not [n for n in os.listdir(folder) if n.endswith(".sock")]
