"""Node numbers: of all processes on one store, no two ever hold the same."""

from __future__ import annotations

import asyncio

import pytest

from anytill.storage import SqlStore
from tests.storage.conftest import Database
from tests.storage.samples import NOW

pytestmark = pytest.mark.anyio

LEASE = 60_000
UNTIL = NOW + LEASE


async def test_whoever_comes_gets_a_number_that_nobody_holds(store: SqlStore) -> None:
    assert [await store.take_node(NOW, UNTIL) for _ in range(5)] == [0, 1, 2, 3, 4]


async def test_a_number_is_given_again_only_when_its_lease_is_over(store: SqlStore) -> None:
    assert await store.take_node(NOW, UNTIL) == 0
    assert await store.take_node(UNTIL, UNTIL + LEASE) == 1, "it is held up to that very moment"
    assert await store.take_node(UNTIL + 1, UNTIL + LEASE) == 0
    assert await store.take_node(UNTIL + 1, UNTIL + LEASE) == 2


async def test_the_holder_keeps_its_number_as_long_as_it_says_so_in_time(store: SqlStore) -> None:
    node = await store.take_node(NOW, UNTIL)
    assert await store.keep_node(node, UNTIL, UNTIL + LEASE)
    assert await store.take_node(UNTIL + 1, UNTIL + 2 * LEASE) != node
    # A lease that ran out and that nobody took meanwhile is still ours.
    assert await store.keep_node(node, UNTIL + LEASE, UNTIL + 9 * LEASE)


async def test_who_has_lost_its_number_is_told(store: SqlStore) -> None:
    node = await store.take_node(NOW, UNTIL)
    assert await store.take_node(UNTIL + 1, UNTIL + LEASE) == node
    assert not await store.keep_node(node, UNTIL, UNTIL + 2 * LEASE)
    # And the new holder did not lose it by that.
    assert await store.keep_node(node, UNTIL + LEASE, UNTIL + 2 * LEASE)


async def test_a_number_that_was_never_given_cannot_be_kept(store: SqlStore) -> None:
    assert not await store.keep_node(7, UNTIL, UNTIL + LEASE)


async def test_many_who_come_at_one_moment_get_different_numbers(database: Database) -> None:
    # One process owns a file; a PostgreSQL has several.
    stores = [await database.open() for _ in range(1 if database.engine == "sqlite" else 3)]
    try:
        taken = await asyncio.gather(*(_of(stores, n).take_node(NOW, UNTIL) for n in range(20)))
        assert sorted(taken) == list(range(20))
        # Half of them stay; those who come when the other leases are over share out what is free, and go on from there.
        await asyncio.gather(*(_of(stores, node).keep_node(node, UNTIL, UNTIL + LEASE) for node in range(10)))
        taken = await asyncio.gather(*(_of(stores, n).take_node(UNTIL + 1, UNTIL + LEASE) for n in range(15)))
        assert sorted(taken) == list(range(10, 25))
    finally:
        for store in stores:
            await store.close()


def _of(stores: list[SqlStore], turn: int) -> SqlStore:
    return stores[turn % len(stores)]


async def test_who_starts_again_finds_what_is_held_there(database: Database) -> None:
    taken = []
    for _ in range(3):
        store = await database.open()
        taken.append(await store.take_node(NOW, UNTIL))
        await store.close()
    assert taken == [0, 1, 2]
