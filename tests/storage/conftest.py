"""Stores to test: every test that asks for `store` runs on both databases, with writes grouped and one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import asyncpg
import pytest

from anytill.storage import SqlStore, Vault, open_store, open_to_keep
from tests.postgres import Server, fresh_database

VAULT = Vault(b"k" * 32)


@dataclass(frozen=True)
class Database:
    """A database of a test's own: how to open a store on it, and how to meddle with it behind the store's back."""

    url: str
    group_commit: bool

    @property
    def engine(self) -> str:
        return self.url.partition(":")[0].replace("postgresql", "postgres")

    async def open(self) -> SqlStore:
        return await open_store(self.url, vault=VAULT, group_commit=self.group_commit)

    async def meddle(self, *statements: str) -> None:
        """Run statements as somebody who has the database's password would, with SQLite's own rules switched off."""
        if self.engine == "sqlite":
            with apsw.Connection(self.url.removeprefix("sqlite:///")) as connection:
                connection.pragma("ignore_check_constraints", True)
                for statement in statements:
                    connection.execute(statement)
            connection.close()
            return
        session = await asyncpg.connect(self.url)
        try:
            for statement in statements:
                await session.execute(statement)
        finally:
            await session.close()


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: Server) -> Iterator[str]:
    """One database for all tests of this folder that can do with an emptied one: making one takes much longer."""
    with fresh_database(postgres_server.dsn) as dsn:
        yield dsn


@pytest.fixture(params=["sqlite-grouped", "sqlite-single", "postgres-grouped", "postgres-single"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    engine, _, mode = request.param.partition("-")
    if engine == "sqlite":
        return Database(f"sqlite:///{tmp_path}/store.db", group_commit=mode == "grouped")
    database = Database(request.getfixturevalue("shared_postgres"), group_commit=mode == "grouped")
    await database.meddle("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return database


@pytest.fixture
async def store(database: Database) -> AsyncIterator[SqlStore]:
    """A store whose books are in order when the test ends; a test that puts them out of order opens its own."""
    opened = await database.open()
    try:
        yield opened
        assert await opened.audit() == []
    finally:
        await opened.close()


@pytest.fixture
async def doors(database: Database) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    """Two doors to one database: two processes on PostgreSQL, a gateway and a keeper on a file."""
    first = await database.open()
    second = await (database.open() if database.engine == "postgres" else open_to_keep(database.url, VAULT))
    yield first, second
    await second.close()
    await first.close()
