# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 client that trusts nothing: every byte of every body is compared with what the file
holds, and clients can be as rude as real ones are."""
import asyncio
import random
import socket
import struct
import time


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Client:
    """One connection."""

    def __init__(self, port, timeout=60):
        self.port, self.timeout = port, timeout
        self.reader = self.writer = None

    async def open(self):
        self.reader, self.writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20), self.timeout)
        return self

    def close(self):
        if self.writer:
            self.writer.close()
            self.writer = None

    async def request(self, path, method="GET", headers=None, body=b"", keep=True):
        """Sends a request, connecting when there is no connection, and reads the whole reply."""
        if not self.writer:
            await self.open()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost",
                 f"Connection: {'keep-alive' if keep else 'close'}"]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        reply = await asyncio.wait_for(self._reply(method), self.timeout)
        if not keep or reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply

    async def _reply(self, method):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers = {}
        for line in head[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        if method == "HEAD" or status in (204, 304):
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Reply(status, headers, await self._chunks())
        if "content-length" in headers:
            return Reply(status, headers,
                         await self.reader.readexactly(int(headers["content-length"])))
        return Reply(status, headers, await self.reader.read())

    async def _chunks(self):
        body = b""
        while True:
            size = int((await self.reader.readline()).split(b";")[0], 16)
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
            if size == 0:
                return body


def fetch(port, path, timeout=60, **kwargs):
    """One request on a connection of its own."""
    async def one():
        c = Client(port, timeout)
        try:
            return await c.request(path, keep=False, **kwargs)
        finally:
            c.close()
    return asyncio.run(one())


def wait_ready(port, session, timeout=60, path="/"):
    """Until the server answers (a published port takes connections before the server does)."""
    end = time.monotonic() + timeout
    while True:
        try:
            return fetch(port, path, timeout=10)
        except (OSError, EOFError, asyncio.TimeoutError):
            assert session.running(), session.story()
            assert time.monotonic() < end, f"no answer in {timeout} s: {session.story()}"
            time.sleep(0.05)


def get_many(port, files, requests, connections, keep, seed=1, timeout=120):
    """GETs of random files on so many connections at once; compares every body. Returns how many."""
    names = sorted(files)
    rng = random.Random(seed)
    work = [rng.choice(names) for _ in range(requests)]
    done = 0

    async def worker():
        nonlocal done
        c = Client(port, timeout)
        try:
            while work:
                name = work.pop()
                reply = await c.request("/" + name, keep=keep)
                assert reply.status == 200, f"/{name}: status {reply.status}"
                assert reply.body == files[name], (
                    f"/{name}: {len(reply.body)} bytes, not the {len(files[name])} of the file")
                done += 1
        finally:
            c.close()

    async def everybody():
        await asyncio.gather(*[worker() for _ in range(connections)])

    asyncio.run(everybody())
    assert done == requests
    return done


def hold_many(port, files, connections, timeout=120):
    """Opens so many connections, and only when all are open uses each of them once."""
    name = min(files, key=lambda n: (len(files[n]) < 100, len(files[n])))

    async def everybody():
        clients = [Client(port, timeout) for _ in range(connections)]
        try:
            for c in clients:
                await c.open()
            replies = await asyncio.gather(*[c.request("/" + name) for c in clients])
            replies += await asyncio.gather(*[c.request("/" + name) for c in clients])
        finally:
            for c in clients:
                c.close()
        assert all(r.status == 200 and r.body == files[name] for r in replies)

    asyncio.run(everybody())


def abort(port, path, after, reset):
    """Asks for a file, reads so many bytes and goes away, with a RST when reset."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        if reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got = 0
        while got < after:
            data = s.recv(min(65536, after - got))
            if not data:
                break
            got += len(data)


def slow(port, path, expected, pause=0.05, piece=3):
    """Sends a request byte by byte (nearly) and reads the reply with pauses."""
    text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for i in range(0, len(text), piece):
            s.sendall(text[i:i + piece])
            time.sleep(pause)
        reply = b""
        while True:
            data = s.recv(8192)
            if not data:
                break
            reply += data
            if len(reply) < 20 * 8192:
                time.sleep(pause)
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    assert body == expected, f"{len(body)} bytes, not {len(expected)}"


def dribble(port, payload):
    """Connects, sends what may be no request at all, closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(payload)
        s.settimeout(0.2)
        try:
            s.recv(1000)
        except OSError:
            pass


def pipeline(port, path, expected, count):
    """Sends all requests before it reads the first reply."""
    async def go():
        c = await Client(port).open()
        text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        c.writer.write(text * count)
        for _ in range(count):
            reply = await asyncio.wait_for(c._reply("GET"), c.timeout)
            assert reply.status == 200 and reply.body == expected
        c.close()
    asyncio.run(go())
