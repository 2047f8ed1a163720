"""Journals: what was answered for is there after a crash, and what a crash tore is not glued to what comes next."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.ports import Journal
from anytill.transports import journal as journal_module
from anytill.transports.journal import FileJournal, JournalBroken, JournalBusy, MemoryJournal

LINES = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8)


@pytest.mark.anyio
async def test_lines_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "book")
    assert journal.lines() == []
    await journal.append(b"one")
    await journal.append(b"")
    await journal.append("三".encode())
    await journal.close()
    again = FileJournal(tmp_path / "book")
    assert again.lines() == [b"one", b"", "三".encode()]
    await again.close()


@pytest.mark.anyio
async def test_an_append_returns_after_its_line_was_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    really_sync = os.fdatasync

    def sync(fd: int) -> None:
        really_sync(fd)
        synced.append((tmp_path / "book").read_bytes())

    monkeypatch.setattr(os, "fdatasync", sync)
    journal = FileJournal(tmp_path / "book")
    await journal.append(b"line")
    assert synced == [b"line\n"]
    await journal.close()


@pytest.mark.anyio
async def test_lines_that_wait_share_the_next_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_sync_may_end = threading.Event()
    syncs: list[int] = []

    def sync(fd: int) -> None:
        first_sync_may_end.wait(timeout=60)
        syncs.append(fd)

    monkeypatch.setattr(os, "fdatasync", sync)
    journal = FileJournal(tmp_path / "book")
    appends = [asyncio.ensure_future(journal.append(b"%d" % number)) for number in range(50)]
    await asyncio.sleep(0)
    assert not any(append.done() for append in appends)
    first_sync_may_end.set()
    await asyncio.gather(*appends)
    assert len(syncs) == 2
    assert journal.lines() == [b"%d" % number for number in range(50)]
    await journal.close()


@pytest.mark.anyio
@given(lines=LINES, cut=st.integers(0, 180))
async def test_a_crash_at_any_byte_keeps_the_whole_lines_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cut: int
) -> None:
    path = tmp_path_factory.mktemp("crash") / "book"
    whole = b"".join(line + b"\n" for line in lines)
    kept = whole[:cut]
    path.write_bytes(kept)
    journal = FileJournal(path)
    finished = kept.split(b"\n")[:-1]
    assert list(journal.lines()) == finished
    await journal.append(b"next")
    assert list(journal.lines()) == [*finished, b"next"]
    await journal.close()


@pytest.mark.anyio
async def test_a_torn_line_longer_than_one_read_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "book").write_bytes(b"kept\n" + b"x" * 300_000)
    journal = FileJournal(tmp_path / "book")
    assert journal.lines() == [b"kept"]
    assert (tmp_path / "book").stat().st_size == 5
    await journal.close()


@pytest.mark.anyio
async def test_after_a_failed_write_nothing_is_promised_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = FileJournal(tmp_path / "book")
    await journal.append(b"before")

    def full(_fd: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        waiting = [asyncio.ensure_future(journal.append(b"%d" % number)) for number in range(3)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [JournalBroken] * 3
    # The disk is well again, but who knows what it holds.
    with pytest.raises(JournalBroken):
        await journal.append(b"after")
    await journal.close()


@pytest.mark.anyio
async def test_one_process_at_a_time(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "book")
    with pytest.raises(JournalBusy):
        FileJournal(tmp_path / "book")
    await journal.close()
    await FileJournal(tmp_path / "book").close()


@pytest.mark.anyio
async def test_the_name_of_a_new_file_is_durable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(journal_module, "_sync_directory", synced.append)
    await FileJournal(tmp_path / "book").close()
    await FileJournal(tmp_path / "book").close()
    assert synced == [tmp_path]


@pytest.mark.anyio
async def test_closing_finishes_what_is_in_hand_and_refuses_the_rest(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "book")
    appends = [asyncio.ensure_future(journal.append(b"%d" % number)) for number in range(20)]
    await asyncio.sleep(0)
    await journal.close()
    await journal.close()
    await asyncio.gather(*appends)
    assert len((tmp_path / "book").read_bytes().split()) == 20
    with pytest.raises(JournalBroken):
        await journal.append(b"late")


@pytest.mark.anyio
async def test_a_waiter_that_is_cancelled_harms_no_other(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "book")
    appends = [asyncio.ensure_future(journal.append(b"%d" % number)) for number in range(3)]
    await asyncio.sleep(0)
    appends[1].cancel()
    results = await asyncio.gather(*appends, return_exceptions=True)
    assert results[0] is None
    assert results[2] is None
    await journal.close()


@pytest.mark.anyio
async def test_a_line_holds_no_line_end(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "book")
    with pytest.raises(AssertionError):
        await journal.append(b"one\ntwo")
    await journal.close()
    with pytest.raises(AssertionError):
        await MemoryJournal().append(b"one\ntwo")


@pytest.mark.anyio
async def test_only_the_owner_reads_the_file(tmp_path: Path) -> None:
    await FileJournal(tmp_path / "book").close()
    assert (tmp_path / "book").stat().st_mode & 0o777 == 0o600


@pytest.mark.anyio
async def test_the_memory_journal_keeps_lines_in_order() -> None:
    journal: Journal = MemoryJournal([b"old"])
    await journal.append(b"new")
    assert list(journal.lines()) == [b"old", b"new"]
