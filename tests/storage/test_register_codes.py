"""What ports.Register promises of one-time codes, on both databases, with writes grouped and one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anytill.storage import SqlStore
from anytill.storage.writes import Taken
from tests.storage.samples import NOW
from tests.storage.test_register_contract import CODE, DEVICE, an_act, use_up

pytestmark = pytest.mark.anyio


async def test_a_code_is_used_once(store: SqlStore) -> None:
    assert await store.put_code(CODE, an_act())
    assert await use_up(store, "activation", "digest 2", NOW) is None
    assert await use_up(store, "passcode", "digest 1", NOW) is None
    assert await use_up(store, "activation", "digest 1", NOW) == "semoor/7"
    assert await use_up(store, "activation", "digest 1", NOW) is None
    assert not await store.use_code("activation", "digest 1", NOW, "semoor/7")
    assert await store.acts(10) == [an_act()]


async def test_a_code_has_its_time(store: SqlStore) -> None:
    assert await store.put_code(CODE)
    assert await store.code_holder("activation", "digest 1", NOW + 1_000) is None
    assert not await store.use_code("activation", "digest 1", NOW + 1_000, "semoor/7")
    assert await use_up(store, "activation", "digest 1", NOW + 999) == "semoor/7"
    assert await store.put_code(replace(CODE, expires_at_ms=None))
    assert await use_up(store, "activation", "digest 1", 2**53) == "semoor/7"


async def test_a_new_code_voids_the_former(store: SqlStore) -> None:
    assert await store.put_code(CODE)
    assert await store.put_code(replace(CODE, holder="semoor/8", digest="digest 8"))
    assert await store.put_code(replace(CODE, purpose="passcode"))
    assert await store.put_code(replace(CODE, digest="digest 2", made_at_ms=NOW - 5))
    assert await use_up(store, "activation", "digest 1", NOW) is None
    assert await use_up(store, "activation", "digest 2", NOW) == "semoor/7"
    assert await use_up(store, "activation", "digest 8", NOW) == "semoor/8"
    assert await use_up(store, "passcode", "digest 1", NOW) == "semoor/7"
    # A used code, too, makes room for a new one.
    assert await store.put_code(replace(CODE, digest="digest 3"))
    assert await store.use_code("activation", "digest 3", NOW, "semoor/7")


async def test_a_code_for_a_device_that_was_written_meanwhile_is_not_kept(store: SqlStore) -> None:
    assert await store.add_device(DEVICE, None, None)
    seen = await store.device("semoor", DEVICE.device_id)
    assert seen is not None
    assert await store.put_code(CODE, an_act(1), device=seen)
    later = replace(CODE, digest="digest 2")
    assert not await store.put_code(later, an_act(2), device=seen)
    assert await use_up(store, "activation", "digest 2", NOW) is None
    assert await store.acts(10) == [an_act(1)]
    assert await store.put_code(later, device=await store.device("semoor", DEVICE.device_id))


async def test_a_holder_gets_no_new_code_too_soon(store: SqlStore) -> None:
    assert await store.put_code(CODE, not_since_ms=0)
    again = replace(CODE, digest="digest 2", made_at_ms=NOW + 60)
    assert not await store.put_code(again, an_act(), not_since_ms=NOW - 1)
    assert await store.acts(10) == []
    assert await use_up(store, "activation", "digest 2", NOW) is None
    assert await store.put_code(replace(again, holder="semoor/8", digest="d"), not_since_ms=NOW - 1)
    assert await store.put_code(again, an_act(), not_since_ms=NOW), "made just then is not after"
    assert await use_up(store, "activation", "digest 1", NOW) is None
    assert await use_up(store, "activation", "digest 2", NOW) == "semoor/7"
    assert not await store.put_code(again, not_since_ms=NOW + 59), "nor does using it up shorten the wait"


async def test_no_two_holders_have_one_code(store: SqlStore) -> None:
    assert await store.put_code(CODE)
    with pytest.raises(Taken):
        await store.put_code(replace(CODE, holder="semoor/8"), an_act())
    assert await store.acts(10) == []
    assert await use_up(store, "activation", "digest 1", NOW) == "semoor/7"


async def test_every_try_at_a_holders_code_costs_one(store: SqlStore) -> None:
    for digests in (["x", "x", "digest 1"], ["digest 1"]):
        assert await store.put_code(CODE)
        for wrong in digests[:-1]:
            assert not await store.use_code("activation", wrong, NOW, "semoor/7")
        assert await store.use_code("activation", digests[-1], NOW, "semoor/7")
    assert await store.put_code(CODE)
    assert await store.put_code(replace(CODE, holder="semoor/8", digest="digest 8"))
    for _ in range(3):
        assert not await store.use_code("activation", "digest 8", NOW, "semoor/7"), "another's code"
    assert not await store.use_code("activation", "digest 1", NOW, "semoor/7")
    assert await use_up(store, "activation", "digest 1", NOW) is None, "a code without tries is no code to anybody"
    assert await store.use_code("activation", "digest 8", NOW, "semoor/8"), "its holder paid nothing"
    assert not await store.use_code("activation", "digest 8", NOW, "nobody")


async def test_a_right_code_too_late_costs_a_try_too(store: SqlStore) -> None:
    assert await store.put_code(CODE)
    for _ in range(3):
        assert not await store.use_code("activation", "digest 1", NOW + 5_000, "semoor/7")
    assert not await store.use_code("activation", "digest 1", NOW, "semoor/7")


async def test_wrong_tries_that_name_no_holder_cost_nothing(store: SqlStore) -> None:
    assert await store.put_code(CODE)
    for number in range(50):
        assert await use_up(store, "activation", f"wrong {number}", NOW) is None
        assert await use_up(store, "activation", "digest 1", NOW + 5_000) is None
    assert await use_up(store, "activation", "digest 1", NOW) == "semoor/7"
