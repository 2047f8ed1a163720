"""Messages over a serial port: a terminal's end of it, and a register's (`ports.Send`). Only this file knows serialx.

9,600 baud, eight bits, no parity, one stop bit, no flow control. A port has one owner at a time. When its plug is
pulled, the terminal tries again each second until it is back; the register says that it could not ask.

Who opens a port hears first what its last owner was killed before he could read, and nothing in an answer says whose it
is. So a register listens for a moment before its first question, and what it hears is nobody's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

import serialx

from anytill.ports import Clock, NeverSent, Watch
from anytill.transports.answering import Answer, Answering
from anytill.transports.asking import Asking
from anytill.transports.clock import SteadyClock
from anytill.transports.line_faults import LineFaults
from anytill.wire.http import TEXT_UTF8, HttpRequest, HttpResponse
from anytill.wire.line import Line

BAUD: Final = 9_600
#: There is no second line for the one message that must get through: behind a trade that waits for its payer every
#: inquiry waits too, and a register asks many times before it takes the trade back. Waiting costs nothing.
AT_ONCE: Final = 32
#: A terminal says in less what it knows at once, and the line carries it.
REST_MS: Final = 1_500
_AGAIN_MS: Final = 1_000
_GRACE_S: Final = 30.0
_NUMBERS: Final = 127

OpenLine = Callable[[int], Line]


async def open_port(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises OSError when it is not there, is no serial port, or is somebody else's."""
    try:
        return await serialx.open_serial_connection(
            url=path,
            baudrate=BAUD,
            byte_size=8,
            parity=serialx.Parity.NONE,
            stopbits=serialx.StopBits.ONE,
            xonxoff=False,
            rtscts=False,
            exclusive=True,
        )
    except (serialx.SerialException, OSError) as fault:
        raise OSError(f"{path} cannot be opened as a serial port") from fault
    except ValueError as fault:
        raise OSError(f"{path} is no serial port") from fault


async def answer_serial(
    path: str,
    open_line: OpenLine,
    answer: Answer,
    *,
    watch: Watch,
    started: Callable[[], None],
    stop: asyncio.Event,
    clock: Clock | None = None,
    faults: LineFaults | None = None,
    grace_s: float = _GRACE_S,
) -> None:
    """Answer on a port until `stop` is set and what was asked is answered. Raises OSError when it cannot be opened at
    first; later that is an alarm, and tried again."""
    clock = clock or SteadyClock()
    port = await open_port(path)
    started()
    while not stop.is_set():
        # Each time other numbers, or what a terminal says after a restart may look like what it said before.
        line = open_line(_any_number())
        answering = Answering(
            *port, line, answer, clock=clock, watch=watch, pause=False, faults=faults, at_once=AT_ONCE
        )
        try:
            await _until_stopped(answering, stop, grace_s)
        except Exception as fault:  # noqa: BLE001 - our bug: told to a person, and the port is opened anew
            watch.fault("serial", fault)
        if stop.is_set():
            return
        watch.alarm("serial port lost")
        opened = await _opened_again(path, clock, stop)
        if opened is None:
            return
        port = opened


class SerialSend:
    """A register's questions over a port, which is opened when it is needed and kept. Implements `ports.Send`; of a
    request only the body travels."""

    def __init__(
        self,
        path: str,
        open_line: OpenLine,
        *,
        timeout_ms: int,
        clock: Clock | None = None,
        watch: Watch | None = None,
        faults: LineFaults | None = None,
        rest_ms: int = REST_MS,
    ) -> None:
        """`timeout_ms` is how long an answer may take, so it must cover the patience of whoever pays there; `rest_ms`
        how long a port is listened to before the first question."""
        self._path = path
        self._open_line = open_line
        self._timeout_ms = timeout_ms
        self._clock = clock or SteadyClock()
        self._watch = watch
        self._faults = faults
        self._rest_ms = rest_ms
        self._opening = asyncio.Lock()
        self._asking: Asking | None = None

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer. Raises Unreachable; the request may have arrived all the same, unless it is NeverSent."""
        asking = await self._open()
        return HttpResponse(200, await asking.ask(request.body, self._timeout_ms), TEXT_UTF8)

    async def aclose(self) -> None:
        """Let go of the port."""
        if self._asking is not None:
            await self._asking.aclose()
            self._asking = None

    async def _open(self) -> Asking:
        async with self._opening:
            if self._asking is not None and self._asking.lost:
                await self.aclose()
            if self._asking is None:
                try:
                    port = await open_port(self._path)
                except OSError as fault:
                    raise NeverSent(f"no serial port: {type(fault).__name__}") from fault
                line = self._open_line(_any_number())
                self._asking = Asking(*port, line, clock=self._clock, watch=self._watch, faults=self._faults)
                await self._clock.sleep_ms(self._rest_ms)
            return self._asking


async def _until_stopped(answering: Answering, stop: asyncio.Event, grace_s: float) -> None:
    """Until the port is lost; or stopped, with as much time as the grace gives."""
    running = asyncio.ensure_future(answering.run(stop))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=grace_s)
        if running.done():
            await running
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)


async def _opened_again(
    path: str, clock: Clock, stop: asyncio.Event
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    while not stop.is_set():
        try:
            return await open_port(path)
        except OSError:
            pause = asyncio.ensure_future(clock.sleep_ms(_AGAIN_MS))
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait({pause, stopping}, return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
            stopping.cancel()
    return None


def _any_number() -> int:
    return secrets.randbelow(_NUMBERS) + 1
