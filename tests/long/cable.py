"""A cable between a node and the broker that can be pulled: a TCP relay on loopback, without root."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any


class Cable:
    """Relays connections to a port of this machine. Cut, it keeps them open and moves no byte, as a dead network does.

    `port`: where the node connects to. Runs on a thread of its own until it is closed.
    """

    def __init__(self, to_port: int):
        self._to = to_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._whole, server = self._do(self._open())
        self.port = int(server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """No byte passes from now on."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def mend(self, *, forget: bool) -> None:
        """Bytes pass again; `forget`: the connections of before are gone, as after a long silence."""
        if forget:
            self._do(self._drop())
        self._loop.call_soon_threadsafe(self._whole.set)

    def close(self) -> None:
        """The end of all connections."""
        self._do(self._drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> tuple[asyncio.Event, asyncio.Server]:
        whole = asyncio.Event()
        whole.set()
        return whole, await asyncio.start_server(self._relay, "127.0.0.1", 0)

    async def _drop(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
