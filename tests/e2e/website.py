# SPDX-License-Identifier: Apache-2.0
"""Debian's lighttpd with a site of ours, under a session: files, configuration, start, restart."""
import os
import random
import signal

import load
from chiral import free_port

LIGHTTPD = "/usr/sbin/lighttpd"
GUEST_ROOT = "/tmp/chiral-e2e"

_rng = random.Random(20)
SMALL = {f"f{size}.bin": _rng.randbytes(size) for size in (0, 1, 1000, 1024, 4096, 16384, 65536, 100000)}
BIG = {f"f{size}.bin": _rng.randbytes(size) for size in (1 << 20, 10 << 20)}
FILES = {**SMALL, **BIG}
PAGES = {"index.html": b"<h1>It is both.</h1>\n", "list/one.txt": b"1", "list/two.txt": b"22"}

CONFIG = """\
server.document-root = "{root}/www"
server.port = {port}
server.bind = "{address}"
server.errorlog = "{root}/error.log"
server.modules = ( "mod_access", "mod_accesslog", "mod_dirlisting" )
accesslog.filename = "{root}/access.log"
server.upload-dirs = ( "{root}" )
index-file.names = ( "index.html" )
dir-listing.activate = "enable"
mimetype.assign = ( ".html" => "text/html", ".txt" => "text/plain", "" => "application/octet-stream" )
server.max-fds = 2048
server.max-connections = 1024
server.max-keep-alive-requests = 100000
server.max-keep-alive-idle = 120
"""


class Website:
    """One lighttpd, started again when a test left it dead. Its documents and its configuration exist
    on the leader's node only."""

    def __init__(self, chiral, combo, folder, guest=None, files=None):
        self.chiral, self.combo, self.guest = chiral, combo, guest
        self.port = free_port()
        self.session = None
        self.root = f"{GUEST_ROOT}/{self.port}" if combo.leads_in_guest else str(folder)
        config = CONFIG.format(root=self.root, port=self.port, address=combo.address())
        content = {"lighttpd.conf": config.encode()}
        for name, data in {**(files or FILES), **PAGES}.items():
            content[f"www/{name}"] = data
        if combo.leads_in_guest:
            guest.put(self.root, content)
        else:
            for name, data in content.items():
                path = os.path.join(self.root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(data)

    @property
    def program(self):
        return [LIGHTTPD, "-D", "-f", f"{self.root}/lighttpd.conf"]

    def start(self, options=(), **kwargs):
        self.session = self.chiral.run(self.combo, self.program, options, port=self.port, **kwargs)
        load.wait_ready(self.port, self.session)
        return self.session

    def ensure(self):
        if not self.session or not self.session.running() or self.session.alarms:
            self.stop()
            self.start()
        return self.session

    def stop(self):
        if self.session:
            self.session.end()
            self.session = None

    def file(self, name):
        """What the leader's file of that name holds now."""
        if self.combo.leads_in_guest:
            return self.guest.exec("cat", f"{self.root}/{name}").stdout
        with open(os.path.join(self.root, name), "rb") as f:
            return f.read()

    def assert_quiet(self):
        """No alarm, and still serving."""
        self.session.assert_quiet()
        reply = load.fetch(self.port, "/f1000.bin")
        assert reply.body == FILES["f1000.bin"]
        self.session.assert_quiet()

    def terminate(self):
        """SIGINT, at which lighttpd serves what it has to the end: a clean end, no alarm. At SIGTERM its
        status says whether a connection was left, natively too, which a slow node decides."""
        self.session.kill(signal.SIGINT)
        self.session.expect(0)
        assert not self.session.alarms, self.session.story()

