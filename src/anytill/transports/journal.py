"""Append-only files of lines, each durable before anybody hears of it (`ports.Journal`).

    line 1 \n line 2 \n ... line n \n [what a crash left of line n+1]

Strategy: natural group commit. One thread writes and syncs; lines that arrive meanwhile wait in a list and share the
next write and sync. Nobody waits for a timer, and each append returns after the sync that covers its line.

A line without its end was never answered for, so it is cut off when the file is opened, before anything new can be
glued to it. A write or sync that failed leaves nobody knowing what is on the disk, and a later sync that succeeds would
prove nothing; so the journal refuses everything from then on until it is opened again.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

_OWNER_ONLY: Final = 0o600
_READ_BYTES: Final = 64 * 1024

_Waiting = list[tuple[bytes, "asyncio.Future[None]"]]


class JournalBusy(Exception):
    """Another process has this journal open."""


class JournalBroken(OSError):
    """An earlier write failed, or the journal is closed. Open it again to see what was kept."""


class FileJournal:
    """A journal in a file, held by one process at a time. Implements `ports.Journal`; belongs to one event loop."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and cut off an unfinished last line. Raises JournalBusy, OSError."""
        self._path = path
        self._fd = _open_locked(path)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._waiting: _Waiting = []
        self._writing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._broken: BaseException | None = None
        self._closed = False

    def lines(self) -> Sequence[bytes]:
        """All finished lines in the file, oldest first. Read them before the first append: it reads in one go."""
        return self._path.read_bytes().split(b"\n")[:-1]

    async def append(self, line: bytes) -> None:
        """Write a line; returns when it is durable. Raises JournalBroken when nobody can promise that.

        A line whose append was cancelled, or raised, may be in the file all the same.
        """
        assert b"\n" not in line, "a line of the journal holds a line end"
        if self._closed or self._broken is not None:
            raise JournalBroken(str(self._path)) from self._broken
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, durable))
        if not self._writing:
            self._write_waiting()
        await durable

    async def close(self) -> None:
        """Finish what is in hand, let go of the file, and refuse what comes after."""
        if self._closed:
            return
        self._closed = True
        await self._idle.wait()
        self._writer.shutdown()
        os.close(self._fd)

    def _write_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        self._writing = True
        self._idle.clear()
        loop = asyncio.get_running_loop()
        job = self._writer.submit(self._write_durably, b"".join([line + b"\n" for line, _ in batch]))
        job.add_done_callback(lambda done: loop.call_soon_threadsafe(self._written, batch, done))

    def _write_durably(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fdatasync(self._fd)

    def _written(self, batch: _Waiting, job: Future[None]) -> None:
        self._writing = False
        fault = job.exception()
        if fault is not None:
            self._broken = fault
            batch, self._waiting = batch + self._waiting, []
        for _, durable in batch:
            if durable.done():  # whoever waited was cancelled
                continue
            if fault is None:
                durable.set_result(None)
            else:
                broken = JournalBroken(str(self._path))
                broken.__cause__ = fault
                durable.set_exception(broken)
        if self._waiting:
            self._write_waiting()
        else:
            self._idle.set()


class MemoryJournal:
    """A journal that forgets when the process ends, for tests and measurements. Implements `ports.Journal`."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self._lines = list(lines)

    def lines(self) -> Sequence[bytes]:
        """All lines, oldest first."""
        return tuple(self._lines)

    async def append(self, line: bytes) -> None:
        """Keep a line, and let others run meanwhile as a file would."""
        assert b"\n" not in line, "a line of the journal holds a line end"
        self._lines.append(line)
        await asyncio.sleep(0)

    async def close(self) -> None:
        """There is nothing to let go of."""


def _open_locked(path: Path) -> int:
    is_new = not path.exists()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _OWNER_ONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _cut_unfinished_line(fd)
        if is_new:
            _sync_directory(path.parent)
    except BlockingIOError as busy:
        os.close(fd)
        raise JournalBusy(str(path)) from busy
    except BaseException:
        os.close(fd)
        raise
    return fd


def _cut_unfinished_line(fd: int) -> None:
    size = os.fstat(fd).st_size
    end = size
    while end > 0:
        start = max(end - _READ_BYTES, 0)
        last_end = os.pread(fd, end - start, start).rfind(b"\n")
        if last_end >= 0:
            end = start + last_end + 1
            break
        end = start
    if end < size:
        os.ftruncate(fd, end)
        os.fsync(fd)


def _sync_directory(directory: Path) -> None:
    # Without this the file's name itself may be gone after a power cut, whatever was synced into the file.
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
