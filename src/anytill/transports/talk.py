"""One end of a line, on the line: joins a `wire.line.Line`, which knows what bytes mean, to a stream that carries them.

Strategy: one task reads, one task writes what is queued, and a timer wakes the line when it asks for it. What came of
it is told to one listener, at once and in order. While much waits to be written nothing is read, so that whoever asks
and does not read the answers costs no memory; and who does not read for too long is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from anytill.ports import Clock
from anytill.transports.line_faults import FaultyWriting, LineFaults
from anytill.wire.line import Event, Line, Overlong, Write

#: What is read at once is begun at once, and the shortest message has one byte and its line end.
_READ_BYTES: Final = 4 * 1024
_MOST_UNWRITTEN: Final = 16
#: At 9,600 baud the largest message takes 70 seconds.
_WRITE_TIMEOUT_S: Final = 120.0
_CLOSE_TIMEOUT_S: Final = 5.0


class Talk:
    """A line in use. Belongs to one event loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: Line,
        clock: Clock,
        heard: Callable[[Event], None],
        *,
        faults: LineFaults | None = None,
        write_timeout_s: float = _WRITE_TIMEOUT_S,
    ) -> None:
        """`heard` is told everything but what is to be written, which is."""
        self._reader = reader
        self._writer = writer
        self._line = line
        self._clock = clock
        self._heard = heard
        self._faults = faults or LineFaults()
        self._faulty = FaultyWriting(self._faults)
        self._write_timeout_s = write_timeout_s
        self._outgoing: asyncio.Queue[Write] = asyncio.Queue()
        self._writing = asyncio.ensure_future(self._write())
        self._timer: asyncio.Task[None] | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def listen(self) -> None:
        """Read until the other side will say nothing more. Returns then, whatever the reason."""
        with contextlib.suppress(OSError):
            while data := await self._reader.read(_READ_BYTES):
                self._events(self._line.receive(data, self._clock.now_ms()))
                await self._may_read.wait()
                await self._has_room.wait()
        self._events(self._line.end(self._clock.now_ms()))

    def send(self, message: bytes) -> tuple[int, list[Event]]:
        """Say something: its number, and what is known at once, which `tell` is to be called with. Raises ValueError
        when the line cannot carry it."""
        number, events = self._line.send(message, self._clock.now_ms())
        return number, events

    def tell(self, events: list[Event]) -> None:
        """Carry out and pass on what came of `send`."""
        self._events(events)

    def hold(self, *, full: bool, pause: bool) -> None:
        """Whether another message can be taken; with `pause` nothing is read meanwhile."""
        self._line.full = full
        if full and pause:
            self._may_read.clear()
        else:
            self._may_read.set()

    async def flush(self) -> None:
        """Until all that was said has gone out, or never will."""
        written = asyncio.ensure_future(self._outgoing.join())
        await asyncio.wait({written, self._writing}, return_when=asyncio.FIRST_COMPLETED)
        written.cancel()

    async def close(self) -> None:
        """Let go of the line. What was said and does not go out soon is lost."""
        for task in (self._writing, self._timer):
            if task is not None:
                task.cancel()
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
        except TimeoutError:
            self.abort()
        except OSError:
            pass  # it was gone already

    def abort(self) -> None:
        """Cut the line now."""
        self._writer.transport.abort()

    def _events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Write):
                self._outgoing.put_nowait(event)
                if self._outgoing.qsize() >= _MOST_UNWRITTEN and not self._writing.done():
                    self._has_room.clear()
                continue
            self._heard(event)
            if isinstance(event, Overlong):
                self.abort()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ms = self._line.next_wake_ms
        if due_ms is not None:
            self._timer = asyncio.ensure_future(self._wake(due_ms))

    async def _wake(self, due_ms: int) -> None:
        while (ms := due_ms - self._clock.now_ms()) > 0:
            await self._clock.sleep_ms(ms)
        self._timer = None  # or `_arm` would cancel the task it runs in
        try:
            self._events(self._line.wake(self._clock.now_ms()))
        except Exception:
            self.abort()  # our bug: better no line than one that never wakes again
            raise

    async def _write(self) -> None:
        while True:
            write = await self._outgoing.get()
            if self._outgoing.qsize() < _MOST_UNWRITTEN:
                self._has_room.set()
            try:
                async with asyncio.timeout(self._write_timeout_s):
                    for count, piece in enumerate(self._faulty.pieces(write.data, acknowledges=write.acknowledges)):
                        if count:
                            await self._clock.sleep_ms(self._faults.pause_ms)
                        self._writer.write(piece)
                        await self._writer.drain()
            except (OSError, TimeoutError):
                # Whoever was to hear it has gone, or does not listen: nothing more can be said here.
                self.abort()
                self._has_room.set()
                return
            finally:
                self._outgoing.task_done()
