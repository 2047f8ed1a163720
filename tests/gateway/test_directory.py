"""What is remembered of credentials, and when it is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from anytill.core.errors import ForeignMerchant
from anytill.core.merchant import Credential, Merchant
from anytill.gateway.directory import REMEMBERED_MS, Directory
from tests.world import World

pytestmark = pytest.mark.anyio


async def test_what_was_changed_here_counts_at_once_and_elsewhere_within_seconds(world: World) -> None:
    here, elsewhere = world.gateway, Directory(world.store, world.clock)
    credential = await world.credential()
    known = await elsewhere.credential(credential.dialect, credential.login)
    merchants = {**credential.merchants, "new": credential.merchant_id("")}
    await world.store.put_credential(replace(credential, merchants=merchants))
    here.forget(credential)
    assert here.till(await world.credential(), "new").merchant_id == credential.merchant_id("")
    assert await elsewhere.credential(credential.dialect, credential.login) == known
    with pytest.raises(ForeignMerchant):
        known.merchant_id("new")
    world.clock.advance(REMEMBERED_MS)
    assert "new" in (await elsewhere.credential(credential.dialect, credential.login)).merchants


async def test_what_was_read_during_the_change_is_not_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Directory(world.store, world.clock)
    before = await world.store.credential("teegon", (await world.credential()).login)
    assert before is not None
    second = Merchant("second", "另一家")
    await world.store.put_merchant(second)
    reading, changed = asyncio.Event(), asyncio.Event()
    read = world.store.credential

    async def slow(dialect: str, login: str) -> Credential | None:
        found = await read(dialect, login)
        reading.set()
        await changed.wait()
        return found

    monkeypatch.setattr(world.store, "credential", slow)
    asked = asyncio.ensure_future(directory.credential(before.dialect, before.login))
    await reading.wait()
    after = replace(before, merchants={**before.merchants, "new": second.merchant_id})
    await world.store.put_credential(after)
    directory.forget(before.dialect, before.login)
    changed.set()
    assert await asked == before
    assert (await directory.credential(before.dialect, before.login)).merchants == after.merchants
