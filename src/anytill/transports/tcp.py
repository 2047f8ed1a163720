"""Messages over TCP: a listener for a terminal, and the way of a register to one (`ports.Send`).

A connection that says nothing costs a place and nothing else. When all places are taken the one that has been silent
for longest, and is not waiting for an answer, makes room. How large a message may be and how long it may take to come
is for the line to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from anytill.ports import Clock, NeverSent, Watch
from anytill.transports.answering import Answer, Answering
from anytill.transports.asking import Asking
from anytill.transports.clock import SteadyClock
from anytill.transports.line_faults import LineFaults
from anytill.wire.http import TEXT_UTF8, HttpRequest, HttpResponse
from anytill.wire.line import Line

MOST_CONNECTIONS: Final = 16
_CONNECT_TIMEOUT_S: Final = 10.0
_GRACE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class TcpService:
    """What is done with each connection."""

    line: Callable[[], Line]
    answer: Answer
    watch: Watch
    clock: Clock
    faults: LineFaults
    most_connections: int = MOST_CONNECTIONS
    grace_s: float = _GRACE_S


async def listen_tcp(
    host: str, port: int, service: TcpService, *, started: Callable[[int], None], stop: asyncio.Event
) -> None:
    """Answer until `stop` is set; then accept nothing more and return when what was asked is answered, or after the
    grace. `started` hears the real port; port 0 takes a free one. Raises OSError when the address cannot be had."""
    room = _Room(service, stop)
    server = await asyncio.start_server(room.welcome, host, port)
    try:
        started(server.sockets[0].getsockname()[1])
        await stop.wait()
    finally:
        server.close()
        await room.emptied()


class TcpSend:
    """A register's questions to the terminal at an address, a connection for each. Implements `ports.Send`; of a
    request only the body travels."""

    def __init__(
        self,
        host: str,
        port: int,
        line: Callable[[], Line],
        *,
        timeout_ms: int,
        clock: Clock | None = None,
        faults: LineFaults | None = None,
    ) -> None:
        """`timeout_ms` is how long an answer may take, so it must cover the patience of whoever pays there."""
        self._where = host, port
        self._line = line
        self._timeout_ms = timeout_ms
        self._clock = clock or SteadyClock()
        self._faults = faults

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer. Raises Unreachable; the request may have arrived all the same, unless it is NeverSent."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*self._where)
        except (OSError, UnicodeError, TimeoutError) as fault:
            raise NeverSent(f"no connection: {type(fault).__name__}") from fault
        asking = Asking(reader, writer, self._line(), clock=self._clock, faults=self._faults)
        try:
            return HttpResponse(200, await asking.ask(request.body, self._timeout_ms), TEXT_UTF8)
        finally:
            await asking.aclose()

    async def aclose(self) -> None:
        """There is nothing to let go of: no connection is kept."""


class _Room:
    """All connections of one listener."""

    def __init__(self, service: TcpService, stop: asyncio.Event) -> None:
        self._service = service
        self._stop = stop
        self._guests: dict[Answering, asyncio.Task[None]] = {}

    def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection, or none where everybody else is busy."""
        if self._stop.is_set() or not self._has_place():
            self._service.watch.note("tcp busy")
            writer.transport.abort()
            return
        keep_alive(writer)
        guest = Answering(
            reader,
            writer,
            self._service.line(),
            self._service.answer,
            clock=self._service.clock,
            watch=self._service.watch,
            pause=True,
            faults=self._service.faults,
        )
        task = asyncio.ensure_future(self._serve(guest))
        self._guests[guest] = task

    async def emptied(self) -> None:
        """Until everybody has gone; who has not after the grace is cut off."""
        if self._guests:
            _, late = await asyncio.wait(self._guests.values(), timeout=self._service.grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, guest: Answering) -> None:
        try:
            await guest.run(self._stop)
        except Exception as fault:  # noqa: BLE001 - our bug, and one connection's end
            self._service.watch.fault("tcp", fault)
        finally:
            del self._guests[guest]

    def _has_place(self) -> bool:
        if len(self._guests) < self._service.most_connections:
            return True
        silent = [guest for guest in self._guests if guest.idle]
        if not silent:
            return False
        longest = min(silent, key=lambda guest: guest.last_heard_ms)
        longest.abort()
        self._service.watch.note("tcp silent")
        return True


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """Find out in time that the other side has lost its power."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
