"""The front of a terminal: who ends the waiting, and what comes too late."""

from __future__ import annotations

from typing import Self

import anyio
import pytest

from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.receipt import Receipt, Title
from anytill.core.secret import Secret
from anytill.transports.clock import StandingClock
from anytill.transports.panel import Front

pytestmark = pytest.mark.anyio

CODE = Secret("130000000000000000")


class Seen:
    """A display that remembers, and does on being asked what it was told to do."""

    def __init__(self) -> None:
        self.sights: list[Sight] = []
        self.ways: list[Way] = []
        self.slips: list[Receipt] = []
        self.homes = 0

    def shown(self, sight: Sight) -> None:
        self.sights.append(sight)

    def asked(self, way: Way) -> None:
        self.ways.append(way)

    def printed(self, receipt: Receipt) -> None:
        self.slips.append(receipt)

    def went_home(self) -> None:
        self.homes += 1


class Stand:
    """A front, its clock and what is to be seen."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.seen = Seen()
        self.front = Front(self.clock, self.seen)

    async def asks(self, way: Way | None = Way.SCAN, ms: int = 5_000) -> list[Secret | Left | None]:
        """Ask in the background; the answer is appended to the list."""
        told: list[Secret | Left | None] = []

        async def ask() -> None:
            told.append(await (self.front.pause(ms) if way is None else self.front.present(way, ms)))

        self.group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        return told

    async def __aenter__(self) -> Self:
        self.group = anyio.create_task_group()
        await self.group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.group.cancel_scope.cancel()
        await self.group.__aexit__(None, None, None)


async def test_what_is_presented_is_given_back() -> None:
    async with Stand() as stand:
        told = await stand.asks(Way.SCAN)
        assert stand.seen.ways == [Way.SCAN]
        assert stand.front.offer(Way.SCAN, CODE)
        await anyio.wait_all_tasks_blocked()
        assert told == [CODE]
        assert not stand.front.offer(Way.SCAN, CODE), "nobody asks any more"


async def test_what_nobody_asked_for_is_not_taken() -> None:
    async with Stand() as stand:
        assert not stand.front.offer(Way.TAP, CODE)
        told = await stand.asks(Way.SCAN)
        assert not stand.front.offer(Way.TAP, CODE)
        await anyio.wait_all_tasks_blocked()
        assert told == []


@pytest.mark.parametrize("way", [Way.TAP, None])
async def test_each_end_of_the_waiting_is_told_apart(way: Way | None) -> None:
    async with Stand() as stand:
        told = await stand.asks(way)
        stand.front.red_key()
        await anyio.wait_all_tasks_blocked()
        assert told == [Left.CANCELLED]
        told = await stand.asks(way)
        stand.front.withdraw()
        stand.front.red_key()
        await anyio.wait_all_tasks_blocked()
        assert told == [Left.WITHDRAWN], "the first one counts"


async def test_the_clock_ends_it() -> None:
    async with Stand() as stand:
        told = await stand.asks(Way.SCAN, 5_000)
        stand.clock.advance(4_999)
        await anyio.wait_all_tasks_blocked()
        assert told == []
        stand.clock.advance(1)
        await anyio.wait_all_tasks_blocked()
        assert told == [Left.TIMED_OUT]
        told = await stand.asks(None, 1_000)
        stand.clock.advance(1_000)
        await anyio.wait_all_tasks_blocked()
        assert told == [None]


async def test_the_red_key_counts_at_the_next_moment_of_waiting() -> None:
    async with Stand() as stand:
        stand.front.show(Sight(Stage.ASKING))
        stand.front.show(Sight(Stage.SENDING))
        stand.front.red_key()
        stand.front.show(Sight(Stage.CONFIRMING))
        assert await stand.front.pause(1_000) is Left.CANCELLED
        told = await stand.asks(None, 1_000)
        stand.clock.advance(1_000)
        await anyio.wait_all_tasks_blocked()
        assert told == [None], "it was pressed once"


@pytest.mark.parametrize("stage", [Stage.IDLE, Stage.DONE, Stage.REFUSED, Stage.UNCERTAIN])
async def test_a_key_pressed_between_payments_cancels_none(stage: Stage) -> None:
    async with Stand() as stand:
        stand.front.show(Sight(Stage.SENDING))
        stand.front.red_key()
        stand.front.show(Sight(stage))
        stand.front.red_key()
        stand.front.show(Sight(Stage.ASKING))
        told = await stand.asks(Way.SCAN)
        assert told == []


async def test_one_thing_is_asked_at_a_time() -> None:
    async with Stand() as stand:
        await stand.asks(Way.SCAN)
        with pytest.raises(RuntimeError):
            await stand.front.present(Way.TAP, 1)


async def test_a_receipt_is_put_on_paper_before_it_is_shown() -> None:
    kept: list[Receipt] = []
    seen = Seen()
    front = Front(StandingClock(), seen, kept.append)
    slip = Receipt((Title("小票"),))
    await front.print(slip)
    assert kept == seen.slips == [slip]

    def no_paper(_receipt: Receipt) -> None:
        raise OSError("no paper")

    with pytest.raises(OSError, match="no paper"):
        await Front(StandingClock(), seen, no_paper).print(slip)
    assert seen.slips == [slip]


async def test_it_goes_home() -> None:
    async with Stand() as stand:
        stand.front.go_home()
        assert stand.seen.homes == 1
