"""The loop of due work: when it sleeps, what wakes it, and that neither bugs nor stopping make it drop a round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from anytill.transports.clock import StandingClock
from anytill.transports.worker import Wake, work
from tests.transports.fakes import Remembered, turns


class Rounds:
    """Counts rounds and answers each with what the test says."""

    def __init__(self, answer: Callable[[int], int | None]) -> None:
        self.count = 0
        self._answer = answer

    async def __call__(self) -> int | None:
        self.count += 1
        return self._answer(self.count)


class Loop:
    """A running loop under a standing clock."""

    def __init__(self, rounds: Rounds) -> None:
        self.clock = StandingClock(0)
        self.wake = Wake()
        self.stop = asyncio.Event()
        self.watch = Remembered()
        self.rounds = rounds
        self.task = asyncio.ensure_future(work(rounds, self.clock, self.wake, self.stop, watch=self.watch))

    async def count_after(self, advance_ms: int = 0) -> int:
        if advance_ms:
            self.clock.advance(advance_ms)
        await turns(20)
        return self.rounds.count

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, timeout=30)


@pytest.mark.anyio
async def test_it_sleeps_until_the_next_moment() -> None:
    loop = Loop(Rounds(lambda count: 400 if count == 1 else None))
    assert await loop.count_after() == 1
    assert await loop.count_after(399) == 1
    assert await loop.count_after(1) == 2
    await loop.end()


@pytest.mark.anyio
@pytest.mark.parametrize("due_ms", [None, 3_600_000])
async def test_it_never_sleeps_longer_than_a_second(due_ms: int | None) -> None:
    loop = Loop(Rounds(lambda _: due_ms))
    assert await loop.count_after() == 1
    assert await loop.count_after(999) == 1
    assert await loop.count_after(1) == 2
    await loop.end()


@pytest.mark.anyio
async def test_a_bell_wakes_it_at_once_also_when_it_rang_during_a_round() -> None:
    loop = Loop(Rounds(lambda _: None))
    assert await loop.count_after() == 1
    loop.wake.set()
    assert await loop.count_after() == 2
    ringing = Rounds(lambda count: loop2.wake.set() if count == 1 else None)
    loop2 = Loop(ringing)
    assert await loop2.count_after() == 2
    await loop.end()
    await loop2.end()


@pytest.mark.anyio
async def test_a_round_that_raises_is_an_alarm_and_the_next_ones_wait_longer_and_longer() -> None:
    def always(_: int) -> int | None:
        raise RuntimeError("secret of a payer")

    loop = Loop(Rounds(always))
    assert await loop.count_after() == 1
    for number, pause_ms in enumerate([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000], start=1):
        loop.wake.set()  # nobody can ring it out of its back-off
        assert await loop.count_after(pause_ms - 1) == number
        assert await loop.count_after(1) == number + 1
    assert len(loop.watch.alarms) == 8
    assert loop.watch.alarms[0][1]["fault"] == "RuntimeError"
    assert "secret" not in str(loop.watch.alarms)
    await loop.end()


@pytest.mark.anyio
async def test_the_back_off_begins_anew_after_a_good_round() -> None:
    def bad_good_bad(count: int) -> int | None:
        if count == 2:
            return None
        raise RuntimeError

    loop = Loop(Rounds(bad_good_bad))
    assert await loop.count_after() == 1
    assert await loop.count_after(1_000) == 2
    assert await loop.count_after(1_000) == 3
    assert await loop.count_after(1_000) == 4
    await loop.end()


@pytest.mark.anyio
async def test_rows_left_due_are_asked_for_again_without_the_clock_moving() -> None:
    enough = asyncio.Event()
    loop = Loop(Rounds(lambda count: enough.set() if count >= 3 else 0))
    await asyncio.wait_for(enough.wait(), timeout=30)
    assert loop.clock.now_ms() == 0
    await loop.end()


@pytest.mark.anyio
async def test_stopping_finishes_the_round_in_hand() -> None:
    may_end = asyncio.Event()
    ended: list[str] = []

    async def long_round() -> int | None:
        await may_end.wait()
        ended.append("round")
        return None

    stop = asyncio.Event()
    task = asyncio.ensure_future(work(long_round, StandingClock(), Wake(), stop, watch=Remembered()))
    await turns()
    stop.set()
    await turns()
    assert not task.done()
    may_end.set()
    await asyncio.wait_for(task, timeout=30)
    assert ended == ["round"]
