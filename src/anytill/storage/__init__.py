"""Rows: the store on a SQLite file or on PostgreSQL.

store       ports.Store, once: each call becomes a write or a query of named statements
register    its half that says who is who (ports.Register)
writes      a write as a value, and what an engine must do with it
sqlite      the engines
postgres
postgres_reader   queries, and what a failure means
postgres_link     one connection
rows        columns <-> records
register_rows
queries     the named statements of queries.sql and queries.register.sql
schema      migrations
vault       secrets at rest
"""

from __future__ import annotations

from anytill.ports import Watch
from anytill.storage.postgres import PostgresEngine
from anytill.storage.postgres_reader import PostgresReader
from anytill.storage.schema import WrongSchema
from anytill.storage.sqlite import InUse, SqliteEngine, SqliteKeeper, SqliteReader
from anytill.storage.store import SqlStore
from anytill.storage.vault import MASTER_KEY_BYTES, Vault

__all__ = ["InUse", "SqlStore", "Vault", "WrongSchema", "open_store", "open_to_keep", "open_to_look"]

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_NO_URL = "a store is sqlite:///path or postgresql://user@host/database"


async def open_store(url: str, *, vault: Vault, group_commit: bool = True, watch: Watch | None = None) -> SqlStore:
    """Open a store and bring its tables up to date.

    `url` is `sqlite:///` and a path (`sqlite:///shop.db` here, `sqlite:////var/lib/shop.db` there) or a
    `postgresql://` address. Raises ValueError for any other, sqlite.InUse, schema.WrongSchema, ports.StoreUnavailable.
    """
    if url.startswith(_SQLITE):
        return SqlStore(SqliteEngine(url.removeprefix(_SQLITE), group_commit=group_commit), vault, watch)
    if url.startswith(_POSTGRES):
        return SqlStore(await PostgresEngine.open(url, group_commit=group_commit, watch=watch), vault, watch)
    raise ValueError(_NO_URL)


async def open_to_keep(url: str, vault: Vault) -> SqlStore:
    """Open a store that a gateway may be using, for a few writes of an administrator. Both see each other's writes.

    The tables are left as they are. Raises what open_store raises but InUse, and FileNotFoundError.
    """
    if url.startswith(_SQLITE):
        return SqlStore(SqliteKeeper(url.removeprefix(_SQLITE)), vault)
    if url.startswith(_POSTGRES):
        return SqlStore(await PostgresEngine.open(url, group_commit=False, migrate=False), vault)
    raise ValueError(_NO_URL)


async def open_to_look(url: str) -> SqlStore:
    """Open a store that others may be using, to read what needs no secrets: its books, and what waits for a person.
    Nothing is written, not even the tables of this version.

    Raises what open_store raises, and FileNotFoundError.
    """
    no_secrets = Vault(bytes(MASTER_KEY_BYTES))
    if url.startswith(_SQLITE):
        return SqlStore(SqliteReader(url.removeprefix(_SQLITE)), no_secrets)
    if url.startswith(_POSTGRES):
        return SqlStore(await PostgresReader.look(url), no_secrets)
    raise ValueError(_NO_URL)
