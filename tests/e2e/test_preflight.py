# SPDX-License-Identifier: Apache-2.0
"""Programs that no session can be started with: each is refused before anything runs, with one
sentence that names the file and the node. And what execve answers for such programs later on."""
import contextlib
import os
import shutil
import struct
import tempfile

import pytest

from chiral import EXIT_DIVERGENCE, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND
from nodes import Beside, Here, InGuest

pytestmark = pytest.mark.stops

MACHINES = {"x86_64": 62, "aarch64": 183}      # EM_* of elf.h


class Pair:
    """Two nodes: here, this machine, and there, the one whose files a test may change everywhere."""

    def __init__(self, chiral, here, there, leads_here):
        self.chiral, self.here, self.there = chiral, here, there
        self.leader, self.follower = (here, there) if leads_here else (there, here)
        self.dir = here.dir

    def path(self, name):
        return self.here.path(name)

    def run(self, argv, *options):
        return self.chiral.start(["run", "--leader", self.leader.name, "--follower",
                                  self.follower.name, *options], argv)

    def write(self, name, data, mode=0o755):
        for node in (self.leader, self.follower):
            node.write(name, data, mode)
        return self.path(name)

    def copy(self, source, name):
        """Each node's own program under a new path."""
        for node in (self.leader, self.follower):
            node.write(name, node.read(source))
        return self.path(name)

    def refused(self, argv, status, *texts, options=()):
        """Nothing of it ran: an empty standard output, no alarm, the texts on stderr."""
        s = self.run(argv, *options).expect(status)
        for text in texts:
            assert text in s.stderr(), s.story()
        assert not s.stdout() and not s.alarms and not s.status, s.story()
        said = [line for line in s.stderr().splitlines() if line.startswith("chiral: ")]
        assert len(said) == 1, s.story()
        return s

    def fine(self, argv, *options, output=b""):
        s = self.run(argv, *options).expect(0)
        assert s.stdout() == output and not s.alarms, s.story()
        return s


@pytest.fixture(scope="module")
def folder():
    path = tempfile.mkdtemp(prefix="chiral-preflight-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def here(folder):
    return Here(folder)


@pytest.fixture(scope="module")
def in_guest(guest, folder):
    node = InGuest(guest, folder)
    yield node
    node.close()


@pytest.fixture(scope="module")
def beside(chiral_path, folder):
    if not Beside.is_possible():
        pytest.skip("a mount namespace needs root")
    node = Beside(chiral_path, folder)
    yield node
    node.close()


@pytest.fixture(params=["local-microvm", "microvm-local", "local-beside", "beside-local"])
def pair(request, chiral, here):
    if request.config.getoption("--without-chiral"):
        pytest.skip("about Chiral itself")
    there = request.getfixturevalue("in_guest" if "microvm" in request.param else "beside")
    return Pair(chiral, here, there, request.param.startswith("local-"))


@pytest.fixture(params=["leader", "follower"])
def role(request):
    return request.param


def foreign(elf, isa):
    """The program with the header of another ISA than isa."""
    machine = next(m for i, m in MACHINES.items() if i != isa)
    return elf[:18] + struct.pack("<H", machine) + elf[20:]


def node_of(pair, role):
    return getattr(pair, role)


def where(node):
    """How messages name it: local nodes speak through the hub too."""
    return f"{node.name}: "


def put_sides(pair, role, name, good, bad, mode=0o755):
    """The file is good on one node; bad (None: not there) on that of role."""
    wrong = node_of(pair, role)
    for node in (pair.leader, pair.follower):
        data = bad if node is wrong else good(node)
        if data is None:
            node.run("rm", "-f", node.path(name))
        else:
            node.write(name, data, mode)
    return pair.path(name), wrong


def true_of(node):
    return node.read("/bin/true")


# ---- there, executable, of the right ISA --------------------------------------------------------

def test_on_one_node_only(pair, role):
    path, lacks = put_sides(pair, role, "one", true_of, None)
    s = pair.refused([path], EXIT_NOT_FOUND, where(lacks), f"'{path}'", "on this node")
    assert ("install it on this node too" in s.stderr()) == (role == "follower")


def test_not_executable(pair, role):
    path = pair.copy("/bin/true", "plain")
    node = node_of(pair, role)
    node.run("chmod", "a-x", path)
    pair.refused([path], EXIT_NOT_EXECUTABLE, where(node), f"'{path}' is not executable", "chmod +x")


def test_directory(pair):
    pair.refused([pair.dir], EXIT_NOT_EXECUTABLE, f"'{pair.dir}' is a directory")


def test_neither_elf_nor_script(pair, role):
    path, node = put_sides(pair, role, "text", true_of, b"echo hello\n")
    pair.refused([path], EXIT_NOT_EXECUTABLE, where(node), f"'{path}' is neither an ELF program nor")


def test_wrong_isa(pair, role):
    node = node_of(pair, role)
    path, _ = put_sides(pair, role, "isa", true_of, foreign(true_of(node), node.isa))
    other = next(i for i in MACHINES if i != node.isa)
    pair.refused([path], EXIT_NOT_EXECUTABLE, where(node), f"'{path}' is for {other}",
                 f"this node is {node.isa}", f"--program {node.isa}=PATH")


def test_32_bits(pair):
    elf = bytearray(true_of(pair.leader))
    elf[4] = 1      # ELFCLASS32
    path = pair.leader.write("class", bytes(elf))
    pair.refused([path], EXIT_NOT_EXECUTABLE, f"'{path}' is for another ISA")


def test_damaged(pair):
    """Sizes and offsets that lead nowhere."""
    elf = true_of(pair.leader)
    path = pair.leader.write("damaged", elf[:32] + b"\xff" * 8 + elf[40:100])
    s = pair.run([path])
    assert s.wait() == EXIT_NOT_EXECUTABLE and path in s.stderr(), s.story()


def test_no_loader(pair, role):
    node = node_of(pair, role)
    elf = true_of(node)
    at = elf.index(b"/ld-linux") + 4
    path, _ = put_sides(pair, role, "loader", true_of, elf[:at] + b"X" + elf[at + 1:])
    pair.refused([path], EXIT_NOT_FOUND, where(node), "the dynamic loader of", f"'{path}'",
                 "is not on this node")


# ---- scripts ------------------------------------------------------------------------------------

def test_script(pair):
    path = pair.write("script", b"#!/bin/sh\necho $0 $1\n")
    pair.fine([path, "x"], output=f"{path} x\n".encode())


def test_script_of_script(pair):
    pair.write("inner", b"#!/bin/sh\necho inner $1 $2\n")
    path = pair.write("outer", f"#!{pair.path('inner')} arg\n".encode())
    pair.fine([path], output=f"inner arg {path}\n".encode())


def test_script_of_itself(pair):
    path = pair.write("itself", f"#!{pair.path('itself')}\n".encode())
    pair.refused([path], EXIT_NOT_EXECUTABLE, f"'{path}'", "too many scripts")


def test_no_interpreter(pair, role):
    pair.copy("/bin/sh", "shell")
    path = pair.write("noshell", f"#!{pair.path('shell')}\necho hi\n".encode())
    pair.fine([path], output=b"hi\n")
    node = node_of(pair, role)
    node.run("rm", pair.path("shell"))
    pair.refused([path], EXIT_NOT_FOUND, where(node), f"'{pair.path('shell')}', the interpreter of "
                 f"'{path}', is not on this node")


def test_interpreter_not_executable(pair, role):
    pair.copy("/bin/sh", "shell2")
    path = pair.write("noexec", f"#!{pair.path('shell2')}\necho hi\n".encode())
    node = node_of(pair, role)
    node.run("chmod", "a-x", pair.path("shell2"))
    pair.refused([path], EXIT_NOT_EXECUTABLE, where(node), f"'{pair.path('shell2')}', the "
                 f"interpreter of '{path}', is not executable")


def test_interpreter_of_wrong_isa(pair, role):
    node = node_of(pair, role)
    shell, _ = put_sides(pair, role, "shell3", lambda n: n.read("/bin/sh"),
                         foreign(node.read("/bin/sh"), node.isa))
    path = pair.write("wrongshell", f"#!{shell}\necho hi\n".encode())
    pair.refused([path], EXIT_NOT_EXECUTABLE, where(node), f"'{shell}', the interpreter of '{path}', "
                 "is for ")


def test_script_differs(pair):
    pair.leader.write("differs", b"#!/bin/sh\necho one\n")
    path = pair.follower.write("differs", b"#!/bin/sh\necho two\n")
    pair.refused([path], EXIT_NOT_EXECUTABLE, f"the script '{path}' has other bytes on "
                 f"{pair.leader.name} than on {pair.follower.name}", "--allow-different-versions")
    # Followers read the leader's script.
    s = pair.fine([path], "--allow-different-versions", output=b"one\n")
    assert "has other bytes on" in s.stderr()


def test_script_and_program(pair):
    pair.leader.write("kinds", b"#!/bin/sh\necho one\n")
    path = pair.follower.write("kinds", true_of(pair.follower))
    pair.refused([path], EXIT_NOT_EXECUTABLE, f"'{path}' is a script on {pair.leader.name} and an ELF "
                 f"program on {pair.follower.name}")


# ---- privileges ---------------------------------------------------------------------------------

@pytest.mark.parametrize("bit, name", [("u+s", "setuid"), ("g+s", "setgid")])
def test_privileged(pair, role, bit, name):
    path = pair.copy("/bin/true", name)
    node = node_of(pair, role)
    node.run("chmod", bit, path)
    pair.refused([path], EXIT_NOT_EXECUTABLE, where(node), f"'{path}' is {name}", "privileges")


def test_file_capabilities(pair):
    path = pair.copy("/bin/true", "capable")
    # VFS_CAP_REVISION_2 with the effective bit: CAP_NET_RAW
    try:
        os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    except OSError as e:
        pytest.skip(f"{pair.dir} keeps no file capabilities: {e}")
    pair.refused([path], EXIT_NOT_EXECUTABLE, "local: ", f"'{path}' is given file capabilities")


# ---- versions -----------------------------------------------------------------------------------

STATUS = "/var/lib/dpkg/status"


@contextlib.contextmanager
def other_version(node, package, version):
    """dpkg's database says another version of the package there. The version before."""
    text = node.read(STATUS).decode()
    at = text.index(f"Package: {package}\n")
    start = text.index("\nVersion: ", at) + len("\nVersion: ")
    end = text.index("\n", start)
    before = text[start:end]
    version = version.replace("VERSION", before)
    changed = node.write("status", (text[:start] + version + text[end:]).encode())
    node.cover(changed, STATUS)
    try:
        yield before, version
    finally:
        node.uncover(STATUS)


def test_program_of_another_version(pair):
    """Of one ISA the same build is the same program, whatever the database says."""
    beside = pair.here.isa == pair.there.isa
    with other_version(pair.there, "coreutils", "9.999-1") as (before, after):
        if beside:
            pair.fine(["/bin/true"])
            return
        version = {pair.here: before, pair.there: after}
        pair.refused(["/bin/true"], EXIT_NOT_EXECUTABLE, "'/bin/true' is coreutils "
                     f"{version[pair.leader]} on {pair.leader.name}, but coreutils "
                     f"{version[pair.follower]} on {pair.follower.name}",
                     "--allow-different-versions")
        s = pair.fine(["/bin/true"], "--allow-different-versions")
        assert "9.999-1" in s.stderr()


def test_interpreter_of_another_version(pair):
    if pair.here.isa == pair.there.isa:
        pytest.skip("the same build")
    path = pair.write("dash", b"#!/bin/dash\necho hi\n")
    with other_version(pair.there, "dash", "0.9"):
        pair.refused([path], EXIT_NOT_EXECUTABLE, "'/bin/dash' is dash ", "dash 0.9 on ")


def test_rebuilt_package(pair):
    with other_version(pair.there, "coreutils", "VERSION+b7"):
        s = pair.fine(["/bin/true"])
        assert "coreutils" not in s.stderr(), s.story()


def test_libraries_of_another_version(pair):
    with other_version(pair.there, "libc6", "2.99-1"):
        s = pair.fine(["/bin/true"])
        assert s.stderr().count("libc6 2.99-1") == 1, s.story()


def test_other_build(pair):
    """Nodes of one ISA: the same path, another build."""
    if pair.here.isa != pair.there.isa:
        pytest.skip("builds of two ISAs cannot be compared")
    path = pair.copy("/bin/true", "build")
    elf = true_of(pair.there)
    at = elf.index(b"GNU\0", elf.index(b"\x14\0\0\0\x03\0\0\0GNU\0")) + 4      # the build id
    pair.there.write("build", elf[:at] + b"\0" + elf[at + 1:])
    pair.refused([path], EXIT_NOT_EXECUTABLE, f"'{path}' is another build on {pair.leader.name} than "
                 f"on {pair.follower.name}", "build ids differ")
    pair.fine([path], "--allow-different-versions")


def test_missing_library(pair):
    """One node lacks a library: its loader would find that out, and the variants would differ."""
    lib = pair.there.run("sh", "-c", "readlink -f /usr/lib/*-linux-gnu/libz.so.1").decode().split()[0]
    pair.there.cover("/dev/null", lib)
    try:
        pair.refused(["curl", "--version"], EXIT_NOT_EXECUTABLE, "needs libz.so.1",
                     f"but not on {pair.there.name}")
    finally:
        pair.there.uncover(lib)


def test_record_of_another_program(chiral, here, beside):
    """A record keeps what the program was."""
    path = here.write("recorded", here.read("/bin/true"))
    elf = here.read("/bin/true")
    at = elf.index(b"\x14\0\0\0\x03\0\0\0GNU\0") + 12
    beside.write("recorded", elf[:at] + b"\0" + elf[at + 1:])
    file = here.path("record")
    chiral.start(["record", "-o", file], [path]).expect(0)
    chiral.start(["verify", file], None).expect(0)
    s = chiral.start(["verify", file, "--node", beside.name], None).expect(EXIT_NOT_EXECUTABLE)
    assert f"'{path}' is another build on the recorded node" in s.stderr(), s.story()
    chiral.start(["verify", file, "--node", beside.name, "--allow-different-versions"],
                 None).expect(0)


# ---- programs that a session executes -----------------------------------------------------------

@pytest.mark.parametrize("bit", ["u+s", "g+s"])
def test_exec_of_privileged(pair, bit):
    path = pair.copy("/bin/true", "later")
    script = pair.write("wrapped", f"#!{path}\n".encode())
    pair.leader.run("chmod", bit, path)
    s = pair.fine(["/bin/sh", "-c", f"{path}; echo $?; {script}; echo $?; cd {pair.dir}; ./later; "
                   "echo $?"], output=b"126\n126\n126\n")
    assert s.stderr().count("Operation not permitted") == 3, s.story()
    if pair.leader.name == "local":
        assert s.stderr().count(f"executes '{path}', which is set") == 1, s.story()


def test_exec_of_privileged_by_exec(pair):
    """execve without a fork before it, and the shell goes on."""
    path = pair.copy("/bin/true", "later2")
    pair.leader.run("chmod", "u+s", path)
    s = pair.run(["/bin/bash", "-c", f"shopt -s execfail; exec {path}; echo still $?"]).expect(0)
    assert s.stdout() == b"still 126\n" and not s.alarms, s.story()


def test_exec_of_wrong_isa(pair):
    elf = true_of(pair.leader)
    path = pair.leader.write("later3", foreign(elf, pair.leader.isa))
    # Not sh, which takes such a file for a script, as execvp(3) does. LC_ALL: bash looks for two
    # translations of its message in an order that its compiler chose.
    s = pair.fine(["/usr/bin/env", "LC_ALL=C", "/bin/bash", "-c", f"{path}; echo $?"],
                  output=b"126\n")
    assert "Exec format error" in s.stderr(), s.story()


def test_exec_of_missing(pair):
    s = pair.run(["/usr/bin/env", pair.path("nothing")]).expect(127)
    assert not s.alarms, s.story()


def test_exec_on_one_node_only(pair):
    """The leader's program goes on as another one that the follower's node does not have."""
    path, _ = put_sides(pair, "follower", "later4", true_of, None)
    s = pair.run(["/usr/bin/env", path]).expect(EXIT_DIVERGENCE)
    assert f"cannot execute its own node's '{path}'" in s.stderr(), s.story()


def test_exec_of_script_on_one_node_only(pair):
    """What a script says is the leader's, as every file; its interpreter is each node's own."""
    script, _ = put_sides(pair, "follower", "only1", lambda _: b"#!/bin/sh -e\necho $# $0 $*\n", None)
    data = f"#!{script}  with arg \nnothing\n".encode()
    other, _ = put_sides(pair, "follower", "only2", lambda _: data, None)
    differs, _ = put_sides(pair, "follower", "only3", lambda _: b"#!/bin/sh\necho one\n",
                           b"#!/bin/echo\n")
    pair.fine(["/usr/bin/env", script], output=f"0 {script}\n".encode())
    pair.fine(["/bin/sh", "-c", f"cd {pair.dir}; ./only1 a 'b c'; {other} x; {differs}"],
              output=f"2 ./only1 a b c\n3 {script} with arg {other} x\none\n".encode())
    pair.fine(["/bin/sh", "-c", f"{script} $(seq 3000) | cut -c 1-4"], output=b"3000\n")


def test_exec_of_script_without_interpreter(pair):
    shell, _ = put_sides(pair, "follower", "shell3", lambda node: node.read("/bin/sh"), None)
    script = pair.write("only4", f"#!{shell}\necho hi\n".encode())
    s = pair.run(["/usr/bin/env", script]).expect(EXIT_DIVERGENCE)
    assert f"cannot execute its own node's '{shell}'" in s.stderr(), s.story()
