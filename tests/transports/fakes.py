"""What several of these tests need: a watch that remembers, turns of the event loop, and a server on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Self

from anytill.transports.http_connection import ConnectionLimits
from anytill.transports.http_server import Application, serve


class Remembered:
    """A watch that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, str | int]]] = []
        self.alarms: list[tuple[str, dict[str, str | int]]] = []

    def note(self, event: str, **fields: str | int) -> None:
        self.notes.append((event, fields))

    def alarm(self, event: str, **fields: str | int) -> None:
        self.alarms.append((event, fields))

    def fault(self, where: str, fault: Exception, **fields: str | int) -> None:
        self.alarms.append((where, {"fault": type(fault).__name__, **fields}))


async def turns(count: int = 10) -> None:
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


@contextlib.contextmanager
def kept_port() -> Iterator[int]:
    """A port that no other process can be given meanwhile. Nobody answers there but whom the test lets listen on it,
    and nobody once that one has gone."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]


class Served:
    """A server on a free port of this machine, or on that of its own, for the length of an `async with`."""

    def __init__(
        self, app: Application, *, limits: ConnectionLimits | None = None, grace_s: int = 30, port: int = 0
    ) -> None:
        self.port = port
        self.stop = asyncio.Event()
        self._app = app
        self._limits = limits
        self._grace_s = grace_s
        self._ready: asyncio.Event = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(
            serve(
                self._app,
                "127.0.0.1",
                self.port,
                started=self._started,
                stop=self.stop,
                limits=self._limits,
                grace_s=self._grace_s,
            )
        )
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait([self.task, ready], return_when=asyncio.FIRST_COMPLETED)
        assert ready.done(), self.task
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, timeout=60)

    def _started(self, port: int) -> None:
        self.port = port
        self._ready.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, sent: bytes) -> bytes:
        """Send bytes on a connection of their own and read until the server closes it."""
        reader, writer = await self.connect()
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), timeout=60)
        finally:
            await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever state it is in."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
