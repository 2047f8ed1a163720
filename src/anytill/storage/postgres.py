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
    queries                    -> the connections of postgres_reader

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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import asyncpg

from anytill.ports import StoreUnavailable, Watch
from anytill.storage import queries, schema
from anytill.storage.postgres_link import LOST, SETTINGS, Link, words
from anytill.storage.postgres_reader import PostgresReader, check_schema
from anytill.storage.writes import DONE, MOST_TOGETHER, Lane, Outcome, Rejected, Row, Step, Write

#: How often a write that collided with another (deadlock, serialization) is tried in all.
_TRIES: Final = 4

#: A batch finds its rows by key, never by scanning or hashing a table that was small when the plan was made.
_LANE_SETTINGS: Final = SETTINGS | {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}


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


class PostgresEngine(PostgresReader):
    """A PostgreSQL database. Made by `open`."""

    def __init__(self, dsn: str, *, group_commit: bool, watch: Watch | None) -> None:
        super().__init__(dsn, SETTINGS, watch)
        self._most = MOST_TOGETHER if group_commit else 1
        self._queues: dict[Lane, asyncio.Queue[_Waiting | None]] = {lane: asyncio.Queue() for lane in Lane}
        self._workers: list[asyncio.Task[None]] = []
        for lane, plan in _PLANS.items():
            for _ in range(plan.grouped if group_commit else plan.ungrouped):
                link = self._link(_LANE_SETTINGS if plan.together else SETTINGS)
                self._workers.append(asyncio.create_task(self._work(lane, link)))

    @classmethod
    async def open(
        cls, dsn: str, *, group_commit: bool = True, watch: Watch | None = None, migrate: bool = True
    ) -> Self:
        """Bring the tables up to date, or only see that they are, and start. Raises StoreUnavailable,
        schema.WrongSchema."""
        link = Link(dsn, queries.load("postgres"))
        try:
            await _check_durable(link, watch)
            await (_migrate(link) if migrate else check_schema(link))
        except LOST as lost:
            raise StoreUnavailable(words(lost)) from lost
        finally:
            await link.close()
        return cls(dsn, group_commit=group_commit, watch=watch)

    async def write(self, write: Write) -> Outcome:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queues[write.lane].put_nowait((write, future))
        return await future

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for queue in self._queues.values():
            queue.put_nowait(None)
        await asyncio.gather(*self._workers)
        await self._let_go()

    async def _work(self, lane: Lane, link: Link) -> None:
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

    async def _apply(self, link: Link, together: str | None, writes: Sequence[Write]) -> Sequence[_Result]:
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

    async def _together(self, link: Link, name: str, writes: Sequence[Write]) -> Sequence[Outcome]:
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

    async def _alone(self, link: Link, write: Write) -> Outcome:
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
            raise StoreUnavailable(words(collided)) from collided


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


async def _transaction(link: Link, write: Write) -> Outcome:
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


async def _steps(link: Link, write: Write) -> Outcome:
    rows: Sequence[Row] = ()
    for index, step in enumerate(write.steps):
        rows, touched = await link.step(step)
        if step.must_touch is not None and touched != step.must_touch:
            return Outcome(missed=index)
    return Outcome(rows=rows) if rows else DONE


async def _witnessed(link: Link, write: Write) -> bool:
    """Whether a write that now meets somebody's row had been made by its own first try."""
    if write.witness is None:
        return False
    rows, _ = await link.step(write.witness)
    return bool(rows)


async def _check_durable(link: Link, watch: Watch | None) -> None:
    """Refuses a server that forgets what it has confirmed, and says so if it might."""
    connection = await link.connection()
    commit = await connection.fetchval("SHOW synchronous_commit")
    if commit == "off":
        raise StoreUnavailable("synchronous_commit is off: confirmed payments could be lost; switch it on")
    for name, value in (("synchronous_commit", commit), ("fsync", await connection.fetchval("SHOW fsync"))):
        if watch and value in ("local", "off"):
            watch.alarm("store_may_forget", setting=name, value=str(value))


async def _migrate(link: Link) -> None:
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
