# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy on 127.0.0.1 that holds every byte back for a while: a long wire between two nodes.
It can also cut the wire, or write garbage on it."""
import asyncio
import collections
import threading


class DelayProxy:
    def __init__(self, target_port, delay):
        self.target_port, self.delay = target_port, delay
        self.port = None
        self.connections = 0
        self._writers = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(5)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        self.connections += 1
        self._writers += [writer, far_writer]
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer),
                             return_exceptions=True)

    async def _pump(self, reader, writer):
        """Bytes leave `delay` after they came; many may be under way at once."""
        queue = collections.deque()
        wake = asyncio.Event()

        async def send():
            while True:
                while not queue:
                    wake.clear()
                    await wake.wait()
                when, data = queue.popleft()
                await asyncio.sleep(max(0, when - self._loop.time()))
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        sender = asyncio.ensure_future(send())
        try:
            while True:
                data = await reader.read(65536)
                queue.append((self._loop.time() + self.delay, data))
                wake.set()
                if not data:
                    break
            await sender
        except (ConnectionError, OSError):
            sender.cancel()
            writer.close()

    def cut(self):
        """Closes every connection, as when the wire breaks."""
        def close():
            for w in self._writers:
                w.transport.abort()
        self._loop.call_soon_threadsafe(close)

    def close(self):
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
