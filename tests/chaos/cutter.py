"""A connection that can be cut: what lies between two parts is a proxy, which drops or holds up all that goes through it."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

from aura_cli.embedded.ports import LOOPBACK

__all__ = ["Cutter"]

CHUNK = 65_536


class Cutter:
    """Forwards loopback ports to others in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._links: dict[int, set[asyncio.Task[None]]] = {}
        self._refusing: set[int] = set()
        self._open: dict[int, asyncio.Event] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def forward(self, target: int) -> int:
        """A port that leads to `target`; its number is what the other methods take."""
        port: int = self._do(self._forward(target))
        return port

    def cut(self, port: int) -> None:
        """Drop all connections and take no more."""
        self._refusing.add(port)
        self._do(self._drop(port))

    def stall(self, port: int) -> None:
        """Let nothing through, without a word."""
        self._loop.call_soon_threadsafe(self._open[port].clear)

    def mend(self, port: int) -> None:
        """Work as before."""
        self._refusing.discard(port)
        self._loop.call_soon_threadsafe(self._open[port].set)

    def close(self) -> None:
        """End all of it."""
        for server in self._servers:
            self._loop.call_soon_threadsafe(server.close)
        for port in self._links:
            self.cut(port)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _forward(self, target: int) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._links[port].add(task)
            try:
                await self._link(port, target, reader, writer)
            finally:
                self._links[port].discard(task)
                writer.transport.abort()

        server = await asyncio.start_server(serve, LOOPBACK, 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        self._links[port], self._open[port] = set(), asyncio.Event()
        self._open[port].set()
        return port

    async def _link(self, port: int, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if port in self._refusing:
            return
        # Whichever side ends first, or a cut, ends both.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(LOOPBACK, target)
            ways = [asyncio.create_task(way) for way in (self._pump(port, reader, back), self._pump(port, there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                back.transport.abort()

    async def _pump(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._open[port].wait()
            writer.write(data)
            await writer.drain()

    async def _drop(self, port: int) -> None:
        links = list(self._links[port])
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
