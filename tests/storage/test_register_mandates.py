"""Keys and the merchants they speak for change apart from each other, so that neither change loses the other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
from anytill.storage import SqlStore
from anytill.storage.writes import Rejected
from tests.storage.test_register_contract import an_act

pytestmark = pytest.mark.anyio

KEY = Credential("chaoying", "agent", Secret("key"), {"10000001": "m1"})


async def merchants_of(store: SqlStore) -> object:
    credential = await store.credential("chaoying", "agent")
    return None if credential is None else credential.merchants


async def test_a_new_key_leaves_the_merchants_alone(store: SqlStore) -> None:
    await store.put_credential(KEY)
    new = replace(KEY, secret=Secret("new"), previous=Secret("key"), previous_until_ms=7, active=False, merchants={})
    assert await store.move_credential(replace(new, version=1), an_act())
    assert await store.credential("chaoying", "agent") == replace(new, merchants=KEY.merchants)
    assert await store.acts(10) == [an_act()]


async def test_a_merchant_is_brought_in_once(store: SqlStore) -> None:
    await store.put_credential(KEY)
    assert await store.add_mandate("chaoying", "agent", "2", "m2", an_act(1))
    assert not await store.add_mandate("chaoying", "agent", "2", "m3", an_act(2))
    assert await merchants_of(store) == {"10000001": "m1", "2": "m2"}
    assert await store.acts(10) == [an_act(1)], "what was not done is not told"


LONE = Merchant("m2", "lone", mobile="137", username="tea")
OWNED = replace(LONE, agent_id="agent")


async def test_a_merchant_is_joined_with_its_new_owner_at_once(store: SqlStore) -> None:
    await store.put_credential(KEY)
    await store.put_merchant(LONE)
    assert await store.join_merchant(LONE, OWNED, "chaoying", "agent", "2", an_act(1))
    assert await store.merchant("m2") == replace(OWNED, version=1)
    assert await merchants_of(store) == {"10000001": "m1", "2": "m2"}
    assert await store.acts(10) == [an_act(1)]


@pytest.mark.parametrize(
    ("number", "there"),
    [
        ("10000001", None),
        ("2", replace(LONE, name="changed meanwhile", version=1)),
        ("2", Merchant("m3", "of the same agent", agent_id="agent", mobile="137")),
        ("2", Merchant("m3", "of the same agent", agent_id="agent", username="tea")),
    ],
)
async def test_a_merchant_is_joined_whole_or_not_at_all(store: SqlStore, number: str, there: Merchant | None) -> None:
    await store.put_credential(KEY)
    await store.put_merchant(LONE)
    if there:
        await store.put_merchant(there)
    before = await store.merchants(10)
    assert not await store.join_merchant(LONE, OWNED, "chaoying", "agent", number, an_act(1))
    assert await store.merchants(10) == before
    assert await merchants_of(store) == KEY.merchants
    assert await store.acts(10) == []


async def test_nobody_is_joined_to_a_credential_that_is_not_there(store: SqlStore) -> None:
    await store.put_merchant(LONE)
    with pytest.raises(Rejected):
        await store.join_merchant(LONE, OWNED, "chaoying", "nobody", "2", an_act(1))
    assert await store.merchant("m2") == LONE


async def test_a_merchant_is_taken_out_once(store: SqlStore) -> None:
    await store.put_credential(replace(KEY, merchants={"1": "m1", "2": "m2"}))
    await store.put_credential(replace(KEY, login="other", merchants={"1": "m1"}))
    assert await store.drop_mandate("chaoying", "agent", "1", an_act(1))
    assert not await store.drop_mandate("chaoying", "agent", "1", an_act(2))
    assert await merchants_of(store) == {"2": "m2"}
    other = await store.credential("chaoying", "other")
    assert other is not None
    assert other.merchants == {"1": "m1"}
    assert await store.acts(10) == [an_act(1)]


async def test_a_merchant_that_comes_in_while_the_key_changes_is_not_lost(store: SqlStore) -> None:
    await store.put_credential(KEY)
    numbers = [f"{number:08d}" for number in range(20)]

    async def enrol(number: str) -> None:
        merchant = Merchant(f"m{number}", number)
        assert await store.enrol_merchant(merchant, "chaoying", "agent", number, an_act(int(number) + 1, f"m{number}"))

    async def renew(number: str) -> None:
        known = await store.credential("chaoying", "agent")
        assert known
        await store.move_credential(replace(known, secret=Secret(f"key {number}")))

    await asyncio.gather(*(change(number) for number in numbers for change in (enrol, renew)))
    assert await merchants_of(store) == {**KEY.merchants, **{number: f"m{number}" for number in numbers}}
