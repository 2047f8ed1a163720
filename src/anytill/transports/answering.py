"""The answering end of a line: messages in, answers out, in their order.

A later message is read and begun while an earlier one is being answered, since it may be the one that stops it; but
only so many at once. Whoever goes away does not stop what he asked for: a payment is being made, and the next question
must find its end. What was repeated because nobody heard the acknowledgement is answered as before, not done again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from anytill.ports import Clock, Watch
from anytill.transports.line_faults import LineFaults
from anytill.transports.talk import Talk
from anytill.wire.line import Dropped, Event, Line, Overlong, Received, Refused, Repeated, Unheard

AT_ONCE: Final = 4
_REMEMBERED: Final = 16

Answer = Callable[[bytes], Awaitable[bytes]]


class Answering:
    """One line and those who ask on it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: Line,
        answer: Answer,
        *,
        clock: Clock,
        watch: Watch,
        pause: bool,
        faults: LineFaults | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        """With `pause` nothing is read while too much is under way; without it the line itself says that it is full."""
        self._talk = Talk(reader, writer, line, clock, self._heard, faults=faults)
        self._answer = answer
        self._clock = clock
        self._watch = watch
        self._pause = pause
        self._at_once = at_once
        self._turns = asyncio.Semaphore(at_once)
        self._owed: asyncio.Queue[tuple[int, asyncio.Future[bytes | None]]] = asyncio.Queue()
        self._under_way: dict[int, asyncio.Future[bytes | None]] = {}
        self._said: OrderedDict[int, bytes] = OrderedDict()
        self.last_heard_ms = clock.now_ms()

    @property
    def idle(self) -> bool:
        """Nothing is being answered."""
        return not self._under_way

    async def run(self, stop: asyncio.Event) -> None:
        """Until the other side has closed and heard its answers; or until `stop`, and what was asked is answered."""
        saying = asyncio.ensure_future(self._say())
        listening = asyncio.ensure_future(self._talk.listen())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done() and (fault := listening.exception()):
                raise fault
            listening.cancel()
            await self._owed.join()
            await self._talk.flush()
        finally:
            for task in (saying, listening, stopping):
                task.cancel()
            await self._talk.close()

    def abort(self) -> None:
        """Cut the line; what is under way goes on."""
        self._talk.abort()

    def _heard(self, event: Event) -> None:
        self.last_heard_ms = self._clock.now_ms()
        match event:
            case Received(number, message):
                task = asyncio.ensure_future(self._answered(number, message))
                self._under_way[number] = task
                self._owed.put_nowait((number, task))
                self._count()
            case Repeated(number):
                self._repeated(number)
            case Unheard():
                self._watch.note("line unheard")
            case Refused():
                self._watch.note("line refused")
            case Overlong():
                self._watch.note("line overlong")
            case Dropped():
                self._watch.note("line noise")
            case _:
                pass

    def _repeated(self, number: int) -> None:
        self._watch.note("line repeated")
        said = self._said.get(number)
        if number not in self._under_way and said is not None:
            again: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
            again.set_result(said)
            self._owed.put_nowait((number, again))

    async def _answered(self, number: int, message: bytes) -> bytes | None:
        try:
            async with self._turns:
                return await self._answer(message)
        except Exception as fault:  # noqa: BLE001 - our bug: told to a person, and the line goes on
            self._watch.fault("line", fault)
            return None

    async def _say(self) -> None:
        """Answers in the order of the messages, whichever is ready first."""
        while True:
            number, task = await self._owed.get()
            try:
                answer = await asyncio.shield(task)
                if self._under_way.get(number) is task:
                    del self._under_way[number]
                    self._count()
                if answer is None:
                    self.abort()  # what comes next would be taken for the answer that there is not
                    continue
                self._said[number] = answer
                self._said.move_to_end(number)
                while len(self._said) > _REMEMBERED:
                    self._said.popitem(last=False)
                self._talk.tell(self._talk.send(answer)[1])
            except ValueError as fault:  # an answer that the line cannot carry
                self._watch.fault("line", fault)
                self.abort()
            finally:
                self._owed.task_done()

    def _count(self) -> None:
        self._talk.hold(full=len(self._under_way) >= self._at_once, pause=self._pause)
