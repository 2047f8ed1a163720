"""The store's engine on PostgreSQL.

Writes travel in lanes. A lane is a queue and a few workers, each with a connection of its own; a worker takes what is
waiting (at most MOST_TOGETHER), makes it durable and answers. In the lanes that every payment may pass, a worker
turns its writes into one statement over arrays (`unnest`), which is one round trip and one commit for all of them;
writes that fit no such statement, and all others, are transactions of their own. Without group commit every worker
takes one write at a time.

    add_payment   -> [ ][ ][ ] -> 2 workers: INSERT … SELECT FROM unnest
    move_payment  -> [ ][ ][ ] -> 2 workers: UPDATE … FROM unnest, with its ledger lines and notices
    move_notice   -> [ ][ ]    -> 1 worker:  UPDATE … FROM unnest
    everything else  [ ]       -> 4 workers: BEGIN … COMMIT
    queries                    -> a list of connections

Isolation is READ COMMITTED: every write is guarded by unique keys and by versions in its WHERE, so there is nothing a
stricter level would add. When a batch fails it is replayed write by write, and one write's fault stays its own.

A connection that breaks is replaced and the write is tried once more on the new one. It may have been written the
first time, with only the answer lost. Trying again is the only safe way to find out: the same insert under the same
unique keys waits for the lost transaction, if that is still in flight, where a SELECT would miss it. The second try
then meets its own row, and the write's witness tells it from somebody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from anytill.ports import StoreUnavailable, Watch
from anytill.storage import queries, schema
from anytill.storage.writes import DONE, MOST_TOGETHER, Lane, Outcome, Rejected, Row, Step, Taken, Write

T = TypeVar("T")

_CONNECT_S: Final = 5
_COMMAND_S: Final = 15
_READERS: Final = 8
#: How often a write that collided with another (deadlock, serialization) is tried in all.
_TRIES: Final = 4

_SETTINGS: Final = {"application_name": "anytill", "jit": "off"}
#: A batch finds its rows by key, never by scanning or hashing a table that was small when the plan was made.
_LANE_SETTINGS: Final = _SETTINGS | {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

#: A connection forgets its plans after so many statements. All keys start with merchant_id, and while a table is nearly
#: empty any of them looks as good as the right one: such a plan later walks through all rows of a merchant. It would
#: be kept until the server analyses the table, which is minutes away when a new database meets its first rush.
_REPLAN_AFTER: Final = frozenset(2**power for power in range(2, 17))

#: The connection or the server went away, or cannot write at the moment.
_LOST: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
)
#: The rules of the tables, or a value that PostgreSQL cannot hold. ValueError is what the driver cannot encode.
_FORBIDDEN: Final = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.RaiseError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a lane works: the statement for many writes, if there is one, and how many workers."""

    together: str | None
    grouped: int
    ungrouped: int


_PLANS: Final = {
    Lane.ADD_PAYMENT: _Plan("add_payments", 2, 8),
    Lane.MOVE_PAYMENT: _Plan("move_payments", 2, 8),
    Lane.MOVE_NOTICE: _Plan("move_notices", 1, 4),
    Lane.OTHER: _Plan(None, 4, 4),
}

_Waiting = tuple[Write, "asyncio.Future[Outcome]"]
_Result = Outcome | Exception


class _Link:
    """One connection, made when first needed and again after it was lost. Used by one task at a time."""

    def __init__(
        self,
        dsn: str,
        statements: Mapping[str, queries.Statement],
        settings: Mapping[str, str] = _SETTINGS,
        command_s: int | None = _COMMAND_S,
    ) -> None:
        self._dsn = dsn
        self._command_s = command_s
        self._statements = statements
        self._settings = settings
        self._connection: asyncpg.Connection[Any] | None = None
        self._prepared: dict[str, Any] = {}
        self._ran = 0

    async def connection(self) -> asyncpg.Connection[Any]:
        """The connection, to a server that takes writes. Raises StoreUnavailable when none can be made."""
        if self._connection is None or self._connection.is_closed():
            self._prepared, self._ran = {}, 0
            try:
                self._connection = await asyncpg.connect(
                    self._dsn,
                    timeout=_CONNECT_S,
                    command_timeout=self._command_s,
                    server_settings=dict(self._settings),
                    target_session_attrs=SessionAttribute.read_write,
                )
            except (*_LOST, asyncpg.PostgresError) as failure:
                raise StoreUnavailable(_words(failure)) from failure
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


class PostgresEngine:
    """A PostgreSQL database. Made by `open`."""

    def __init__(self, dsn: str, *, group_commit: bool, watch: Watch | None) -> None:
        self._dsn = dsn
        self._statements = queries.load("postgres")
        self._watch = watch
        self._closed = False
        self._silent = False  # the last that was heard of the server is that it does not answer
        self._most = MOST_TOGETHER if group_commit else 1
        self._queues: dict[Lane, asyncio.Queue[_Waiting | None]] = {lane: asyncio.Queue() for lane in Lane}
        self._readers: asyncio.LifoQueue[_Link] = asyncio.LifoQueue()
        self._links: list[_Link] = []
        self._workers: list[asyncio.Task[None]] = []
        for _ in range(_READERS):
            self._readers.put_nowait(self._link(_SETTINGS))
        for lane, plan in _PLANS.items():
            for _ in range(plan.grouped if group_commit else plan.ungrouped):
                link = self._link(_LANE_SETTINGS if plan.together else _SETTINGS)
                self._workers.append(asyncio.create_task(self._work(lane, link)))

    @classmethod
    async def open(
        cls, dsn: str, *, group_commit: bool = True, watch: Watch | None = None, migrate: bool = True
    ) -> Self:
        """Bring the tables up to date, or only see that they are, and start. Raises StoreUnavailable,
        schema.WrongSchema."""
        link = _Link(dsn, queries.load("postgres"))
        try:
            await _check_durable(link, watch)
            await (_migrate(link) if migrate else _check_schema(link))
        except _LOST as lost:
            raise StoreUnavailable(_words(lost)) from lost
        finally:
            await link.close()
        return cls(dsn, group_commit=group_commit, watch=watch)

    async def write(self, write: Write) -> Outcome:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queues[write.lane].put_nowait((write, future))
        return await future

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
        link = _Link(self._dsn, self._statements, command_s=None)
        try:
            rows, _ = await self._kept(link, lambda _: link.run(name, ()))
        finally:
            await link.close()
        return rows

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for queue in self._queues.values():
            queue.put_nowait(None)
        await asyncio.gather(*self._workers)
        await asyncio.gather(*(link.close() for link in self._links), return_exceptions=True)

    def _link(self, settings: Mapping[str, str]) -> _Link:
        link = _Link(self._dsn, self._statements, settings)
        self._links.append(link)
        return link

    async def _work(self, lane: Lane, link: _Link) -> None:
        """A worker's life: take what waits, make it durable, answer."""
        queue = self._queues[lane]
        while waiting := await queue.get():
            batch = [waiting]
            while len(batch) < self._most and not queue.empty() and _PLANS[lane].together:
                following = queue.get_nowait()
                if following is None:
                    queue.put_nowait(None)
                    break
                batch.append(following)
            batch.sort(key=lambda waiting: waiting[0].key)
            results = await self._apply(link, _PLANS[lane].together, [write for write, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():  # its caller was cancelled
                    continue
                if isinstance(result, Outcome):
                    future.set_result(result)
                else:
                    future.set_exception(result)
        queue.put_nowait(None)  # for the next worker of this lane

    async def _apply(self, link: _Link, together: str | None, writes: Sequence[Write]) -> Sequence[_Result]:
        """Applies the writes, together where that is possible. The results are in the order of the writes."""
        results: dict[int, _Result] = {}
        batch = _alike(writes) if together else []
        if together and (len(batch) > 1 or (batch and len(writes[batch[0]].steps) > 1)):
            try:
                outcomes = await self._together(link, together, [writes[index] for index in batch])
                results.update(zip(batch, outcomes, strict=True))
            except (Rejected, asyncpg.TransactionRollbackError):
                pass  # each write is tried alone, and hears its own fault
            except Exception as failure:  # noqa: BLE001  (whatever it is, it belongs to those who wait)
                results.update((index, failure) for index in batch)
        for index, write in enumerate(writes):
            if index not in results:
                try:
                    results[index] = await self._alone(link, write)
                except Exception as failure:  # noqa: BLE001  (whatever it is, it belongs to who waits)
                    results[index] = failure
        return [results[index] for index in range(len(writes))]

    async def _together(self, link: _Link, name: str, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Many writes in one statement, which returns the keys of those it made."""
        by_step = [{step.name: step.values for step in write.steps} for write in writes]
        columns = [parameter.partition("__") for parameter in self._statements[name].parameters]
        arrays = [[row[step][column] if step in row else None for row in by_step] for step, _, column in columns]

        async def attempt(again: bool) -> Sequence[Outcome]:
            rows, _ = await link.run(name, arrays)
            made = {tuple(row) for row in rows}
            return [
                DONE if write.key in made or (again and await _witnessed(link, write)) else Outcome(missed=0)
                for write in writes
            ]

        return await self._kept(link, attempt)

    async def _alone(self, link: _Link, write: Write) -> Outcome:
        """One write in a transaction of its own."""

        async def attempt(again: bool) -> Outcome:
            outcome = await _transaction(link, write)
            if again and outcome.missed is not None and await _witnessed(link, write):
                return DONE
            return outcome

        for _ in range(_TRIES - 1):
            try:
                return await self._kept(link, attempt)
            except asyncpg.TransactionRollbackError:
                continue
        try:
            return await self._kept(link, attempt)
        except asyncpg.TransactionRollbackError as collided:
            raise StoreUnavailable(_words(collided)) from collided

    async def _kept(self, link: _Link, attempt: Callable[[bool], Awaitable[T]]) -> T:
        """The attempt, and once more on a new connection if this one is lost; `attempt(True)` is that second time.
        Raises StoreUnavailable, Rejected."""
        try:
            try:
                result = await attempt(False)
            except _LOST as lost:
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
        except _LOST as lost:
            link.drop()
            self._heard(_words(lost))
            raise StoreUnavailable(_words(lost)) from lost
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


def _alike(writes: Sequence[Write]) -> list[int]:
    """Which of the writes fit into one statement: one for each key, and none with two steps of one name."""
    seen: set[tuple[str, ...]] = set()
    fitting: list[int] = []
    for index, write in enumerate(writes):
        names = [step.name for step in write.steps]
        if write.key not in seen and len(set(names)) == len(names):
            fitting.append(index)
        seen.add(write.key)
    return fitting


async def _transaction(link: _Link, write: Write) -> Outcome:
    """A single statement is a transaction by itself; more need BEGIN and COMMIT."""
    if len(write.steps) == 1:
        return await _steps(link, write)
    connection = await link.connection()
    await connection.execute("BEGIN")
    try:
        outcome = await _steps(link, write)
    except BaseException:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT" if outcome.missed is None else "ROLLBACK")
    return outcome


async def _steps(link: _Link, write: Write) -> Outcome:
    rows: Sequence[Row] = ()
    for index, step in enumerate(write.steps):
        rows, touched = await link.step(step)
        if step.must_touch is not None and touched != step.must_touch:
            return Outcome(missed=index)
    return Outcome(rows=rows) if rows else DONE


async def _witnessed(link: _Link, write: Write) -> bool:
    """Whether a write that now meets somebody's row had been made by its own first try."""
    if write.witness is None:
        return False
    rows, _ = await link.step(write.witness)
    return bool(rows)


async def _check_durable(link: _Link, watch: Watch | None) -> None:
    """Refuses a server that forgets what it has confirmed, and says so if it might."""
    connection = await link.connection()
    commit = await connection.fetchval("SHOW synchronous_commit")
    if commit == "off":
        raise StoreUnavailable("synchronous_commit is off: confirmed payments could be lost; switch it on")
    for name, value in (("synchronous_commit", commit), ("fsync", await connection.fetchval("SHOW fsync"))):
        if watch and value in ("local", "off"):
            watch.alarm("store_may_forget", setting=name, value=str(value))


async def _check_schema(link: _Link) -> None:
    try:
        applied, _ = await link.run("migrations_done", ())
    except asyncpg.UndefinedTableError:
        raise schema.WrongSchema(schema.NO_STORE) from None
    schema.check_current("postgres", applied)


async def _migrate(link: _Link) -> None:
    connection = await link.connection()
    # Another process that starts at the same moment may have just made it.
    with contextlib.suppress(asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.DuplicateTableError):
        await connection.execute(schema.register())
    applied, _ = await link.run("migrations_done", ())
    for migration in schema.pending(schema.migrations("postgres"), applied):
        async with connection.transaction():
            _, recorded = await link.step(Step("record_migration", migration.record))
            if recorded:
                await connection.execute(migration.sql)


def _words(failure: Exception) -> str:
    """What a failure says, or its name when it says nothing (as a time-out does)."""
    return str(failure) or type(failure).__name__
