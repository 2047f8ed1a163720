"""The store's engine on a SQLite file.

One thread owns the connection that writes. It takes whatever writes are waiting (at most MOST_TOGETHER), applies them
in one transaction, commits, and answers all of them in one call to the event loop. Writes that arrive meanwhile wait
for the next round; no timer is involved. Inside the shared transaction each write stands in a savepoint of its own,
so that one write's fault stays its own; if the transaction fails all the same, each write is tried again alone.

Reads use a second connection on the event loop's own thread: a look by key takes some ten microseconds, less than a
hop to another thread, and in WAL mode it never waits for the writer. `study` opens a connection in a thread instead.

Durable means `synchronous=FULL`: the write-ahead log is synced before a commit returns. One process owns a file. The
owner holds an exclusive transaction on a small neighbour file (`….owner`), a lock that the operating system releases
however the process ends.

A keeper writes beside the owner, a little now and then: which merchants there are, and who may speak for them. SQLite
lets one of the two write at a time and the other wait (`BEGIN IMMEDIATE` and a busy handler), and every statement has
its guards, so nothing is lost; two processes that take money would only stand in each other's way.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import apsw

from anytill.ports import StoreUnavailable
from anytill.storage import queries, schema
from anytill.storage.writes import DONE, MOST_TOGETHER, Outcome, Rejected, Row, Taken, Write

_BUSY_MS: Final = 5_000
#: After this many pages the log is copied into the file, and afterwards cut back to at most this many bytes.
_CHECKPOINT_PAGES: Final = 1_000
_LOG_BYTES: Final = 64 * 1024 * 1024

#: The rules of the tables, or a value that SQLite cannot hold.
_FORBIDDEN: Final = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    OverflowError,
    UnicodeEncodeError,
    TypeError,
)
_UNIQUE: Final = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)
#: The file or the disk, not what we asked for.
_BROKEN: Final = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.ConnectionClosedError,
)


class InUse(Exception):
    """Another process has this database open: stop it first, or use PostgreSQL for several processes."""


_Result = Outcome | Exception
_Waiting = tuple[Write, "asyncio.Future[Outcome]"]


class SqliteReader:
    """Looks at a SQLite file and never writes; another process may own it meanwhile. An `Engine` but for that."""

    def __init__(self, path: str) -> None:
        """Raises FileNotFoundError, schema.WrongSchema when a writer of this version never opened it."""
        if not Path(path).is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self._path = path
        self._statements = queries.load("sqlite")
        self._reader = _connect_to_look(path)
        self._closed = False
        try:
            _check_schema(self._reader, self._statements)
        except BaseException:
            self._reader.close()
            raise

    async def write(self, write: Write) -> Outcome:
        raise StoreUnavailable(f"{write.steps[0].name}: the store was opened to be looked at")

    async def read(self, name: str, values: Mapping[str, object]) -> Sequence[Row]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return self._select(self._reader, name, values)

    async def study(self, name: str) -> Sequence[Row]:
        return await asyncio.to_thread(self._study, name)

    async def close(self) -> None:
        self._closed = True
        self._reader.close()

    def _study(self, name: str) -> Sequence[Row]:
        connection = _connect_to_look(self._path)
        try:
            return self._select(connection, name, {})
        finally:
            connection.close()

    def _select(self, connection: apsw.Connection, name: str, values: Mapping[str, object]) -> Sequence[Row]:
        statement = self._statements[name]
        try:
            return connection.execute(statement.sql, statement.arguments(values)).fetchall()
        except _BROKEN as broken:
            raise StoreUnavailable(str(broken)) from broken


class SqliteKeeper(SqliteReader):
    """Writes to a SQLite file that another process may own. `group_commit=False` gives each write a transaction of its
    own."""

    def __init__(self, path: str, *, group_commit: bool = False) -> None:
        """Raises what SqliteReader raises: the file and its tables are there already."""
        super().__init__(path)
        self._most = MOST_TOGETHER if group_commit else 1
        try:
            self._writer = _connect_to_write(path)
        except BaseException:
            self._reader.close()
            raise
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="anytill-sqlite", daemon=True)
        self._thread.start()

    async def write(self, write: Write) -> Outcome:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.put((write, future))
        return await future

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True  # no more writes; those in the queue are finished
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        await super().close()
        self._writer.close()

    # What follows runs on the writing thread.

    def _write_all(self) -> None:
        while waiting := self._queue.get():
            batch = [waiting]
            try:
                while len(batch) < self._most:
                    following = self._queue.get_nowait()
                    if following is None:
                        self._queue.put(None)
                        break
                    batch.append(following)
            except Empty:
                pass
            batch.sort(key=lambda waiting: waiting[0].key)
            _deliver([future for _, future in batch], self._apply([write for write, _ in batch]))

    def _apply(self, writes: Sequence[Write]) -> Sequence[_Result]:
        """Applies the writes together, or one by one if that fails."""
        try:
            return self._commit(writes)
        except _BROKEN as broken:  # alone they would fare no better
            return [_told(broken) for _ in writes]
        except Exception as failure:  # noqa: BLE001  (whatever it is, it belongs to those who wait)
            if len(writes) == 1:
                return [_told(failure)]
        return [result for write in writes for result in self._apply([write])]

    def _commit(self, writes: Sequence[Write]) -> Sequence[_Result]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            results = [self._guarded(write) for write in writes]
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise
        return results

    def _guarded(self, write: Write) -> _Result:
        """Applies one write wholly or not at all, inside the transaction."""
        if len(write.steps) == 1:  # a single statement undoes itself when it fails
            try:
                return self._steps(write)
            except _FORBIDDEN as forbidden:
                return _told(forbidden)
        self._writer.execute("SAVEPOINT one_write")
        result: _Result
        try:
            result = self._steps(write)
        except _FORBIDDEN as forbidden:
            result = _told(forbidden)
        if not isinstance(result, Outcome) or result.missed is not None:
            self._writer.execute("ROLLBACK TO one_write")
        self._writer.execute("RELEASE one_write")
        return result

    def _steps(self, write: Write) -> Outcome:
        rows: Sequence[Row] = ()
        for index, step in enumerate(write.steps):
            statement = self._statements[step.name]
            arguments = statement.arguments(step.values)
            rows = self._writer.execute(statement.sql, arguments).fetchall()
            if step.must_touch is not None and self._writer.changes() != step.must_touch:
                return Outcome(missed=index)
        return Outcome(rows=rows) if rows else DONE


class SqliteEngine(SqliteKeeper):
    """One SQLite file, owned."""

    def __init__(self, path: str, *, group_commit: bool = True) -> None:
        """Opens the file, makes it if needed and brings its tables up to date. Raises InUse, schema.WrongSchema."""
        if not path or path == ":memory:":
            raise ValueError("a SQLite store needs a file: sqlite:///anytill.db")
        self._owner = _own(path)
        try:
            _migrate(path)
            super().__init__(path, group_commit=group_commit)
        except BaseException:
            self._owner.close()
            raise

    async def close(self) -> None:
        await super().close()
        self._owner.close()


def _connect_to_look(path: str) -> apsw.Connection:
    # Not even a file that proves to be somebody else's is changed by being looked at.
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(_BUSY_MS)
    return connection


def _connect_to_write(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    connection.set_busy_handler(_Patience())
    try:
        connection.pragma("journal_mode", "wal")
    except apsw.NotADBError:
        connection.close()
        raise schema.WrongSchema(schema.NO_STORE) from None
    connection.pragma("synchronous", "FULL")
    connection.pragma("foreign_keys", True)
    connection.pragma("wal_autocheckpoint", _CHECKPOINT_PAGES)
    connection.pragma("journal_size_limit", _LOG_BYTES)
    return connection


class _Patience:
    """How a writer waits for another: it looks again every millisecond, for as long as a busy timeout would let it.

    SQLite's own handler looks ever more rarely, at last ten times a second: beside a process that writes again and
    again it would find the file locked each time, and give up.
    """

    def __init__(self) -> None:
        self._until_s = 0.0

    def __call__(self, looks: int) -> bool:
        if not looks:
            self._until_s = time.monotonic() + _BUSY_MS / 1_000
        time.sleep(0.001)
        return time.monotonic() < self._until_s


def _own(path: str) -> apsw.Connection:
    """Takes the lock that makes this process the file's only writer. Both files are for our account alone."""
    for name in (path, f"{path}.owner"):
        os.close(os.open(name, os.O_CREAT | os.O_RDWR, 0o600))
    owner = apsw.Connection(f"{path}.owner")
    try:
        owner.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError:
        owner.close()
        raise InUse(f"{Path(path).resolve()} is in use by another process") from None
    return owner


def _check_schema(connection: apsw.Connection, statements: Mapping[str, queries.Statement]) -> None:
    try:
        applied = connection.execute(statements["migrations_done"].sql).fetchall()
    except (apsw.SQLError, apsw.NotADBError):
        raise schema.WrongSchema(schema.NO_STORE) from None
    schema.check_current("sqlite", applied)


def _migrate(path: str) -> None:
    connection = _connect_to_write(path)
    try:
        connection.execute(schema.register())
        statements = queries.load("sqlite")
        applied = connection.execute(statements["migrations_done"].sql).fetchall()
        record = statements["record_migration"]
        for migration in schema.pending(schema.migrations("sqlite"), applied):
            with connection:
                connection.execute(record.sql, record.arguments(migration.record))
                connection.execute(migration.sql)
    finally:
        connection.close()


def _told(failure: Exception) -> Exception:
    """The failure in the words of the store."""
    told: Exception = failure
    if isinstance(failure, apsw.ConstraintError) and getattr(failure, "extendedresult", 0) in _UNIQUE:
        told = Taken(str(failure))
    elif isinstance(failure, _FORBIDDEN):
        told = Rejected(str(failure))
    elif isinstance(failure, _BROKEN):
        told = StoreUnavailable(str(failure))
    if told is not failure:
        told.__cause__ = failure
    return told


def _deliver(futures: Sequence[asyncio.Future[Outcome]], results: Sequence[_Result]) -> None:
    """Hands the results to the event loop, in one call for all of them."""
    # A loop that is closed has nobody left who waits; the writes are durable all the same.
    loop = futures[0].get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(_answer, futures, results)


def _answer(futures: Sequence[asyncio.Future[Outcome]], results: Sequence[_Result]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.done():  # its caller was cancelled
            continue
        if isinstance(result, Outcome):
            future.set_result(result)
        else:
            future.set_exception(result)
