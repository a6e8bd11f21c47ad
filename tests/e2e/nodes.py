# SPDX-License-Identifier: Apache-2.0
"""Nodes whose files a test may change: the microVM, and a second node on this machine that has a mount
namespace of its own."""
import os
import shlex
import shutil
import subprocess
import tempfile

from chiral import FOREIGN, NATIVE, wait_until


class Node:
    """name: for --leader and --follower. dir: a folder that is on every node, with other files on each."""
    name = isa = dir = None

    def run(self, *argv, stdin=b""):
        """A command on the node; its output."""
        raise NotImplementedError

    def path(self, name):
        return f"{self.dir}/{name}"

    def read(self, path):
        return self.run("cat", path)

    def write(self, name, data, mode=0o755):
        """The path of a new file below dir."""
        path = self.path(name)
        self.run("sh", "-c", f"cat >{shlex.quote(path)} && chmod {mode:o} {shlex.quote(path)}",
                 stdin=data)
        return path

    def cover(self, source, path):
        """Until uncover(): source, a file of the node, is seen at path."""
        self.run("mount", "--bind", source, path)

    def uncover(self, path):
        self.run("umount", path)


class Here(Node):
    name, isa = "local", NATIVE

    def __init__(self, folder):
        self.dir = folder

    def run(self, *argv, stdin=b""):
        return subprocess.run(argv, input=stdin, check=True, capture_output=True).stdout


class InGuest(Node):
    name, isa = "microvm", FOREIGN

    def __init__(self, guest, folder):
        self.guest, self.dir = guest, folder
        self.run("mkdir", "-p", folder)

    def run(self, *argv, stdin=b""):
        return self.guest.exec(*argv, stdin=stdin).stdout

    def close(self):
        self.run("rm", "-rf", self.dir)


class Beside(Node):
    """`chiral node` on this machine. Below dir it has files of its own."""
    isa = NATIVE

    def __init__(self, chiral_path, folder):
        self.dir = folder
        self.folder = tempfile.mkdtemp(prefix="chiral-")
        address = f"{self.folder}/node"
        self.name = f"unix:{address}"
        script = 'mount -t tmpfs none "$1" && exec "$2" node --listen "$3"'
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", folder,
             chiral_path, self.name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(address) or self.process.poll() is not None, 10,
                   "a node in a mount namespace")
        assert self.process.poll() is None, "the node ended"

    @staticmethod
    def is_possible():
        return subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def run(self, *argv, stdin=b""):
        return subprocess.run(["nsenter", "-t", str(self.process.pid), "--mount", *argv],
                              input=stdin, check=True, capture_output=True).stdout

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)
