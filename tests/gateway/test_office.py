"""The back office: agents, merchants, shops and people, and their passwords and codes, on both stores."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from anytill.core import retry
from anytill.core.device import Operator, Shop
from anytill.core.merchant import Agent, Credential, Merchant
from anytill.core.passwords import password_fits, password_hash
from anytill.core.secret import Secret
from anytill.gateway import Office
from anytill.gateway.changes import AlreadyThere, ChangedMeanwhile, NotThere
from anytill.gateway.codes import PASSCODE_AGAIN_MS, PASSCODE_LIFE_MS, PASSCODES_A_DAY, Passcodes
from anytill.ports import Unreachable
from tests.world import World

pytestmark = pytest.mark.anyio

SHOP = Merchant("m1", "老王面馆", mobile="13900000001", username="wang", agent_id="a1")


class Phones:
    """Every short message that went out; None breaks the line."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.broken = False

    async def __call__(self, mobile: str, text: str) -> None:
        if self.broken:
            raise Unreachable("no line")
        self.texts.append((mobile, text))

    @property
    def last_code(self) -> str:
        return self.texts[-1][1].removeprefix("验证码")[:6]


class Bench:
    """An office over a world's store, with its phones."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.phones = Phones()
        chance, key = world.parts.chance, b"key"
        passcodes = Passcodes(world.store, world.clock, chance, key, self.phones, world.started.append, world.watch)
        self.office = Office(world.store, world.clock, chance, key, passcodes)

    async def agent(self) -> Credential:
        credential = Credential("vendor", "a1", Secret("k" * 32), {})
        await self.world.store.put_credential(credential)
        return credential

    async def agents_merchants(self) -> object:
        """Whom agent a1 speaks for, by number."""
        found = await self.world.store.credential("vendor", "a1")
        return found and found.merchants

    async def send_passcode(self, mobile: str) -> bool:
        """What agent a1 is told, once the message went out or not."""
        told = self.office.send_passcode("a1", mobile)
        await self.world.work()
        return told

    async def whats(self) -> list[str]:
        """What was done, oldest first."""
        return [act.what for act in reversed(await self.world.store.acts(100))]


@pytest.fixture
async def bench(world: World) -> Bench:
    return Bench(world)


# Merchants


async def test_a_merchant_is_added_once(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    with pytest.raises(AlreadyThere):
        await bench.office.add_merchant(SHOP, "cli:me")
    assert (await bench.office.merchant("m1")).name == "老王面馆"
    with pytest.raises(NotThere):
        await bench.office.merchant("m2")
    (act,) = [act for act in await bench.world.store.acts(10) if act.merchant_id == "m1"]
    assert (act.actor, act.what, act.subject) == ("cli:me", "merchant.add", "m1")


async def test_two_changes_of_one_merchant_do_not_both_happen(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    before = await bench.office.merchant("m1")
    changes = [
        bench.office.change_merchant(before, replace(before, details={"n": str(n)}), "cli:me", "merchant.set")
        for n in range(5)
    ]
    assert sorted(await asyncio.gather(*changes)) == [False] * 4 + [True]


async def test_an_agent_brings_merchants_in(bench: Bench) -> None:
    agent = await bench.agent()
    first = await bench.office.enrol(agent, replace(SHOP, merchant_id=""), "vendor:a1")
    second = await bench.office.enrol(agent, Merchant("", "b"), "vendor:a1")
    assert first
    assert second
    assert first != second
    known = await bench.world.store.credential("vendor", "a1")
    assert known is not None
    merchant = await bench.office.merchant(known.merchant_id(first))
    assert (merchant.name, merchant.agent_id, len(merchant.trade_code)) == ("老王面馆", "a1", 10)
    assert await bench.office.enrol(agent, Merchant("", "c", mobile=SHOP.mobile), "vendor:a1") is None
    assert await bench.office.enrol(agent, Merchant("", "c", username="wang"), "vendor:a1") is None
    assert (await bench.whats())[-2:] == ["merchant.enrol"] * 2


async def test_one_person_is_enrolled_once_at_one_moment(bench: Bench) -> None:
    agent = await bench.agent()
    numbers = await asyncio.gather(*(bench.office.enrol(agent, SHOP, "vendor:a1") for _ in range(5)))
    assert sorted(number is None for number in numbers) == [False] + [True] * 4
    assert (await bench.whats()).count("merchant.enrol") == 1


# People


async def test_a_password_lets_in_and_is_tried_five_times(bench: Bench) -> None:
    await bench.office.add_merchant(replace(SHOP, password_hash=bench.office.hashed("s3cret")), "cli:me")
    found = await bench.office.merchant_by_password("a1", "wang", "s3cret")
    assert found is not None
    assert found.merchant_id == "m1"
    assert await bench.office.merchant_by_password("a2", "wang", "s3cret") is None
    assert await bench.office.merchant_by_password("a1", "nobody", "s3cret") is None
    for _ in range(5):
        assert await bench.office.merchant_by_password("a1", "wang", "wrong") is None
    assert await bench.office.merchant_by_password("a1", "wang", "s3cret") is None
    bench.world.clock.advance(10 * retry.MINUTE)
    assert await bench.office.merchant_by_password("a1", "wang", "s3cret") is not None


async def test_many_guesses_at_one_moment_are_five(bench: Bench) -> None:
    await bench.office.add_merchant(replace(SHOP, password_hash=bench.office.hashed("s3cret")), "cli:me")
    tried = [bench.office.merchant_by_password("a1", "wang", f"guess{n}") for n in range(7)]
    assert await asyncio.gather(*tried) == [None] * 7
    # Not beside them: which of several that run at once is looked up first, no one knows.
    assert await bench.office.merchant_by_password("a1", "wang", "s3cret") is None


def test_a_merchant_without_a_password_cannot_log_in() -> None:
    assert not password_fits("", "")
    kept = password_hash("a", "salt")
    assert kept != password_hash("a", "other salt")
    assert password_fits("a", kept)
    assert not password_fits("b", kept)
    assert "a" not in kept.split("$")[2:]


async def test_a_passcode_proves_a_mobile_once(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    assert await bench.send_passcode(SHOP.mobile)
    assert [mobile for mobile, _ in bench.phones.texts] == [SHOP.mobile]
    code = bench.phones.last_code
    assert await bench.office.merchant_by_passcode("a2", SHOP.mobile, code) is None
    found = await bench.office.merchant_by_passcode("a1", SHOP.mobile, code)
    assert found is not None
    assert found.merchant_id == "m1"
    assert await bench.office.merchant_by_passcode("a1", SHOP.mobile, code) is None


async def test_a_passcode_ends_and_is_guessed_at_five_times(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    await bench.send_passcode(SHOP.mobile)
    bench.world.clock.advance(PASSCODE_LIFE_MS)
    assert await bench.office.merchant_by_passcode("a1", SHOP.mobile, bench.phones.last_code) is None
    await bench.send_passcode(SHOP.mobile)
    good = bench.phones.last_code
    guesses = [f"{(int(good) + n) % 10**6:06d}" for n in range(1, 6)]
    assert set(await asyncio.gather(*(bench.office.merchant_by_passcode("a1", SHOP.mobile, g) for g in guesses))) == {
        None
    }
    assert await bench.office.merchant_by_passcode("a1", SHOP.mobile, good) is None


async def test_messages_go_out_now_and_then_and_only_to_known_mobiles(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    assert await bench.send_passcode("13700000000")
    assert bench.phones.texts == []
    assert not await bench.send_passcode("13700000000")
    assert await bench.send_passcode(SHOP.mobile)
    assert not await bench.send_passcode(SHOP.mobile)
    bench.world.clock.advance(PASSCODE_AGAIN_MS)
    assert await bench.send_passcode(SHOP.mobile)
    assert len(bench.phones.texts) == 2
    bench.world.clock.advance(PASSCODE_AGAIN_MS)
    sent = [await bench.send_passcode(f"136{n:08d}") for n in range(30)]
    assert not all(sent)


async def test_one_request_for_a_message_repeated_shuts_out_that_mobile_alone(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    for _ in range(60):
        await bench.send_passcode("13700000000")
    assert await bench.send_passcode(SHOP.mobile)
    sent = 1
    for _ in range(2 * PASSCODES_A_DAY):
        bench.world.clock.advance(PASSCODE_AGAIN_MS)
        sent += await bench.send_passcode(SHOP.mobile)
    assert sent == len(bench.phones.texts) == PASSCODES_A_DAY
    bench.world.clock.advance(retry.DAY)
    assert await bench.send_passcode(SHOP.mobile)


async def test_a_message_that_cannot_be_sent_tells_a_person_and_not_who_asked(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    bench.phones.broken = True
    assert await bench.send_passcode(SHOP.mobile)
    assert await bench.send_passcode("13700000000")
    assert bench.world.watch.alarms == [("passcode_not_sent", {"agent": "a1"})]


async def test_invented_mobiles_do_not_push_out_what_was_counted(bench: Bench) -> None:
    """An agent that invents mobiles between its rounds sends a person no more messages for that."""
    await bench.office.add_merchant(SHOP, "cli:me")
    for number in range(5):
        for _ in range(25):
            bench.office.send_passcode("a1", SHOP.mobile)
            bench.world.clock.advance(PASSCODE_AGAIN_MS)
        for invented in range(10_001):
            bench.office.send_passcode("a1", f"136{number}{invented:07d}")
        bench.world.clock.advance(PASSCODE_AGAIN_MS)
    await bench.world.work()
    assert len(bench.phones.texts) <= PASSCODES_A_DAY


async def test_who_adds_what_another_adds_at_this_moment_is_told_so(bench: Bench) -> None:
    merchants = [bench.office.add_merchant(replace(SHOP, name=str(n)), "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*merchants, return_exceptions=True)].count(AlreadyThere) == 3
    shops = [bench.office.add_shop(Shop("m1", "s1", str(n)), "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*shops, return_exceptions=True)].count(AlreadyThere) == 3
    people = [bench.office.add_operator(Operator("m1", "7", str(n), "s1"), "cli:me") for n in range(4)]
    assert [type(each) for each in await asyncio.gather(*people, return_exceptions=True)].count(AlreadyThere) == 3
    assert sorted(await bench.whats()) == ["merchant.add", "operator.add", "shop.add"]


# Agents, shops and people


LONE = Merchant("m2", "小李茶馆", mobile="13900000002")


async def test_a_merchant_of_nobody_becomes_the_agents_with_its_number(bench: Bench) -> None:
    await bench.agent()
    await bench.office.add_merchant(LONE, "cli:me")
    joined = await bench.office.join("m2", "vendor", "a1", "7", "cli:me")
    assert joined == replace(LONE, agent_id="a1")
    assert await bench.office.merchant("m2") == replace(joined, version=1)
    assert (await bench.agents_merchants()) == {"7": "m2"}
    act = (await bench.world.store.acts(1))[0]
    assert (act.what, act.about) == ("merchant.join", {"agent": "a1", "number": "7", "changed": "agent_id"})
    assert await bench.office.leave("vendor", "a1", "7", "cli:me") == "m2"
    assert (await bench.office.merchant("m2")).agent_id == "a1"
    assert (await bench.agents_merchants()) == {}
    with pytest.raises(NotThere):
        await bench.office.leave("vendor", "a1", "7", "cli:me")
    assert (await bench.whats()) == ["merchant.add", "merchant.join", "merchant.leave"]


async def test_a_merchant_of_another_agent_stays_that_ones(bench: Bench) -> None:
    await bench.agent()
    await bench.office.add_merchant(replace(LONE, agent_id="a2"), "cli:me")
    assert (await bench.office.join("m2", "vendor", "a1", "7", "cli:me")).agent_id == "a2"
    assert (await bench.agents_merchants()) == {"7": "m2"}


async def test_a_merchant_that_cannot_be_joined_is_left_as_it_is(bench: Bench) -> None:
    await bench.agent()
    await bench.office.add_merchant(SHOP, "cli:me")
    await bench.office.add_merchant(replace(LONE, mobile=SHOP.mobile), "cli:me")
    await bench.office.join("m1", "vendor", "a1", "7", "cli:me")
    before = await bench.world.store.acts(100)
    for merchant_id, login, number, why in (
        ("m9", "a1", "8", NotThere),
        ("m2", "a9", "8", NotThere),
        ("m2", "a1", "7", AlreadyThere),
        ("m2", "a1", "8", AlreadyThere),  # the agent knows its mobile
    ):
        with pytest.raises(why):
            await bench.office.join(merchant_id, "vendor", login, number, "cli:me")
    assert (await bench.office.merchant("m2")).agent_id == ""
    assert (await bench.agents_merchants()) == {"7": "m1"}
    assert await bench.world.store.acts(100) == before


async def test_a_merchant_that_is_changed_while_it_is_joined_is_not_joined(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between two writes, or another hand: the agent never speaks for a merchant that is not its own."""
    await bench.agent()
    await bench.office.add_merchant(LONE, "cli:me")
    look = bench.world.store.credential

    async def looked(dialect: str, login: str) -> Credential | None:
        monkeypatch.undo()
        before = await bench.office.merchant("m2")
        await bench.office.set_merchant(before, replace(before, name="other"), "cli:ann", "merchant.set")
        return await look(dialect, login)

    monkeypatch.setattr(bench.world.store, "credential", looked)
    with pytest.raises(ChangedMeanwhile, match="m2, or what agent a1 speaks for, was changed by somebody else"):
        await bench.office.join("m2", "vendor", "a1", "7", "cli:me")
    assert ((await bench.office.merchant("m2")).agent_id, await bench.agents_merchants()) == ("", {})


async def test_an_agent_is_added_once_with_its_key(bench: Bench) -> None:
    key = Credential("vendor", "a7", Secret("k" * 32), {})
    await bench.office.add_agent(Agent("a7", "Tea"), key, "cli:me")
    await bench.office.refuse_unknown_agent("a7")
    await bench.office.refuse_unknown_agent("")
    with pytest.raises(NotThere):
        await bench.office.refuse_unknown_agent("a8")
    with pytest.raises(AlreadyThere, match="there is a login a7 of vendor already"):
        await bench.office.add_agent(Agent("a8", "Tea"), key, "cli:me")
    with pytest.raises(AlreadyThere, match="there is an agent a7 already"):
        await bench.office.add_agent(Agent("a7", "Tea"), replace(key, login="a8"), "cli:me")
    assert await bench.whats() == ["agent.add"]


async def test_a_person_works_in_a_shop_that_is_there(bench: Bench) -> None:
    await bench.office.add_merchant(SHOP, "cli:me")
    with pytest.raises(NotThere):
        await bench.office.add_shop(Shop("m9", "s1", "Main street"), "cli:me")
    with pytest.raises(NotThere):
        await bench.office.add_operator(Operator("m1", "7", "Wang", "s1"), "cli:me")
    await bench.office.add_shop(Shop("m1", "s1", "Main street"), "cli:me")
    await bench.office.add_operator(Operator("m1", "7", "Wang", "s1"), "cli:me")
    assert not (await bench.office.switch_operator("m1", "7", on=False, actor="cli:me")).active
    assert [each.active for each in await bench.world.store.operators_of("m1")] == [False]
    with pytest.raises(NotThere):
        await bench.office.switch_operator("m1", "8", on=True, actor="cli:me")
    assert await bench.whats() == ["merchant.add", "shop.add", "operator.add", "operator.off"]
