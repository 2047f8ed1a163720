"""A terminal on its lines: HTTP or HTTPS, TCP and serial, each as wanted, all at once on the one terminal.

Also the way of a register to one, and the power that fails between a payment and its answer, for whoever tries what
becomes of the money then.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.dialects import Dialect, TerminalKind
from anytill.ports import Clock, Panel, Send, Terminal, Watch
from anytill.transports.clock import SteadyClock
from anytill.transports.http_client import open_send
from anytill.transports.http_server import Application, Handler, Route, serve
from anytill.transports.line_faults import LineFaults
from anytill.transports.serial_line import SerialSend, answer_serial
from anytill.transports.tcp import TcpSend, TcpService, listen_tcp
from anytill.wire.http import HttpRequest

#: How a process ends whose power was cut.
POWER_CUT_STATUS: Final = 86
_GRACE_S: Final = 30
#: What answers a message of a line without frames of its own.
Answer: TypeAlias = Callable[[bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Listens:
    """Where a terminal is to listen; None: not there. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    http_port: int | None = None
    tls: ssl.SSLContext | None = None  # then HTTP is HTTPS
    tcp_port: int | None = None
    serial_path: str | None = None


@dataclass(frozen=True, slots=True)
class OnTheLine:
    """What the lines need beside the terminal."""

    watch: Watch
    faults: LineFaults = field(default_factory=LineFaults)
    clock: Clock = field(default_factory=SteadyClock)
    grace_s: int = _GRACE_S


async def serve_terminal(
    dialect: Dialect,
    terminal: Terminal,
    listens: Listens,
    lines: OnTheLine,
    *,
    started: Callable[[Listens], None],
    stop: asyncio.Event,
) -> None:
    """Answer on every line until `stop` is set; then take nothing more, take back what waits for a person, and return
    when what was asked is answered.

    `started` hears the real ports once all lines are open. Raises OSError when one cannot be had; then none is left
    open.
    """
    opened = _Opened(listens, started)
    stopped = asyncio.Event()
    running = [
        asyncio.ensure_future(line)
        for line in _each_line(dialect, terminal, listens, lines, opened=opened, stop=stopped)
    ]
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        stopped.set()
        terminal.stop()
        await asyncio.gather(*running)
    finally:
        stopped.set()
        stopping.cancel()
        await asyncio.gather(*running, stopping, return_exceptions=True)


def _each_line(
    dialect: Dialect, terminal: Terminal, listens: Listens, lines: OnTheLine, *, opened: _Opened, stop: asyncio.Event
) -> list[Awaitable[None]]:
    """The lines that are wanted, each until `stop` is set."""
    answer = _guarded(dialect, terminal, lines.watch)
    wanted: list[Awaitable[None]] = []
    if listens.http_port is not None:
        app = Application(terminal_routes(dialect, terminal), watch=lines.watch)
        wanted.append(_over_http(app, listens.host, listens.http_port, listens.tls, lines, opened, stop))
    if listens.tcp_port is not None:
        service = _tcp_service(_kind(dialect), terminal, answer, lines)
        wanted.append(_over_tcp(service, listens.host, listens.tcp_port, opened, stop))
    if listens.serial_path is not None:
        wanted.append(_over_serial(_kind(dialect), answer, listens.serial_path, lines, opened, stop))
    return wanted


async def _over_http(
    app: Application, host: str, port: int, tls: ssl.SSLContext | None, lines: OnTheLine, opened: _Opened,
    stop: asyncio.Event,
) -> None:  # fmt: skip
    await serve(
        app, host, port, started=lambda real: opened.now(http_port=real), stop=stop, grace_s=lines.grace_s, tls=tls
    )


def _tcp_service(kind: TerminalKind, terminal: Terminal, answer: Answer, lines: OnTheLine) -> TcpService:
    return TcpService(
        lambda: kind.tcp_line(terminal.is_whole), answer, lines.watch, lines.clock, lines.faults, grace_s=lines.grace_s
    )


async def _over_tcp(service: TcpService, host: str, port: int, opened: _Opened, stop: asyncio.Event) -> None:
    await listen_tcp(host, port, service, started=lambda real: opened.now(tcp_port=real), stop=stop)


async def _over_serial(
    kind: TerminalKind, answer: Answer, path: str, lines: OnTheLine, opened: _Opened, stop: asyncio.Event
) -> None:
    await answer_serial(
        path, kind.serial_line, answer,
        watch=lines.watch, started=lambda: opened.now(serial_path=path), stop=stop,
        clock=lines.clock, faults=lines.faults, grace_s=lines.grace_s,
    )  # fmt: skip


def terminal_routes(dialect: Dialect, terminal: Terminal) -> list[tuple[Route, Handler]]:
    """The vendor's paths, with every method that the vendor has a word for."""
    return [
        (
            Route(method, route.path, route.ignore_case, on_error=dialect.system_error, prefix=route.prefix),
            terminal.handle,
        )
        for route in dialect.routes
        for method in sorted(route.methods)
    ]


class TerminalSend(Send, Protocol):
    """A register's way to a terminal, to be let go of."""

    async def aclose(self) -> None:
        """Let go."""


def open_terminal_send(
    kind: TerminalKind,
    address: str,
    *,
    timeout_ms: int,
    is_whole: Callable[[bytes], bool],
    tls: ssl.SSLContext | None = None,
    watch: Watch | None = None,
) -> TerminalSend:
    """How a register reaches the terminal at http://host:port, https://host:port, tcp://host:port or serial:path.

    `timeout_ms` must cover the patience of whoever pays there; `is_whole` tells a whole answer from a part. Raises
    ValueError for another address.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "serial" and rest:
        return SerialSend(rest, kind.serial_line, timeout_ms=timeout_ms, watch=watch)
    parts = urlsplit(address)
    if scheme in {"http", "https"} and parts.hostname and parts.username is None:
        port = parts.port or kind.http_port
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return open_send(f"{scheme}://{host}:{port}{parts.path}", timeout_ms=timeout_ms, tls=tls)
    if scheme == "tcp" and parts.hostname and parts.username is None and parts.path in {"", "/"}:
        port = parts.port or kind.tcp_port
        return TcpSend(parts.hostname, port, lambda: kind.tcp_line(is_whole), timeout_ms=timeout_ms)
    raise ValueError("a terminal is at http://host:port, https://host:port, tcp://host:port or serial:path")


class PowerCut:
    """A panel whose terminal loses its power when a payment is made, before anybody is told. Implements
    `ports.Panel`."""

    def __init__(self, panel: Panel, cut: Callable[[], None] = lambda: os._exit(POWER_CUT_STATUS)) -> None:
        """`cut` ends the process, as a power cut does: nothing is closed and nothing is written."""
        self._panel = panel
        self._cut = cut

    def show(self, sight: Sight) -> None:
        """See `ports.Panel`. That it is done is the first thing that a terminal does with the knowledge."""
        if sight.stage is Stage.DONE:
            self._cut()
        self._panel.show(sight)

    async def present(self, way: Way, timeout_ms: int) -> Secret | Left:
        """See `ports.Panel`."""
        return await self._panel.present(way, timeout_ms)

    async def pause(self, ms: int) -> Left | None:
        """See `ports.Panel`."""
        return await self._panel.pause(ms)

    def withdraw(self) -> None:
        """See `ports.Panel`."""
        self._panel.withdraw()

    async def print(self, receipt: Receipt) -> None:
        """See `ports.Panel`."""
        await self._panel.print(receipt)

    def go_home(self) -> None:
        """See `ports.Panel`."""
        self._panel.go_home()


class _Opened:
    """Which lines are open; tells when all are."""

    def __init__(self, wanted: Listens, started: Callable[[Listens], None]) -> None:
        self._open = wanted
        self._missing = {name for name in ("http_port", "tcp_port", "serial_path") if getattr(wanted, name) is not None}
        self._started = started

    def now(self, *, http_port: int | None = None, tcp_port: int | None = None, serial_path: str | None = None) -> None:
        """One line is."""
        if http_port is not None:
            self._open = replace(self._open, http_port=http_port)
            self._missing.discard("http_port")
        if tcp_port is not None:
            self._open = replace(self._open, tcp_port=tcp_port)
            self._missing.discard("tcp_port")
        if serial_path is not None:
            self._missing.discard("serial_path")
        if not self._missing:
            self._started(self._open)


def _kind(dialect: Dialect) -> TerminalKind:
    if dialect.terminal is None:
        raise ValueError(f"{dialect.name} has no terminals of its own")
    return dialect.terminal


def _guarded(dialect: Dialect, terminal: Terminal, watch: Watch) -> Answer:
    """The terminal's answers; the vendor's word for "our fault" where it raises."""

    async def answer(message: bytes) -> bytes:
        try:
            return await terminal.answer(message)
        except Exception as fault:  # noqa: BLE001 - our bug: told to a person, and answered as over HTTP
            watch.fault("terminal", fault)
        return dialect.system_error(HttpRequest("POST", "", "", {}, message, "")).body

    return answer
