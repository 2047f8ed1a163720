"""Clocks: who sleeps is woken by the clock's time, whether it ran or was moved, and never twice."""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from collections import Counter
from collections.abc import Callable

import pytest

from anytill.transports.clock import MovableClock, StandingClock, SteadyClock, SystemChance, SystemClock
from tests.transports.fakes import turns

HOUR_MS = 3_600_000


async def asleep(clock: MovableClock | StandingClock, *times_ms: int) -> tuple[list[int], list[asyncio.Task[None]]]:
    woken: list[int] = []

    async def sleeper(ms: int) -> None:
        await clock.sleep_ms(ms)
        woken.append(ms)

    tasks = [asyncio.ensure_future(sleeper(ms)) for ms in times_ms]
    await turns()
    return woken, tasks


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.anyio
@pytest.mark.parametrize("make", [MovableClock, StandingClock])
async def test_moving_on_wakes_exactly_those_whose_moment_has_come(
    make: Callable[[], MovableClock | StandingClock],
) -> None:
    clock = make()
    woken, tasks = await asleep(clock, 3 * HOUR_MS, HOUR_MS, 2 * HOUR_MS)
    assert woken == []
    clock.advance(2 * HOUR_MS + 1)
    await turns()
    assert woken == [HOUR_MS, 2 * HOUR_MS]
    await cancelled(tasks)


@pytest.mark.anyio
async def test_the_movable_clock_shows_its_offset_and_adds_it_to_the_time() -> None:
    clock = MovableClock(offset_ms=5 * HOUR_MS)
    before = SystemClock().now_ms()
    assert before + 5 * HOUR_MS <= clock.now_ms() <= SystemClock().now_ms() + 5 * HOUR_MS
    clock.advance(7)
    assert clock.offset_ms == 5 * HOUR_MS + 7


@pytest.mark.anyio
async def test_the_movable_clock_runs_by_itself() -> None:
    await asyncio.wait_for(MovableClock().sleep_ms(1), timeout=30)


@pytest.mark.anyio
async def test_a_short_sleep_is_not_held_up_by_a_long_one_before_it() -> None:
    clock = MovableClock()
    _, tasks = await asleep(clock, HOUR_MS)
    await asyncio.wait_for(clock.sleep_ms(1), timeout=30)
    await cancelled(tasks)


@pytest.mark.anyio
async def test_a_step_of_the_wall_clock_does_not_lengthen_a_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MovableClock()
    woken, tasks = await asleep(clock, HOUR_MS)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert clock.now_ms() == 0
    clock.advance(HOUR_MS)
    await asyncio.gather(*tasks)
    assert woken == [HOUR_MS]


@pytest.mark.anyio
@pytest.mark.parametrize("make", [MovableClock, StandingClock])
async def test_a_clock_is_not_moved_back(make: Callable[[], MovableClock | StandingClock]) -> None:
    with pytest.raises(ValueError, match="back"):
        make().advance(-1)


@pytest.mark.anyio
@pytest.mark.parametrize("make", [MovableClock, StandingClock])
async def test_cancelled_sleepers_are_forgotten(make: Callable[[], MovableClock | StandingClock]) -> None:
    clock = make()
    woken, living = await asleep(clock, HOUR_MS)
    for _ in range(10):
        _, dying = await asleep(clock, *range(1_000, 1_100))
        await cancelled(dying)
    assert len(clock._sleepers._heap) < 220
    clock.advance(HOUR_MS)
    await asyncio.gather(*living)
    assert woken == [HOUR_MS]
    assert not clock._sleepers._heap


@pytest.mark.anyio
async def test_the_standing_clock_stands() -> None:
    clock = StandingClock(1_000)
    _, tasks = await asleep(clock, 1)
    await turns(50)
    assert clock.now_ms() == 1_000
    assert not tasks[0].done()
    await cancelled(tasks)


@pytest.mark.anyio
async def test_a_jumping_clock_moves_by_each_sleep() -> None:
    clock = StandingClock(0, jump=True)
    await clock.sleep_ms(HOUR_MS)
    await clock.sleep_ms(0)
    await clock.sleep_ms(1)
    assert clock.now_ms() == HOUR_MS + 1


@pytest.mark.anyio
@pytest.mark.parametrize("clock", [SystemClock(), MovableClock(), StandingClock(), StandingClock(jump=True)])
@pytest.mark.parametrize("ms", [0, -5])
async def test_no_time_is_no_sleep_but_lets_others_run(
    clock: SystemClock | MovableClock | StandingClock, ms: int
) -> None:
    ran = asyncio.Event()
    asyncio.get_running_loop().call_soon(ran.set)
    await clock.sleep_ms(ms)
    assert ran.is_set()


@pytest.mark.parametrize("length", [0, 1, 32, 1000])
def test_a_token_has_its_length_and_its_letters(length: int) -> None:
    token = SystemChance().token(length)
    assert len(token) == length
    assert set(token) <= set(string.ascii_lowercase + string.digits)


def test_every_letter_of_a_token_is_equally_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each byte exactly once: what comes out must hold each letter equally often.
    monkeypatch.setattr(secrets, "token_bytes", lambda _length: bytes(range(256)))
    assert set(Counter(SystemChance().token(252)).values()) == {7}


def test_two_tokens_differ() -> None:
    assert SystemChance().token(32) != SystemChance().token(32)


@pytest.mark.anyio
async def test_a_steady_clock_ignores_the_steps_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteadyClock()
    before_ms = clock.now_ms()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    await clock.sleep_ms(-1)
    await clock.sleep_ms(1)
    assert before_ms < clock.now_ms() < before_ms + 60_000
