"""Passwords are checked beside the loop, a few at a time, and wrong ones are counted by name and by agent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TypeVar

import pytest

from anytill.core.errors import Overloaded
from anytill.core.merchant import Merchant
from anytill.gateway import Gateway, passwords
from anytill.gateway.passwords import (
    MOST_OF_AGENT,
    MOST_UNDER_WAY,
    WRONG_OF_AGENT,
    WRONG_OF_NAME,
    WRONG_WITHIN_MS,
    Passwords,
    at_once,
)
from anytill.ports import Aside, Work
from anytill.transports.clock import StandingClock
from tests.world import START_MS, CountingChance, World

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Held:
    """Does no work before it is let go."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = 0

    async def __call__(self, work: Work[T]) -> T:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        return work()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted here is not how long it takes."""
    monkeypatch.setattr(passwords, "password_hash", lambda password, _salt: f"kept {password}")
    monkeypatch.setattr(passwords, "password_fits", lambda password, kept: kept == f"kept {password}")


CLOCK = StandingClock(START_MS, jump=True)


def desk(aside: Aside = at_once, clock: StandingClock = CLOCK) -> Passwords:
    return Passwords(clock, CountingChance(), aside)


async def settled() -> None:
    """Until all that can go on has come to where it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_others_are_served_while_passwords_are_checked(world: World) -> None:
    held = Held()
    gateway = Gateway(replace(world.parts, aside=held))
    await gateway.office.add_merchant(Merchant("m1", "a", agent_id="a1", username="wang", password_hash="kept p"), "me")
    checks = [asyncio.ensure_future(gateway.office.merchant_by_password("a1", "wang", "p")) for _ in range(3)]
    till = await world.till()
    paid = await till.pay(world.order())
    assert (await till.query(paid.ref)).payment_id == paid.payment_id
    assert not any(check.done() for check in checks)
    held.gate.set()
    found = await asyncio.gather(*checks)
    assert [merchant.merchant_id for merchant in found if merchant] == ["m1"] * 3


async def test_an_agent_has_so_many_under_way_and_the_rest_is_refused() -> None:
    held = Held()
    checker = desk(held)
    checks = [asyncio.ensure_future(checker.fits("a1", f"n{n}", "p", "kept p")) for n in range(MOST_OF_AGENT)]
    await settled()
    with pytest.raises(Overloaded):
        await checker.fits("a1", "one more", "p", "kept p")
    with pytest.raises(Overloaded):
        await checker.hashed("a1", "p")
    others = [
        asyncio.ensure_future(checker.hashed(f"a{2 + n // MOST_OF_AGENT}", "p"))
        for n in range(MOST_UNDER_WAY - MOST_OF_AGENT)
    ]
    await settled()
    assert held.waiting == MOST_UNDER_WAY
    with pytest.raises(Overloaded):
        await checker.hashed("another", "p")
    held.gate.set()
    assert all(await asyncio.gather(*checks))
    assert set(await asyncio.gather(*others)) == {"kept p"}
    # Refused is not tried: no try was used up, and all places are free again.
    for _ in range(WRONG_OF_NAME):
        assert not await checker.fits("a1", "one more", "wrong", "kept p")
    assert not await checker.fits("a1", "one more", "p", "kept p")


async def test_whoever_gives_up_leaves_a_place() -> None:
    held = Held()
    checker = desk(held)
    for _ in range(2):
        checks = [asyncio.ensure_future(checker.hashed("a1", "p")) for _ in range(MOST_OF_AGENT)]
        await settled()
        assert held.waiting >= MOST_OF_AGENT
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)


async def test_one_password_cannot_be_tried_on_all_names_of_an_agent() -> None:
    clock = StandingClock(START_MS, jump=True)
    checker = desk(clock=clock)
    for n in range(WRONG_OF_AGENT):
        assert await checker.fits("a1", "wang", "p", "kept p"), "a right one is no guess"
        assert not await checker.fits("a1", f"name{n}", "wrong", "kept p")
    assert not await checker.fits("a1", "wang", "p", "kept p")
    assert await checker.fits("a2", "wang", "p", "kept p")
    clock.advance(WRONG_WITHIN_MS)
    assert await checker.fits("a1", "wang", "p", "kept p")


async def test_one_name_tried_over_and_over_shuts_out_that_name_alone() -> None:
    checker = desk()
    for _ in range(2 * WRONG_OF_AGENT):
        assert not await checker.fits("a1", "wang", "wrong", "kept p")
    assert not await checker.fits("a1", "wang", "p", "kept p")
    assert await checker.fits("a1", "li", "p", "kept p")
