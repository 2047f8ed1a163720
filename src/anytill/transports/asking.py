"""The asking end of a line: a register at its terminal.

Nothing in an answer says which question it belongs to, unless the line does. Answers come in the order of the
questions, and a question is acknowledged before it is answered. So a question that was given up keeps its turn: the
next answer is its own, late, and is dropped, as is one that comes while no question is acknowledged. But the terminal
may have lost that question. Then a good answer is dropped in its turn; whoever waited for that gives up too and keeps
no turn, so that question and answer meet again. Whoever asked still has to look whether the answer is to his question.

Whatever goes wrong here says nothing about what the terminal did: it is Unreachable, and the register asks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from anytill.ports import Clock, Unreachable, Watch
from anytill.transports.line_faults import LineFaults
from anytill.transports.talk import Talk
from anytill.wire.line import Acknowledged, Event, Line, Overlong, Received, Refused, Unheard


@dataclass(slots=True)
class _Question:
    answer: asyncio.Future[bytes]
    acknowledged: bool = False
    given_up: bool = False
    settled: bool = False  # an answer came while it waited, and was dropped


class Asking:
    """Questions over one line, as many at once as one likes. `run` must be under way."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: Line,
        *,
        clock: Clock,
        watch: Watch | None = None,
        faults: LineFaults | None = None,
    ) -> None:
        self._talk = Talk(reader, writer, line, clock, self._heard, faults=faults)
        self._clock = clock
        self._watch = watch
        self._questions: dict[int, _Question] = {}  # by number, the oldest first
        self._listening = asyncio.ensure_future(self._talk.listen())
        self._listening.add_done_callback(lambda _: self._fail_all("the line was closed"))

    @property
    def lost(self) -> bool:
        """Nothing can be asked here any more."""
        return self._listening.done()

    async def ask(self, message: bytes, timeout_ms: int) -> bytes:
        """The answer. Raises Unreachable; ValueError for a message that the line cannot carry."""
        if self.lost:
            raise Unreachable("the line was closed")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        number, events = self._talk.send(message)
        question = _Question(answer)
        self._questions.pop(number, None)  # one that was given up 127 questions ago: this one is the newest
        self._questions[number] = question
        self._talk.tell(events)
        clock = asyncio.ensure_future(self._clock.sleep_ms(timeout_ms))
        try:
            both: set[asyncio.Future[Any]] = {answer, clock}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise Unreachable("no answer in time")
            return answer.result()
        finally:
            clock.cancel()
            question.given_up = True
            if question.settled and self._questions.get(number) is question:
                del self._questions[number]

    async def aclose(self) -> None:
        """Let go of the line; who still waits hears nothing."""
        self._listening.cancel()
        await self._talk.close()

    def _heard(self, event: Event) -> None:
        match event:
            case Acknowledged(number) if question := self._questions.get(number):
                question.acknowledged = True
            case Received():
                self._received(event)
            case Unheard(number):
                self._fail(number, "not acknowledged")
            case Refused(number, code):
                self._fail(number, f"refused with {code:#x}")
            case Overlong():
                self._fail_all("the answer is too long")
            case _:
                pass

    def _received(self, event: Received) -> None:
        if event.answers is not None:
            question = self._questions.get(event.answers)
        else:
            question = next((each for each in self._questions.values() if each.acknowledged), None)
        if question is not None:
            self._questions = {number: each for number, each in self._questions.items() if each is not question}
        if question is not None and not question.given_up and not question.answer.done():
            question.answer.set_result(event.message)
            return
        for each in self._questions.values():
            each.settled = True
        if self._watch is not None:
            self._watch.note("line late")

    def _fail(self, number: int, why: str) -> None:
        question = self._questions.pop(number, None)
        if question is not None and not question.given_up and not question.answer.done():
            question.answer.set_exception(Unreachable(why))

    def _fail_all(self, why: str) -> None:
        for number in list(self._questions):
            self._fail(number, why)
