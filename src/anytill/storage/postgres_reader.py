"""Looking at a PostgreSQL database: several connections, one for each query under way, and what their failures mean.

A query whose connection breaks is asked once more on a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Self, TypeVar

import asyncpg

from anytill.ports import StoreUnavailable, Watch
from anytill.storage import queries, schema
from anytill.storage.postgres_link import LOOK_ONLY, LOST, Link, words
from anytill.storage.writes import Outcome, Rejected, Row, Taken, Write

T = TypeVar("T")

_READERS: Final = 8

#: The rules of the tables, or a value that PostgreSQL cannot hold. ValueError is what the driver cannot encode.
_FORBIDDEN: Final = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.RaiseError,
    ValueError,
)


class PostgresReader:
    """Looks at a PostgreSQL database and never writes, which the server sees to. An `Engine` but for that. Made by
    `look`."""

    def __init__(self, dsn: str, settings: Mapping[str, str], watch: Watch | None) -> None:
        self._dsn = dsn
        self._settings = settings
        self._statements = queries.load("postgres")
        self._watch = watch
        self._closed = False
        self._silent = False  # the last that was heard of the server is that it does not answer
        self._links: list[Link] = []
        self._readers: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        for _ in range(_READERS):
            self._readers.put_nowait(self._link(settings))

    @classmethod
    async def look(cls, dsn: str) -> Self:
        """See that its tables are of this version, and start. Raises StoreUnavailable, schema.WrongSchema."""
        link = Link(dsn, queries.load("postgres"), LOOK_ONLY)
        try:
            await check_schema(link)
        except LOST as lost:
            raise StoreUnavailable(words(lost)) from lost
        finally:
            await link.close()
        return cls(dsn, LOOK_ONLY, None)

    async def write(self, write: Write) -> Outcome:
        raise StoreUnavailable(f"{write.steps[0].name}: the store was opened to be looked at")

    async def read(self, name: str, values: Mapping[str, object]) -> Sequence[Row]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        arguments = self._statements[name].arguments(values)
        link = await self._readers.get()
        try:
            rows, _ = await self._kept(link, lambda _: link.run(name, arguments))
        finally:
            self._readers.put_nowait(link)
        return rows

    async def study(self, name: str) -> Sequence[Row]:
        link = Link(self._dsn, self._statements, self._settings, command_s=None)
        try:
            rows, _ = await self._kept(link, lambda _: link.run(name, ()))
        finally:
            await link.close()
        return rows

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._let_go()

    async def _let_go(self) -> None:
        await asyncio.gather(*(link.close() for link in self._links), return_exceptions=True)

    def _link(self, settings: Mapping[str, str]) -> Link:
        link = Link(self._dsn, self._statements, settings)
        self._links.append(link)
        return link

    async def _kept(self, link: Link, attempt: Callable[[bool], Awaitable[T]]) -> T:
        """The attempt, and once more on a new connection if this one is lost; `attempt(True)` is that second time.
        Raises StoreUnavailable, Rejected."""
        try:
            try:
                result = await attempt(False)
            except LOST as lost:
                if isinstance(lost, ValueError):
                    raise
                link.drop()
                result = await attempt(True)
        except asyncpg.UniqueViolationError as held:
            raise Taken(str(held)) from held
        except _FORBIDDEN as forbidden:
            raise Rejected(str(forbidden)) from forbidden
        except StoreUnavailable as unavailable:
            self._heard(str(unavailable))
            raise
        except LOST as lost:
            link.drop()
            self._heard(words(lost))
            raise StoreUnavailable(words(lost)) from lost
        if self._silent:
            self._heard("")
        return result

    def _heard(self, trouble: str) -> None:
        """Tells the watch, once, that the server went away or came back."""
        if self._watch and bool(trouble) is not self._silent:
            if trouble:
                self._watch.alarm("store_unavailable", reason=trouble)
            else:
                self._watch.note("store_available")
        self._silent = bool(trouble)


async def check_schema(link: Link) -> None:
    """Raises schema.WrongSchema unless the tables are those of this version."""
    try:
        applied, _ = await link.run("migrations_done", ())
    except asyncpg.UndefinedTableError:
        raise schema.WrongSchema(schema.NO_STORE) from None
    schema.check_current("postgres", applied)
