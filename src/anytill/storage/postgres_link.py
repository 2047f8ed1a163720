"""One connection to PostgreSQL: made when it is needed, its statements prepared once, and thrown away when it broke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from anytill.ports import StoreUnavailable
from anytill.storage import queries
from anytill.storage.writes import Row, Step

_CONNECT_S: Final = 5
_COMMAND_S: Final = 15

SETTINGS: Final = {"application_name": "anytill", "jit": "off"}
#: Of a connection that only looks: the server itself lets nothing be written.
LOOK_ONLY: Final = SETTINGS | {"default_transaction_read_only": "on"}

#: A connection forgets its plans after so many statements. All keys start with merchant_id, and while a table is nearly
#: empty any of them looks as good as the right one: such a plan later walks through all rows of a merchant. It would
#: be kept until the server analyses the table, which is minutes away when a new database meets its first rush.
_REPLAN_AFTER: Final = frozenset(2**power for power in range(2, 17))

#: The connection or the server went away, or cannot write at the moment.
LOST: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
)


class Link:
    """One connection, made when first needed and again after it was lost. Used by one task at a time."""

    def __init__(
        self,
        dsn: str,
        statements: Mapping[str, queries.Statement],
        settings: Mapping[str, str] = SETTINGS,
        command_s: int | None = _COMMAND_S,
    ) -> None:
        self._dsn = dsn
        self._command_s = command_s
        self._statements = statements
        self._settings = settings
        self._server = SessionAttribute.any if settings is LOOK_ONLY else SessionAttribute.read_write
        self._connection: asyncpg.Connection[Any] | None = None
        self._prepared: dict[str, Any] = {}
        self._ran = 0

    async def connection(self) -> asyncpg.Connection[Any]:
        """The connection, to a server that takes writes unless it is only to look. Raises StoreUnavailable when none
        can be made."""
        if self._connection is None or self._connection.is_closed():
            self._prepared, self._ran = {}, 0
            try:
                self._connection = await asyncpg.connect(
                    self._dsn,
                    timeout=_CONNECT_S,
                    command_timeout=self._command_s,
                    server_settings=dict(self._settings),
                    target_session_attrs=self._server,
                )
            except (*LOST, asyncpg.PostgresError) as failure:
                raise StoreUnavailable(words(failure)) from failure
        return self._connection

    async def run(self, name: str, arguments: Sequence[object]) -> tuple[Sequence[Row], int]:
        """Run a named statement: its rows, and how many rows it touched."""
        connection = await self.connection()
        self._ran += 1
        if self._ran in _REPLAN_AFTER:
            await connection.execute("DISCARD PLANS")
        statement = self._prepared.get(name)
        if statement is None:
            statement = self._prepared[name] = await connection.prepare(self._statements[name].sql)
        rows = await statement.fetch(*arguments)
        return rows, int(str(statement.get_statusmsg()).rpartition(" ")[2])

    async def step(self, step: Step) -> tuple[Sequence[Row], int]:
        """Run a step."""
        return await self.run(step.name, self._statements[step.name].arguments(step.values))

    def drop(self) -> None:
        """Let the connection go without a word; the next use makes a new one."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None

    async def close(self) -> None:
        """End the connection politely."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=_CONNECT_S)


def words(failure: Exception) -> str:
    """What a failure says, or its name when it says nothing (as a time-out does)."""
    return str(failure) or type(failure).__name__
