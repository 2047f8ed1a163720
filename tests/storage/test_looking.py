"""Looking at a store while others use it: everything is seen, nothing is changed, and what is no store is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import apsw
import asyncpg
import pytest

from anytill.core.payment import PaymentRef
from anytill.ports import StoreUnavailable
from anytill.storage import WrongSchema, open_store, open_to_look
from tests.storage.conftest import VAULT, Database
from tests.storage.samples import SHOP, a_payment, add_paid, fetched

pytestmark = pytest.mark.anyio


async def test_a_store_in_use_can_be_looked_at(database: Database) -> None:
    owner = await database.open()
    paid = await add_paid(owner)
    looker = await open_to_look(database.url)
    assert await looker.payment(SHOP, paid.ref) == paid
    assert await looker.audit() == []
    assert await owner.add_payment(a_payment(2))
    assert await looker.payment(SHOP, PaymentRef("T2")) == a_payment(2), "what is written later is seen too"
    await looker.close()
    assert await fetched(owner, paid) == paid
    assert await owner.add_payment(a_payment(3)), "the owner has noticed nothing"
    await owner.close()


async def test_a_store_that_nobody_uses_can_be_looked_at(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    owner = await open_store(url, vault=VAULT)
    paid = await add_paid(owner)
    await owner.close()
    looker = await open_to_look(url)
    assert await looker.payment(SHOP, paid.ref) == paid
    owner = await open_store(url, vault=VAULT)
    assert await owner.add_payment(a_payment(2)), "who looks does not own it"
    await owner.close()
    await looker.close()


async def test_who_looks_writes_nothing(database: Database) -> None:
    await (await database.open()).close()
    looker = await open_to_look(database.url)
    with pytest.raises(StoreUnavailable, match="opened to be looked at"):
        await looker.add_payment(a_payment(1))
    # Nor would the database let it.
    with pytest.raises((apsw.ReadOnlyError, StoreUnavailable), match=r"readonly|read-only"):
        await looker._engine.read("put_agent", {"agent_id": "a", "about": "{}"})
    assert await looker.agents() == []
    await looker.close()
    with pytest.raises(StoreUnavailable):
        await looker.payment(SHOP, PaymentRef("T1"))


async def tables_of(dsn: str) -> Sequence[object]:
    session = await asyncpg.connect(dsn)
    try:
        return await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await session.close()


async def test_an_account_that_may_only_read_can_look(shared_postgres: str) -> None:
    database = Database(shared_postgres, group_commit=True)
    await database.meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    owner = await database.open()
    paid = await add_paid(owner)
    await owner.close()
    await database.meddle(
        "DROP ROLE IF EXISTS looks",
        "CREATE ROLE looks LOGIN PASSWORD 'looks'",
        "GRANT USAGE ON SCHEMA public TO looks",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looks",
    )
    try:
        address = urlsplit(shared_postgres)
        account = address._replace(netloc=f"looks:looks@{address.netloc.rpartition('@')[2]}")
        looker = await open_to_look(account.geturl())
        assert await looker.payment(SHOP, paid.ref) == paid
        assert await looker.audit() == []
        await looker.close()
    finally:
        await database.meddle("DROP OWNED BY looks", "DROP ROLE looks")


async def test_an_empty_database_stays_empty(shared_postgres: str) -> None:
    await Database(shared_postgres, group_commit=True).meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    with pytest.raises(WrongSchema, match="no store of anytill"):
        await open_to_look(shared_postgres)
    assert await tables_of(shared_postgres) == []
    with pytest.raises(ValueError, match="a store is sqlite:///path"):
        await open_to_look("store.db")


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"store\.db"):
        await open_to_look(f"sqlite:///{tmp_path}/store.db")
    assert list(tmp_path.iterdir()) == []


def an_empty_file(path: Path) -> None:
    path.touch()


def a_text(path: Path) -> None:
    path.write_text("Dear diary, " * 100)


def anothers_database(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE diary (page TEXT)")
    connection.close()


@pytest.mark.parametrize("make", [an_empty_file, a_text, anothers_database])
async def test_what_is_no_store_is_told_and_left_as_it_is(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "diary.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(WrongSchema, match="no store of anytill"):
        await open_to_look(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_text_is_no_store_to_a_gateway_either(tmp_path: Path) -> None:
    path = tmp_path / "diary.db"
    a_text(path)
    before = path.read_bytes()
    with pytest.raises(WrongSchema, match="no store of anytill"):
        await open_store(f"sqlite:///{path}", vault=VAULT)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DELETE FROM migration", "of an older version"),
        ("INSERT INTO migration SELECT MAX(number) + 1, 'x', 'x' FROM migration", "has migration"),
        ("UPDATE migration SET checksum = 'x'", "is not the one"),
    ],
)
async def test_a_store_of_another_version_is_not_looked_at(database: Database, change: str, told: str) -> None:
    await (await database.open()).close()
    await database.meddle(change)
    with pytest.raises(WrongSchema, match=told):
        await open_to_look(database.url)


async def test_what_a_killed_owner_left_in_its_log_is_seen(tmp_path: Path) -> None:
    owner = await open_store(f"sqlite:///{tmp_path}/store.db", vault=VAULT)
    assert await owner.add_payment(a_payment(1))
    found = tmp_path / "found"
    found.mkdir()
    for name in ("store.db", "store.db-wal"):  # as after a power cut: the log is not copied into the file
        shutil.copy(tmp_path / name, found / name)
    await owner.close()
    looker = await open_to_look(f"sqlite:///{found}/store.db")
    assert await looker.payment(SHOP, PaymentRef("T1")) == a_payment(1)
    await looker.close()
