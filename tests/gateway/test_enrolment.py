"""An agent's merchants come in once each, however often their words are said, on both stores."""

from __future__ import annotations

import asyncio

import pytest

from anytill.core.merchant import Credential, Merchant
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.gateway import Office, enrolment
from anytill.gateway.enrolment import SAID_AGAIN_MS
from tests.world import World

pytestmark = pytest.mark.anyio

SHOP = Merchant("", "沙县小吃")


def office(world: World) -> Office:
    return Office(world.store, world.clock, world.parts.chance, b"key", None)


async def agent(world: World, login: str = "a1") -> Credential:
    await world.store.put_credential(Credential("vendor", login, Secret("k" * 32), {}))
    found = await world.store.credential("vendor", login)
    assert found is not None
    return found


async def enrolled(world: World, of: Credential, words: str, shop: Merchant = SHOP) -> str:
    """The merchant's id, new or not."""
    found = await office(world).enrolled(of, words)
    if found is None:
        await office(world).enrol(of, shop, "vendor:a1", words)
        found = await office(world).enrolled(of, words)
    assert found is not None
    return found.merchant_id


async def test_the_same_words_mean_the_same_merchant(world: World) -> None:
    mine, other = await agent(world), await agent(world, "a2")
    first = await enrolled(world, mine, "words")
    assert await enrolled(world, mine, "words") == first
    assert await enrolled(world, mine, "other words") != first
    assert (await enrolled(world, other, "words")).startswith("vendor.a2.")
    assert await office(world).enrol(mine, SHOP, "vendor:a1", "words") is None
    assert await office(world).enrol(mine, SHOP, "vendor:a1") is not None, "without words each is a new one"
    await world.restart()
    assert await enrolled(world, mine, "words") == first
    assert "words" not in str((await office(world).merchant(first)).details)


async def test_the_same_words_at_one_moment_are_one_merchant(world: World) -> None:
    mine = await agent(world)
    numbers = await asyncio.gather(*(office(world).enrol(mine, SHOP, "vendor:a1", "words") for _ in range(6)))
    assert len([number for number in numbers if number]) == 1
    assert len([each for each in await world.store.merchants(100) if each.agent_id == "a1"]) == 1


async def test_words_without_a_person_are_another_shops_a_day_later(world: World) -> None:
    mine = await agent(world)
    person = Merchant("", "老王面馆", mobile="13900000001")
    shop, wang = await enrolled(world, mine, "shop"), await enrolled(world, mine, "wang", person)
    world.clock.advance(SAID_AGAIN_MS - 1)
    assert await enrolled(world, mine, "shop") == shop
    world.clock.advance(1)
    later = await enrolled(world, mine, "shop")
    assert later != shop
    assert await enrolled(world, mine, "shop") == later
    assert await enrolled(world, mine, "wang", person) == wang


async def test_numbers_that_meet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "_NUMBER_DIGITS", 1)
    mine = await agent(world)
    words = [f"words {n}" for n in range(6)]
    first = [await enrolled(world, mine, each) for each in words]
    assert len(set(first)) == len(words)
    assert [await enrolled(world, mine, each) for each in words] == first


async def test_whether_words_name_a_person_is_asked_of_the_words(world: World) -> None:
    """Who answers for a merchant may be told later, or change: that makes other shops' words no repetition."""
    mine = await agent(world)
    shop = await enrolled(world, mine, "shop")
    wang = await enrolled(world, mine, "wang", Merchant("", "老王面馆", mobile="13900000001"))
    for merchant_id, mobile in ((shop, "13900000002"), (wang, "")):
        before = await office(world).merchant(merchant_id)
        assert await office(world).change_merchant(before, changed(before, mobile=mobile), "cli:me", "merchant.set")
    world.clock.advance(SAID_AGAIN_MS)
    assert await enrolled(world, mine, "shop") != shop
    assert await enrolled(world, mine, "wang") == wang


async def test_words_without_a_person_come_again_each_day(world: World) -> None:
    mine = await agent(world)
    found = set()
    for _ in range(25):
        found.add(await enrolled(world, mine, "shop"))
        world.clock.advance(SAID_AGAIN_MS)
    assert len(found) == 25
