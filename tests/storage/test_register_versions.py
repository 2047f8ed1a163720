"""Keys and devices are changed by several processes at one time, and no change undoes another: who looked before
somebody else wrote is told so, and nothing of what he wanted is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from anytill.core.device import Device, OneTimeCode, Operator, Shop
from anytill.core.merchant import Agent, Credential, Merchant
from anytill.core.secret import Secret
from anytill.storage import SqlStore
from tests.storage.samples import NOW
from tests.storage.test_register_contract import AGENT_KEY, CODE, DEVICE, DEVICE_KEY, MERCHANT, an_act

pytestmark = pytest.mark.anyio

ROUNDS = 20
STOLEN, NEW = Secret("a stolen key"), Secret("a new key")


async def key_of(store: SqlStore, credential: Credential = DEVICE_KEY) -> Credential:
    found = await store.credential(credential.dialect, credential.login)
    assert found
    return found


async def device_of(store: SqlStore) -> Device:
    found = await store.device(DEVICE.dialect, DEVICE.device_id)
    assert found
    return found


def rotated(key: Credential) -> Credential:
    return replace(key, secret=NEW, previous=None, previous_until_ms=NOW)


def switched_off(key: Credential) -> Credential:
    return replace(key, active=False)


@pytest.mark.parametrize(("first", "then"), [(rotated, switched_off), (switched_off, rotated)])
async def test_no_change_of_a_key_undoes_another(
    doors: tuple[SqlStore, SqlStore],
    first: Callable[[Credential], Credential],
    then: Callable[[Credential], Credential],
) -> None:
    """Both have looked before either writes: a stolen key stays out, and what is off stays off."""
    ours, theirs = doors
    assert await ours.add_credential(replace(DEVICE_KEY, secret=STOLEN), an_act(1))
    seen_by_us, seen_by_them = await key_of(ours), await key_of(theirs)
    assert await theirs.move_credential(first(seen_by_them), an_act(2))
    assert not await ours.move_credential(then(seen_by_us), an_act(3))
    assert await key_of(ours) == first(seen_by_them)
    assert await ours.acts(10) == [an_act(2), an_act(1)], "what was not done is not told"
    assert await ours.move_credential(then(await key_of(ours)), an_act(3))
    known = await key_of(theirs)
    assert (known.secret, known.active) == (NEW, False)


async def test_a_device_is_not_switched_with_a_key_that_was_changed_meanwhile(doors: tuple[SqlStore, SqlStore]) -> None:
    ours, theirs = doors
    assert await ours.add_device(DEVICE, replace(DEVICE_KEY, secret=STOLEN), an_act(1))
    device, key = await device_of(ours), await key_of(ours)
    assert await theirs.move_credential(rotated(await key_of(theirs)), an_act(2))
    assert not await ours.move_device(replace(device, active=False), switched_off(key), an_act(3))
    assert (await device_of(theirs)).active, "both or neither"
    assert (await key_of(theirs)).secret == NEW
    assert await ours.move_device(replace(device, active=False), switched_off(await key_of(ours)), an_act(3))
    known = await key_of(theirs)
    assert (known.secret, known.active, (await device_of(theirs)).active) == (NEW, False, False)


async def test_no_change_of_a_device_undoes_another(doors: tuple[SqlStore, SqlStore]) -> None:
    ours, theirs = doors
    assert await ours.add_device(DEVICE, None, an_act(1))
    seen = await device_of(ours)
    assert await theirs.move_device(replace(seen, active=False), None, an_act(2))
    assert not await ours.move_device(replace(seen, shop_id="s9"), None, an_act(3))
    assert await device_of(ours) == replace(seen, active=False)
    assert await ours.acts(10) == [an_act(2), an_act(1)]


async def test_what_is_not_there_does_not_move(store: SqlStore) -> None:
    for version in (0, 1):
        assert not await store.move_credential(replace(DEVICE_KEY, version=version), an_act())
        assert not await store.move_device(replace(DEVICE, version=version), None, an_act())
    assert await store.credentials() == []
    assert await store.devices() == []
    assert await store.acts(10) == []


async def test_every_write_is_a_version(store: SqlStore) -> None:
    await store.put_device(DEVICE, DEVICE_KEY)
    for version in range(1, 7, 2):
        assert ((await device_of(store)).version, (await key_of(store)).version) == (version, version)
        await store.put_device(DEVICE, DEVICE_KEY)
        device, key = await device_of(store), await key_of(store)
        assert (device.version, key.version) == (version + 1, version + 1)
        assert await store.move_device(device, key, an_act(version))
    assert [each.version for each in await store.devices()] == [7]
    assert [each.version for each in await store.devices("m1")] == [7]


@pytest.mark.parametrize("taken", ["device", "login"])
async def test_a_new_device_is_whole_or_not_at_all(store: SqlStore, taken: str) -> None:
    if taken == "device":
        assert await store.add_device(DEVICE, None, an_act(1))
    else:
        assert await store.add_credential(DEVICE_KEY, an_act(1))
    other = replace(DEVICE, name="another", merchant_id="m2")
    assert not await store.add_device(other, replace(DEVICE_KEY, secret=NEW, merchants={"": "m2"}), an_act(2))
    assert await store.devices() == ([DEVICE] if taken == "device" else [])
    assert await store.credential(DEVICE_KEY.dialect, DEVICE_KEY.login) == (None if taken == "device" else DEVICE_KEY)
    assert await store.acts(10) == [an_act(1)]


async def test_a_new_login_is_nobody_elses(store: SqlStore) -> None:
    assert await store.add_credential(AGENT_KEY, an_act(1))
    assert not await store.add_credential(replace(AGENT_KEY, secret=NEW, merchants={"2": "m2"}), an_act(2))
    assert await key_of(store, AGENT_KEY) == AGENT_KEY
    assert await store.acts(10) == [an_act(1)]


async def test_a_new_agent_is_nobody_elses(store: SqlStore) -> None:
    assert await store.add_agent(Agent("a", "first"), AGENT_KEY, an_act(1))
    assert not await store.add_agent(Agent("a", "late"), replace(AGENT_KEY, login="another"), an_act(2))
    assert not await store.add_agent(Agent("b", "late"), AGENT_KEY, an_act(2))
    assert await store.agents() == [Agent("a", "first")]
    assert await key_of(store, AGENT_KEY) == AGENT_KEY
    assert await store.credential(AGENT_KEY.dialect, "another") is None
    assert await store.acts(10) == [an_act(1)]


async def test_a_new_shop_and_a_new_operator_are_nobody_elses(store: SqlStore) -> None:
    assert await store.add_shop(Shop("m", "s", "first"), an_act(1))
    assert not await store.add_shop(Shop("m", "s", "late"), an_act(2))
    assert await store.shops_of("m") == [Shop("m", "s", "first")]
    first = Operator("m", "o", "first")
    assert await store.add_operator(first, an_act(3))
    assert not await store.add_operator(Operator("m", "o", "late"), an_act(4))
    assert await store.move_operator(first, replace(first, active=False), an_act(5))
    assert not await store.move_operator(first, replace(first, name="late"), an_act(6)), "it is no longer so"
    assert await store.operators_of("m") == [replace(first, active=False)]
    assert [act.act_id for act in await store.acts(10)] == [an_act(each).act_id for each in (5, 3, 1)]


async def test_a_new_merchant_is_nobody_elses(store: SqlStore) -> None:
    assert await store.add_merchant(MERCHANT, an_act(1))
    same_person = Merchant("m2", "two", agent_id="agent", mobile=MERCHANT.mobile)
    for other in (replace(MERCHANT, name="late", mobile="", username=""), same_person):
        assert not await store.add_merchant(other, an_act(2))
    assert await store.merchants(10) == [MERCHANT]
    assert await store.acts(10) == [an_act(1)]


async def test_of_many_changes_from_one_version_one_is_made(doors: tuple[SqlStore, SqlStore]) -> None:
    assert await doors[0].add_device(DEVICE, DEVICE_KEY, an_act(0))
    for number in range(1, ROUNDS + 1):
        device, key = await device_of(doors[0]), await key_of(doors[1])
        names = [f"{number}-{n}" for n in range(8)]
        whole = [
            doors[n % 2].move_device(
                replace(device, name=name), replace(key, secret=Secret(name)), an_act(100 * number + n)
            )
            for n, name in enumerate(names[:4])
        ]
        keys = [
            doors[n % 2].move_credential(replace(key, secret=Secret(name)), an_act(100 * number + n))
            for n, name in enumerate(names[4:], 4)
        ]
        made = await asyncio.gather(*whole, *keys)
        assert made.count(True) == 1
        (name,) = [name for name, done in zip(names, made, strict=True) if done]
        assert (await key_of(doors[0])).secret == Secret(name)
        assert (await device_of(doors[1])).name == (name if name in names[:4] else device.name)
    assert len(await doors[0].acts(1_000)) == ROUNDS + 1


async def test_of_many_who_add_one_thing_one_does(doors: tuple[SqlStore, SqlStore]) -> None:
    for number in range(ROUNDS):
        logins = [replace(DEVICE_KEY, login=f"{number}", secret=Secret(str(n))) for n in range(8)]
        made = await asyncio.gather(
            *(
                doors[n % 2].add_device(
                    replace(DEVICE, device_id=key.login, name=str(n)), key, an_act(100 * number + n)
                )
                for n, key in enumerate(logins[:4])
            ),
            *(doors[n % 2].add_credential(key, an_act(100 * number + n)) for n, key in enumerate(logins[4:], 4)),
        )
        assert made.count(True) == 1
        assert await key_of(doors[0], logins[0]) == logins[made.index(True)]


async def test_a_code_and_what_it_brings_are_used_together(store: SqlStore) -> None:
    assert await store.add_device(DEVICE, DEVICE_KEY, an_act(1))
    assert await store.put_code(CODE)
    seen = await device_of(store)
    fetched = replace(seen, activated_at_ms=NOW)
    # Nothing of it happens when the device was changed meanwhile, when the code is another's or too old, ...
    assert not await store.activate_device(replace(fetched, version=7), "activation", CODE.digest, an_act(2))
    assert not await store.activate_device(fetched, "activation", "another", an_act(2))
    assert not await store.activate_device(fetched, "passcode", CODE.digest, an_act(2))
    assert not await store.activate_device(fetched, "activation", CODE.digest, an_act(2, at_ms=NOW + 1_000))
    with pytest.raises(ValueError, match="is another's"):  # ... or when it cannot be told.
        await store.activate_device(fetched, "activation", CODE.digest, an_act(1, subject="x"))
    assert await device_of(store) == seen
    assert await store.code_holder("activation", CODE.digest, NOW) == CODE.holder
    assert await store.activate_device(fetched, "activation", CODE.digest, an_act(2))
    assert await device_of(store) == fetched
    assert await store.code_holder("activation", CODE.digest, NOW) is None
    assert not await store.activate_device(await device_of(store), "activation", CODE.digest, an_act(3))
    assert await store.acts(10) == [an_act(2), an_act(1)]


async def test_a_code_brings_one_of_many_who_have_it_at_one_moment(doors: tuple[SqlStore, SqlStore]) -> None:
    assert await doors[0].add_device(DEVICE, DEVICE_KEY, an_act(0))
    for number in range(ROUNDS):
        code = OneTimeCode("activation", CODE.holder, f"digest {number}", NOW, None)
        assert await doors[0].put_code(code)
        seen = await device_of(doors[0])
        activated = await asyncio.gather(
            *(
                doors[n % 2].activate_device(
                    replace(seen, activated_at_ms=n), "activation", code.digest, an_act(100 * number + n + 1)
                )
                for n in range(8)
            )
        )
        assert activated.count(True) == 1
        assert (await device_of(doors[1])).activated_at_ms == activated.index(True)
    assert len(await doors[0].acts(1_000)) == ROUNDS + 1
