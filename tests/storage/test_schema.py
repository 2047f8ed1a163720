"""Migrations lead to the schema that is written down, are applied once, and only by a version that knows them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import apsw
import asyncpg
import pytest

from anytill.storage import open_store, schema
from anytill.storage.queries import EngineName
from tests.storage.conftest import VAULT, Database

pytestmark = pytest.mark.anyio

#: Everything PostgreSQL knows about the tables of a schema, but where the columns stand.
_CATALOGS = (
    (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
        "WHERE table_schema = 'public'"
    ),
    (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace"
    ),
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "SELECT sequencename, sequencename FROM pg_sequences WHERE schemaname = 'public'",
)


def _sqlite_catalog(script: str) -> list[tuple[str, ...]]:
    connection = apsw.Connection(":memory:")
    connection.execute(script)
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
    return sorted(tuple(_bare(str(value)) for value in row) for row in found)


def _bare(sql: str) -> str:
    """A statement without comments, and without the spaces that an added column leaves."""
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(re.sub("--.*", "", sql).split()))


async def _postgres_catalog(dsn: str, script: str) -> list[list[tuple[object, ...]]]:
    session = await asyncpg.connect(dsn)
    try:
        await session.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await session.execute(script)
        return [sorted(tuple(map(str, row)) for row in await session.fetch(query)) for query in _CATALOGS]
    finally:
        await session.close()


def _migrated(engine: EngineName) -> str:
    return "".join(migration.sql for migration in schema.migrations(engine))


async def test_migrations_lead_to_the_schema_on_sqlite() -> None:
    assert _sqlite_catalog(_migrated("sqlite")) == _sqlite_catalog(schema.fresh_schema("sqlite"))


async def test_migrations_lead_to_the_schema_on_postgres(shared_postgres: str) -> None:
    migrated = await _postgres_catalog(shared_postgres, _migrated("postgres"))
    assert migrated == await _postgres_catalog(shared_postgres, schema.fresh_schema("postgres"))
    columns, constraints, *_, sequences = migrated
    assert len(columns) > 40
    assert sequences == []
    for table, name, definition in constraints:
        if table in {"payment", "refund", "notice", "ledger", "shop", "operator", "act"} and not str(
            definition
        ).startswith(("CHECK", "NOT NULL")):
            assert "(merchant_id" in str(definition), f"{name} does not start with merchant_id"


async def test_a_difference_would_be_seen(shared_postgres: str) -> None:
    odd = schema.fresh_schema("sqlite").replace("reserved_fen <= paid_fen", "reserved_fen < paid_fen")
    assert _sqlite_catalog(odd) != _sqlite_catalog(_migrated("sqlite"))
    odd = schema.fresh_schema("postgres").replace("reserved_fen <= paid_fen", "reserved_fen < paid_fen")
    migrated = await _postgres_catalog(shared_postgres, _migrated("postgres"))
    assert await _postgres_catalog(shared_postgres, odd) != migrated


def _database(url: str) -> Database:
    return Database(url, group_commit=True)


@pytest.fixture(params=["sqlite", "postgres"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database without tables."""
    if request.param == "sqlite":
        return _database(f"sqlite:///{tmp_path}/store.db")
    database = _database(request.getfixturevalue("shared_postgres"))
    await database.meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return database


async def test_a_database_of_a_newer_version_is_refused(empty: Database) -> None:
    await (await empty.open()).close()
    newer = len(schema.migrations("sqlite")) + 1
    await empty.meddle("INSERT INTO migration (number, name, checksum) SELECT MAX(number) + 1, 'x', 'x' FROM migration")
    with pytest.raises(schema.WrongSchema, match=f"has migration {newer}"):
        await empty.open()


async def test_an_edited_migration_is_noticed(empty: Database) -> None:
    await (await empty.open()).close()
    await empty.meddle("UPDATE migration SET checksum = 'x' WHERE number = 1")
    with pytest.raises(schema.WrongSchema, match="migration 1 is not the one"):
        await empty.open()


async def test_processes_that_start_together_migrate_once(shared_postgres: str) -> None:
    database = _database(shared_postgres)
    for _ in range(5):
        await database.meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        stores = await asyncio.gather(*(open_store(shared_postgres, vault=VAULT) for _ in range(4)))
        for store in stores:
            await store.close()


def _migration(number: int) -> schema.Migration:
    return schema.Migration(number, "step", f"SELECT {number}")


@pytest.mark.parametrize(("applied", "left"), [(0, [1, 2, 3]), (2, [3]), (3, [])])
async def test_what_is_left_to_apply(applied: int, left: Sequence[int]) -> None:
    known = [_migration(number) for number in (1, 2, 3)]
    done = [(migration.number, migration.checksum) for migration in known[:applied]]
    assert [migration.number for migration in schema.pending(known, done)] == left


async def test_a_gap_in_what_was_applied_is_noticed() -> None:
    known = [_migration(number) for number in (1, 2)]
    with pytest.raises(schema.WrongSchema):
        schema.pending(known, [(2, known[1].checksum)])
