# SPDX-License-Identifier: Apache-2.0
"""`chiral node --listen`, spoken to byte by byte: commands, many at once, broken peers, its end."""
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from chiral import EXIT_NOT_FOUND, EXIT_OWN_FAILURE, MARKER, processes_marked, read_proc, wait_until

HELLO_SIZE = 48


@pytest.fixture(scope="module")
def types(chiral_path):
    """Numbers of the frame types, from the protocol's header."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, "src/link/protocol.h"), encoding="utf-8") as f:
        block = re.search(r"#define FRAME_TYPES\(X\)(.*?)enum frame_type", f.read(), re.S)[1]
    return {name: i for i, name in enumerate(re.findall(r"X\((\w+), \"", block))}


class Node:
    def __init__(self, path, address, *options):
        self.marker = f"{os.getpid()}.node{time.monotonic_ns()}"
        self.process = subprocess.Popen(
            [path, "node", "--listen", address, *options], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env={**os.environ, MARKER: self.marker}, start_new_session=True)
        line = self.process.stderr.readline().decode()
        self.address = re.search(r"listening on (\S+)", line)[1]

    def connect(self):
        if self.address.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.address[5:])
        else:
            host, port = self.address[6:].rsplit(":", 1)
            s = socket.create_connection((host, int(port)))
        s.settimeout(20)
        return s

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def processes(self):
        return processes_marked(self.marker)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        wait_until(lambda: not self.processes(), 5, "the end of the node's processes")


@pytest.fixture(params=["tcp", "unix"])
def node(chiral_path, request):
    if chiral_path is None:
        pytest.skip("nothing to test without chiral")
    folder = tempfile.mkdtemp(prefix="chiral-")
    address = "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix:{folder}/sock"
    n = Node(chiral_path, address)
    yield n
    n.close()
    assert os.listdir(folder) == [] or n.process.returncode != 0
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)


def exactly(s, n):
    data = b""
    while len(data) < n:
        chunk = s.recv(n - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def recv_frame(s):
    length, kind, zero = struct.unpack("<IHH", exactly(s, 8))
    assert zero == 0
    return kind, exactly(s, length)


def send_frame(s, kind, body=b""):
    s.sendall(struct.pack("<IHH", len(body), kind, 0) + body)


def blob(text):
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def exec_body(argv, env=(), cwd="/"):
    return (blob(cwd) + struct.pack("<I", len(argv)) + b"".join(map(blob, argv)) +
            struct.pack("<I", len(env)) + b"".join(map(blob, env)))


def open_link(node, types):
    """A connection after the handshake: what the node says of itself is true of us as well."""
    s = node.connect()
    kind, hello = recv_frame(s)
    assert kind == types["HELLO"] and len(hello) == HELLO_SIZE
    send_frame(s, types["HELLO"], hello)
    return s


def run(node, types, argv, stdin=b"", **kwargs):
    """(wait status, stdout, stderr) of a command on the node."""
    with open_link(node, types) as s:
        send_frame(s, types["EXEC"], exec_body(argv, **kwargs))
        if stdin:
            send_frame(s, types["STDIO"], b"\0" + stdin)
        send_frame(s, types["STDIO"], b"\0")
        return collect(s, types)


def collect(s, types):
    out = {1: b"", 2: b""}
    while True:
        kind, body = recv_frame(s)
        if kind == types["STDIO"]:
            out[body[0]] += body[1:]
        elif kind == types["EXITED"]:
            return struct.unpack("<I", body)[0], out[1], out[2]
        else:
            assert kind == types["HEARTBEAT"], (kind, body)


def test_command(node, types):
    status, out, err = run(node, types, ["sh", "-c", "cat; pwd; echo $V >&2; exit 7"], b"in ",
                           env=["V=x"], cwd="/usr")
    assert (status >> 8, out, err) == (7, b"in /usr\n", b"x\n")


def test_command_not_found(node, types):
    status, _, err = run(node, types, ["no-such-program"])
    assert status >> 8 == EXIT_NOT_FOUND and b"no-such-program" in err


def test_signal(node, types):
    with open_link(node, types) as s:
        send_frame(s, types["EXEC"], exec_body(["sleep", "100"]))
        time.sleep(0.3)
        send_frame(s, types["SIGNAL"], struct.pack("<I", signal.SIGINT))
        assert collect(s, types)[0] == signal.SIGINT


def test_nothing_inherited(node, types):
    """No descriptor of the node but 0-2, no signal blocked or ignored, a session of its own."""
    script = "ls -l /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign)' /proc/self/status"
    _, out, _ = run(node, types, ["sh", "-c", script])
    lines = out.decode().split()
    assert int(lines[0]) == 5    # "total", 0-2, the folder itself
    assert [int(x, 16) for x in lines[2::2]] == [0, 0]


def test_fifty_at_once(node, types):
    links = [open_link(node, types) for _ in range(50)]
    for i, s in enumerate(links):
        send_frame(s, types["EXEC"], exec_body(["sh", "-c", f"read x; echo {i} $x"]))
    for s in reversed(links):
        send_frame(s, types["STDIO"], b"\0go\n")
    for i, s in enumerate(links):
        assert collect(s, types)[:2] == (0, f"{i} go\n".encode())
        s.close()


def test_peer_that_goes_takes_its_processes_along(node, types):
    s = open_link(node, types)
    send_frame(s, types["EXEC"], exec_body(["sh", "-c", "setsid sleep 4721 & sleep 4721"]))
    wait_until(lambda: [n for _, n in node.processes() if n == "sleep"], 10, "the command")
    s.close()
    wait_until(lambda: len(node.processes()) == 1, 5, "its end")


def test_killed_server_process_closes_the_connection(node, types):
    s = open_link(node, types)
    send_frame(s, types["EXEC"], exec_body(["sh", "-c", "echo $PPID; sleep 4722"]))
    kind, body = recv_frame(s)
    assert kind == types["STDIO"]
    os.kill(int(body[1:]), signal.SIGKILL)
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            recv_frame(s)
    wait_until(lambda: len(node.processes()) == 1, 5, "the command's end")


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.0\r\n\r\n", b"\0" * 4096, b"\xff" * 4096, os.urandom(4096), b"\x30",
    struct.pack("<IHH", 48, 0, 0) + b"CHIRAL\r\n" + struct.pack("<H", 999) + b"\0" * 38,
    struct.pack("<IHH", 80 << 20, 1, 0),
], ids=["http", "zeros", "ones", "random", "short", "version", "long"])
def test_garbage_instead_of_hello(node, types, garbage):
    with node.connect() as s:
        s.sendall(garbage)
        s.shutdown(socket.SHUT_WR)
        with pytest.raises((EOFError, ConnectionResetError)):
            while True:
                recv_frame(s)
    assert run(node, types, ["echo", "alive"])[1] == b"alive\n"


@pytest.mark.parametrize("body", [
    b"", exec_body([]), exec_body(["true"]) + b"x", exec_body(["true"])[:-1],
    blob("/") + struct.pack("<I", 0xffffffff), blob("/") + struct.pack("<I", 5000) + blob("a") * 5000,
    blob("/\0x") + exec_body(["true"])[5:], struct.pack("<I", 0x7fffffff),
], ids=["empty", "no-argv", "trailing", "cut", "count", "too-many", "nul", "length"])
def test_malformed_exec(node, types, body):
    with open_link(node, types) as s:
        send_frame(s, types["EXEC"], body)
        with pytest.raises((EOFError, ConnectionResetError)):
            while recv_frame(s)[0] != types["EXITED"]:
                pass
    assert run(node, types, ["echo", "alive"])[1] == b"alive\n"


@pytest.mark.parametrize("kind, body", [
    ("STDIO", b""), ("STDIO", b"\1x"), ("SIGNAL", b""), ("SIGNAL", struct.pack("<I", 0)),
    ("SIGNAL", struct.pack("<I", 1000)), ("GO", b""), ("EXEC", exec_body(["true"])),
])
def test_frames_out_of_place(node, types, kind, body):
    with open_link(node, types) as s:
        send_frame(s, types["EXEC"], exec_body(["sleep", "4723"]))
        send_frame(s, types[kind], body)
        with pytest.raises((EOFError, ConnectionResetError)):
            while recv_frame(s)[0] != types["EXITED"]:
                pass
    wait_until(lambda: len(node.processes()) == 1, 5, "the command's end")


def test_peer_that_does_not_read(node, types):
    """The command waits; the node does not grow."""
    with open_link(node, types) as s:
        send_frame(s, types["EXEC"], exec_body(["head", "-c", "300000000", "/dev/zero"]))
        time.sleep(1.5)
        assert [n for _, n in node.processes() if n == "head"]
        rss = [int(re.search(rb"VmRSS:\s+(\d+)", read_proc(p, "status"))[1])
               for p, n in node.processes() if n == "chiral"]
        assert max(rss) < 32 << 10
        status, out, _ = collect_count(s, types)
        assert (status, out) == (0, 300000000)


def collect_count(s, types):
    n = 0
    while True:
        kind, body = recv_frame(s)
        if kind == types["STDIO"]:
            n += len(body) - 1
        elif kind == types["EXITED"]:
            return struct.unpack("<I", body)[0], n, None


def test_sigterm_ends_everything(node, types):
    links = [open_link(node, types) for _ in range(3)]
    for s in links:
        script = "trap '' TERM; setsid sleep 4724; sleep 9"
        send_frame(s, types["EXEC"], exec_body(["sh", "-c", script]))
    wait_until(lambda: len([n for _, n in node.processes() if n == "sleep"]) == 3, 10, "commands")
    begin = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - begin < 5
    assert node.processes() == []
    for s in links:
        s.close()


def test_once(chiral_path, types):
    if chiral_path is None:
        pytest.skip("nothing to test without chiral")
    n = Node(chiral_path, "tcp://127.0.0.1:0", "--once")
    try:
        assert run(n, types, ["echo", "x"])[1] == b"x\n"
        assert n.process.wait(5) == 0
        with pytest.raises(ConnectionRefusedError):
            n.connect()
    finally:
        n.close()


@pytest.mark.parametrize("args, text", [
    ([], "usage"),
    (["--listen", "nonsense"], "nonsense"),
    (["--listen", "tcp://127.0.0.1:99999"], "99999"),
    (["--serial"], "virtio-serial"), (["--listen", "unix:/no/such/folder/s"], "/no/such/folder/s"),
])
def test_bad_command_lines(chiral_path, args, text):
    if chiral_path is None:
        pytest.skip("nothing to test without chiral")
    done = subprocess.run([chiral_path, "node", *args], capture_output=True, timeout=10, check=False)
    assert done.returncode == EXIT_OWN_FAILURE and text in done.stderr.decode()
