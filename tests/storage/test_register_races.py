"""Many at once, through two doors to one database: two processes on PostgreSQL, a gateway and a keeper on a file."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
from anytill.storage import SqlStore
from anytill.storage.writes import Rejected
from tests.storage.samples import NOW
from tests.storage.test_register_contract import AGENT_KEY, CODE, DEVICE, DEVICE_KEY, MERCHANT, an_act, use_up

pytestmark = pytest.mark.anyio

ROUNDS = 20


async def test_a_code_goes_to_one_of_those_who_use_it_at_one_moment(doors: tuple[SqlStore, SqlStore]) -> None:
    for number in range(ROUNDS):
        code = replace(CODE, digest=f"digest {number}")
        assert await doors[0].put_code(code)
        uses = await asyncio.gather(
            *(use_up(door, "activation", code.digest, NOW) for door in doors for _ in range(3)),
            *(door.use_code("activation", code.digest, NOW, CODE.holder) for door in doors),
        )
        assert [bool(use) for use in uses].count(True) == 1


async def test_a_thousand_guesses_at_once_are_as_many_as_there_are_tries(doors: tuple[SqlStore, SqlStore]) -> None:
    for tries in (1, 5):
        assert await doors[0].put_code(replace(CODE, tries_left=tries))
        guesses = [f"wrong {number}" for number in range(tries - 1)] + ["digest 1"] + ["wrong"] * 500
        found = await asyncio.gather(
            *(doors[index % 2].use_code("activation", guess, NOW, CODE.holder) for index, guess in enumerate(guesses))
        )
        assert found.count(True) <= 1
        assert await use_up(doors[1], "activation", "digest 1", NOW) is None


async def test_of_a_thousand_wrong_guesses_each_costs_a_try(doors: tuple[SqlStore, SqlStore]) -> None:
    """Exactly so many are compared: one try fewer than there are wrong guesses, and the right one finds nothing; one
    more, and it is found."""
    for wrong, right in ((1_000, False), (999, True)):
        assert await doors[0].put_code(replace(CODE, tries_left=1_000))
        found = await asyncio.gather(
            *(doors[index % 2].use_code("activation", f"wrong {index}", NOW, CODE.holder) for index in range(wrong))
        )
        assert not any(found)
        assert await doors[0].use_code("activation", "digest 1", NOW, CODE.holder) == right


async def test_of_many_new_codes_at_one_moment_one_is_kept(doors: tuple[SqlStore, SqlStore]) -> None:
    for number in range(ROUNDS):
        codes = [replace(CODE, holder=f"h{number}", digest=f"{number} {n}", made_at_ms=NOW + n) for n in range(8)]
        kept = await asyncio.gather(
            *(
                doors[n % 2].put_code(code, an_act(100 * number + n), not_since_ms=NOW - 1)
                for n, code in enumerate(codes)
            )
        )
        assert kept.count(True) == 1
        for n, code in enumerate(codes):
            assert await use_up(doors[0], "activation", code.digest, NOW) == (code.holder if kept[n] else None)
    assert len(await doors[0].acts(1_000)) == ROUNDS


async def test_of_many_moves_from_one_version_one_is_made(doors: tuple[SqlStore, SqlStore]) -> None:
    await doors[0].put_merchant(MERCHANT)
    for version in range(ROUNDS):
        now = await doors[0].merchant("m1")
        assert now
        assert now.version == version
        moved = await asyncio.gather(
            *(doors[n % 2].move_merchant(now, replace(now, name=str(n)), an_act(100 * version + n)) for n in range(8))
        )
        assert moved.count(True) == 1
        after = await doors[1].merchant("m1")
        assert after
        assert after.name == str(moved.index(True))
    assert len(await doors[0].acts(1_000)) == ROUNDS


@pytest.mark.parametrize("known_by", ["mobile", "username"])
async def test_of_many_who_want_one_mobile_or_username_one_gets_it(
    doors: tuple[SqlStore, SqlStore], known_by: str
) -> None:
    await doors[0].put_credential(replace(AGENT_KEY, merchants={}))
    for number in range(ROUNDS):
        old = [Merchant(f"{number}-{n}", "old", agent_id="agent") for n in range(4)]
        for merchant in old:
            await doors[0].put_merchant(merchant)
        wanted = {known_by: f"name {number}"}
        made = await asyncio.gather(
            *(
                doors[n % 2].move_merchant(merchant, replace(merchant, **wanted), an_act(100 * number + n))  # type: ignore[arg-type]
                for n, merchant in enumerate(old)
            ),
            *(
                doors[n % 2].enrol_merchant(
                    Merchant(f"{number}-{n}", "new", agent_id="agent", **wanted),  # type: ignore[arg-type]
                    "chaoying",
                    "agent",
                    f"{number}-{n}",
                    an_act(100 * number + n),
                )
                for n in range(4, 8)
            ),
        )
        assert made.count(True) == 1
        find = doors[1].merchant_by_mobile if known_by == "mobile" else doors[1].merchant_by_username
        found = await find("agent", f"name {number}")
        assert found
        assert found.merchant_id == f"{number}-{made.index(True)}"
    assert len(await doors[0].acts(1_000)) == ROUNDS


async def test_an_agents_number_goes_to_one_merchant(doors: tuple[SqlStore, SqlStore]) -> None:
    await doors[0].put_credential(replace(AGENT_KEY, merchants={}))
    for number in range(ROUNDS):
        made = await asyncio.gather(
            *(
                doors[n % 2].enrol_merchant(
                    Merchant(f"{number}-{n}", ""), "chaoying", "agent", str(number), an_act(100 * number + n)
                )
                for n in range(6)
            )
        )
        assert made.count(True) == 1
    found = await doors[0].credential("chaoying", "agent")
    assert found
    assert sorted(found.merchants.values()) == sorted(merchant.merchant_id for merchant in await doors[1].merchants(99))
    assert len(found.merchants) == len(await doors[0].acts(1_000)) == ROUNDS


async def test_a_merchant_that_two_agents_join_is_one_agents(doors: tuple[SqlStore, SqlStore]) -> None:
    for agent in ("a", "b"):
        await doors[0].put_credential(Credential("chaoying", agent, Secret("key"), {}))
    expected: dict[str, dict[str, str]] = {"a": {}, "b": {}}
    for number in range(ROUNDS):
        lone = Merchant(f"m{number}", "lone")
        await doors[0].put_merchant(lone)
        joins = [
            door.join_merchant(lone, replace(lone, agent_id=agent), "chaoying", agent, str(number), an_act(number))
            for door, agent in zip(doors, "ab", strict=True)
        ]
        joined = await asyncio.gather(*joins)
        assert sorted(joined) == [False, True]
        owner = "ab"[joined.index(True)]
        assert await doors[1].merchant(lone.merchant_id) == replace(lone, agent_id=owner, version=1)
        expected[owner][str(number)] = lone.merchant_id
    for agent, merchants in expected.items():
        credential = await doors[1].credential("chaoying", agent)
        assert credential
        assert credential.merchants == merchants
    assert len(await doors[0].acts(1_000)) == ROUNDS


async def test_of_many_merchants_that_join_by_one_number_one_does(doors: tuple[SqlStore, SqlStore]) -> None:
    await doors[0].put_credential(replace(AGENT_KEY, merchants={}))
    merchants = [Merchant(f"m{number}", "lone") for number in range(ROUNDS)]
    for merchant in merchants:
        await doors[0].put_merchant(merchant)
    joined = await asyncio.gather(
        *(
            doors[n % 2].join_merchant(
                merchant, replace(merchant, agent_id="agent"), "chaoying", "agent", "7", an_act(n)
            )
            for n, merchant in enumerate(merchants)
        )
    )
    assert joined.count(True) == 1
    winner = merchants[joined.index(True)].merchant_id
    assert [each.merchant_id for each in await doors[1].merchants(99) if each.agent_id] == [winner]
    credential = await doors[1].credential("chaoying", "agent")
    assert credential
    assert credential.merchants == {"7": winner}
    assert len(await doors[0].acts(1_000)) == 1


async def test_of_many_who_write_a_device_one_is_whole(doors: tuple[SqlStore, SqlStore]) -> None:
    """Device, key and merchants are those of one and the same write, whichever came last."""
    for number in range(ROUNDS):
        writes = [f"{number}-{n}" for n in range(6)]
        await asyncio.gather(
            *(
                doors[n % 2].put_device(
                    replace(DEVICE, name=name, merchant_id=name),
                    replace(DEVICE_KEY, secret=Secret(name), merchants={"": name}),
                    an_act(100 * number + n),
                )
                for n, name in enumerate(writes)
            )
        )
        device = await doors[0].device(DEVICE.dialect, DEVICE.device_id)
        key = await doors[1].credential(DEVICE.dialect, DEVICE.device_id)
        assert device
        assert key
        assert device.name in writes
        assert (device.merchant_id, key.secret, key.merchants) == (device.name, Secret(device.name), {"": device.name})
    assert len(await doors[0].acts(1_000)) == 6 * ROUNDS


async def test_an_act_is_told_by_one(doors: tuple[SqlStore, SqlStore]) -> None:
    for number in range(ROUNDS):
        written = await asyncio.gather(
            *(
                doors[n % 2].put_merchant(
                    Merchant(f"{number}-{n}", ""), an_act(subject=f"{number}-{n}", act_id=str(number))
                )
                for n in range(6)
            ),
            return_exceptions=True,
        )
        assert written.count(None) == 1
        assert all(isinstance(fault, Rejected) for fault in written if fault is not None)
    made = {merchant.merchant_id for merchant in await doors[0].merchants(99)}
    assert made == {act.subject for act in await doors[1].acts(99)}
    assert len(made) == ROUNDS
