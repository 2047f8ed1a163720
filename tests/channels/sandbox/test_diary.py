"""Nothing is told before it is durable, whatever the disk does and whoever gives up waiting."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anytill.channels.sandbox.book import Book
from anytill.channels.sandbox.diary import DamagedBook, Diary, replay
from anytill.channels.sandbox.records import ClockMoved
from anytill.channels.sandbox.wallet import NotWaiting
from anytill.core.lifecycle import PaymentEvent
from tests.channels.fakes import Disk, Stage, code, finish, payment


class Append:
    """A write that waits until the test says what becomes of it."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.written = False

    def __await__(self) -> Generator[Append, None, None]:
        yield self


class SlowJournal:
    """Writes lines in the order of the calls, when the test wants it to."""

    def __init__(self) -> None:
        self.file: list[bytes] = []
        self.queue: list[Append] = []

    def lines(self) -> list[bytes]:
        return list(self.file)

    async def append(self, line: bytes) -> None:
        waiting = Append(line)
        self.queue.append(waiting)
        await waiting

    async def close(self) -> None:
        """There is nothing to let go of."""

    def write_next(self) -> None:
        if self.queue:
            waiting = self.queue.pop(0)
            waiting.written = True
            self.file.append(waiting.line)


class Desk:
    """Drives many calls on one diary by hand, and checks each promise at the moment it is given."""

    def __init__(self) -> None:
        self.journal = SlowJournal()
        self.diary = Diary(self.journal, 0)
        self.noted = 0
        self.calls: list[tuple[Coroutine[Any, Any, None], Append, int]] = []

    def call(self, entries: int) -> None:
        for _ in range(entries):
            self.noted += 1
            self.diary.note(ClockMoved(2**self.noted))
        self._step(self.diary.kept(), None, self.noted)

    def resume(self, which: int) -> None:
        ready = [call for call in self.calls if call[1].written]
        if ready:
            call = ready[which % len(ready)]
            self.calls.remove(call)
            self._step(call[0], None, call[2])

    def fail(self, which: int, fault: BaseException) -> None:
        if self.calls:
            call = self.calls.pop(which % len(self.calls))
            if call[1] in self.journal.queue:
                self.journal.queue.remove(call[1])
            self._step(call[0], fault, call[2])

    def _step(self, call: Coroutine[Any, Any, None], fault: BaseException | None, promised: int) -> None:
        try:
            pending = call.throw(fault) if fault else call.send(None)
        except StopIteration:
            self._check(promised)
        except (OSError, GeneratorExit):
            pass
        else:
            self.calls.append((call, pending, promised))

    def _check(self, promised: int) -> None:
        book, last = replay(self.journal.lines())
        assert last >= promised, "told before it was on disk"
        assert book.offset_ms == sum(2**number for number in range(1, last + 1)), "not what was noted, in its order"


ACTIONS = st.one_of(
    st.tuples(st.just("call"), st.sampled_from([1, 1, 1, 0, 2])),
    st.tuples(st.just("call"), st.sampled_from([1, 0])),
    st.tuples(st.sampled_from(["write", "write", "resume", "resume", "fail", "give up"]), st.integers(0, 4)),
)
#: A line is written though the one before it was lost; a call looks at a change whose line was lost.
BEHIND_A_GAP = [("call", 1), ("call", 1), ("fail", 0), ("write", 0), ("resume", 0)]
LOOKED_IN_VAIN = [("call", 1), ("fail", 0), ("call", 0), ("write", 0), ("resume", 0)]


@settings(max_examples=300)
@given(st.lists(ACTIONS, min_size=8, max_size=60))
@example(BEHIND_A_GAP)
@example(LOOKED_IN_VAIN)
def test_a_promise_is_true_when_it_is_given(actions: list[tuple[str, int]]) -> None:
    desk = Desk()
    for action, argument in actions:
        match action:
            case "call":
                desk.call(argument)
            case "write":
                desk.journal.write_next()
            case "resume":
                desk.resume(argument)
            case "fail":
                desk.fail(argument, OSError("no space left"))
            case "give up":
                desk.fail(argument, GeneratorExit())
    while desk.calls:
        desk.journal.write_next()
        desk.resume(0)
    desk.call(0)
    while desk.calls:
        desk.journal.write_next()
        desk.resume(0)
    assert replay(desk.journal.lines())[1] == desk.noted, "everything is on disk in the end"


@given(st.lists(ACTIONS, min_size=8, max_size=40), st.integers(1, 3))
@example(BEHIND_A_GAP, 2)
def test_what_one_process_left_does_not_confuse_the_next(actions: list[tuple[str, int]], entries: int) -> None:
    desk = Desk()
    for action, argument in actions:
        match action:
            case "call":
                desk.call(argument)
            case "write":
                desk.journal.write_next()
            case "resume":
                desk.resume(argument)
            case _:
                desk.fail(argument, OSError("no space left"))
    for call, _, _ in desk.calls:
        call.close()
    before, last = replay(desk.journal.lines())
    journal = Disk(desk.journal.file)
    diary = Diary(journal, last)
    for _ in range(entries):
        diary.note(ClockMoved(1))
    finish(diary.kept())
    after, new_last = replay(journal.lines())
    assert (after.offset_ms, new_last) == (before.offset_ms + entries, last + entries)


def test_a_call_that_only_looked_waits_for_the_change_it_saw() -> None:
    desk = Desk()
    desk.call(1)
    desk.call(0)
    assert [append.line for append in desk.journal.queue][1:] == [b"[]"]
    assert len(desk.calls) == 2


def test_a_call_with_nothing_open_writes_nothing() -> None:
    journal = Disk()
    finish(Diary(journal, 0).kept())
    assert journal.data == b""


def test_calls_at_once_write_each_entry_once() -> None:
    desk = Desk()
    for _ in range(5):
        desk.call(1)
    for _ in range(5):
        desk.journal.write_next()
        desk.resume(0)
    assert [line.count(b'"n"') for line in desk.journal.file] == [1] * 5


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"nonsense",
        b"[1]",
        b'[{"n":1}]',
        b'[{"n":1,"clock":{"by_ms":1},"bound":{}}]',
        b'[{"n":1,"unheard":{}}]',
        b'[{"n":1,"clock":{"by":1}}]',
        b'[{"n":1,"order":{"state":"PAID"}}]',
        b'[{"clock":{"by_ms":1}}]',
    ],
)
def test_a_damaged_line_is_refused_and_named(line: bytes) -> None:
    with pytest.raises(DamagedBook, match="line 2 of"):
        replay([b'[{"n":1,"clock":{"by_ms":1}}]', line])


def test_an_empty_journal_is_an_empty_book() -> None:
    assert replay([]) == (Book(), 0)


def test_a_disk_that_is_full_makes_the_wallet_silent_and_loses_nothing() -> None:
    stage = Stage()
    stage.journal.broken = True
    assert finish(stage.channel.pay(payment(), code())).event is PaymentEvent.SILENT
    assert finish(stage.channel.query(payment())).event is PaymentEvent.SILENT
    assert finish(stage.restarted().channel.query(payment())).event is PaymentEvent.NOT_FOUND
    stage.journal.broken = False
    assert finish(stage.channel.query(payment())).event is PaymentEvent.PAID
    assert finish(stage.restarted().channel.query(payment())).event is PaymentEvent.PAID


def test_a_conflict_is_told_when_it_is_durable_too() -> None:
    stage = Stage()
    finish(stage.channel.pay(payment(), code("01")))
    stage.clock.advance(10_000)
    with pytest.raises(NotWaiting, match="PAID"):
        finish(stage.channel.payer_declines(merchant_order="A-1"))
    assert replay(stage.journal.lines())[0] == stage.channel._book
    assert finish(stage.channel.query(payment())).event is PaymentEvent.PAID
