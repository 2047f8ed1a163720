"""One HTTP/1.1 connection: uvicorn's, with the limits that it lacks, and answers that leave in one piece.

A request whose head is still being sent is nobody's yet: no handler, no task, nothing but a connection held open. So
whoever sends a head slowly, sends one without end or opens connections without end is cut off without an answer. A
body that is late is answered with 408; the application sees a client that went away.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_GO_ON: Final = b"HTTP/1.1 100 "
_BODY_TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long and how large a request may be on its way, and how many connections an address may hold.

    Addresses of this machine hold as many as they like: a reverse proxy speaks for everybody.
    """

    max_head_bytes: int = 32 * 1024
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    max_per_address: int = 500


class Guard:
    """What all connections of one listener share: the limits and how many connections each address holds."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._held: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Count a connection of `address`; False when it holds too many."""
        self._held[address] += 1
        return self._held[address] <= self.limits.max_per_address or _is_this_machine(address)

    def release(self, address: str) -> None:
        """A connection ended, admitted or not."""
        self._held[address] -= 1
        if self._held[address] <= 0:
            del self._held[address]


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection with deadlines on the head and on the body of each request.

    A deadline is armed only when bytes have arrived and more are needed, so that the usual request, which comes in one
    piece, pays nothing for it: a timer in the application would cost each payment some microseconds.
    """

    def __init__(self, guard: Guard, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._guard = guard
        self._head_open = True  # a connection that never says a word is as slow as one that says it slowly
        self._body_open = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._guard.admit(self._address):
            self._arm()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.release(self._address)
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_open = self._head_open
        super().data_received(data)
        if self.transport.is_closing():
            return
        if was_open and self._head_open:  # else these bytes may have been the end of a body
            self._head_bytes += len(data)
            if self._head_bytes > self._guard.limits.max_head_bytes:
                self.transport.abort()
                return
        if self._deadline is None and (self._head_open or self._body_open or self._idle_without_timer):
            self._arm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_open = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._body_open = True
        self._disarm()
        super().on_headers_complete()
        cycle = self.cycle
        answer = _OneWrite(cycle.transport, cycle.on_response)
        cycle.transport, cycle.on_response = cast("asyncio.Transport", answer), answer.complete

    def on_message_complete(self) -> None:
        self._body_open = False
        self._disarm()
        super().on_message_complete()

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def _idle_without_timer(self) -> bool:
        # Line ends between two requests stop uvicorn's keep-alive timer and begin no request.
        return self.timeout_keep_alive_task is None and self.cycle.response_complete

    def _arm(self) -> None:
        limits = self._guard.limits
        delay_s = limits.body_timeout_s if self._body_open else limits.head_timeout_s
        self._deadline = self.loop.call_later(delay_s, self._too_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self._body_open and not self.cycle.response_started:
            self.transport.write(_BODY_TOO_LATE)
            self.transport.close()
        else:
            self.transport.abort()


class _OneWrite:
    """What uvicorn takes for the transport while it answers a request. It writes head and body apart, which would be
    two system calls, and two packets for the client to read; here the answer is held until it is complete."""

    __slots__ = ("_held", "_then", "_transport")

    def __init__(self, transport: asyncio.Transport, then: Callable[[], None]) -> None:
        self._transport = transport
        self._then = then
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep a part of the answer; a "go on" to a client that waits with its body is none."""
        if data.startswith(_GO_ON):
            self._transport.write(data)
        else:
            self._held.append(data)

    def complete(self) -> None:
        """The answer is whole."""
        self._let_go()
        self._then()

    def close(self) -> None:
        """Close when everything is sent."""
        self._let_go()
        self._transport.close()

    def is_closing(self) -> bool:
        """As the transport."""
        return self._transport.is_closing()

    def _let_go(self) -> None:
        if self._held:
            self._transport.write(b"".join(self._held))
            self._held.clear()


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
