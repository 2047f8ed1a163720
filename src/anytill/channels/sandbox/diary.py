"""How the wallet's book becomes durable before anybody hears of it.

A change is decided and applied to the book in memory in one go, with no await in between, so two calls can never
decide on the same order at once. It is also noted here, under the next number. Before a call answers, whatever it is
and whether it changed anything or only looked, it waits in `kept` until all that has been noted so far is on disk:
so nobody is told what a crash could take back, not even by a call that looked at another call's unfinished change.

A line holds the entries noted since the last line was begun, as a JSON array; a call that has none of its own writes
an empty array and, since lines stand in the order in which they were begun, knows by its return that those before it
are written as well. If writing fails, or its caller is cancelled half way, nobody knows whether the line is there.
Then the next call, whose own line proves nothing without that one, writes its entries once more with everything noted
after them. Reading skips what does not follow the last number that was read: a repeat, or an entry behind a gap, which
was told to nobody before it was repeated.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from anytill.channels.sandbox.book import Book
from anytill.channels.sandbox.records import Entry, entry_name, read_entry
from anytill.ports import Journal


class DamagedBook(ValueError):
    """The journal holds a line that no sandbox has written."""


def replay(lines: Iterable[bytes]) -> tuple[Book, int]:
    """The book that the lines hold, and the number of its last entry. Raises DamagedBook."""
    book = Book()
    last = 0
    for place, line in enumerate(lines, 1):
        try:
            for number, entry in _decode(line):
                if number == last + 1:
                    book.apply(entry)
                    last = number
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise DamagedBook(f"line {place} of the sandbox's journal cannot be read") from fault
    return book, last


class Diary:
    """Numbers entries and brings them to the journal in that order."""

    __slots__ = ("_begun", "_journal", "_kept", "_last", "_waiting")

    def __init__(self, journal: Journal, last: int) -> None:
        """`last` is the number of the last entry that the journal holds already."""
        self._journal = journal
        self._last = last  # noted
        self._begun = last  # in a line that is on disk or on its way there
        self._kept = last  # on disk, and so are all before it
        self._waiting: dict[int, Entry] = {}  # those from _kept + 1 to _last

    def note(self, entry: Entry) -> None:
        """The next entry. It is not durable before `kept` returns."""
        self._last += 1
        self._waiting[self._last] = entry

    async def kept(self) -> None:
        """Returns when everything noted before the call is on disk. Raises what the journal raises."""
        mark = self._last
        first = max(self._begun, self._kept) + 1
        while self._kept < mark:
            await self._write(first)
            first = self._kept + 1  # an earlier line failed, or has not told yet: all that is open, once more

    async def _write(self, first: int) -> None:
        last = self._last
        line = b",".join([_encode(number, self._waiting[number]) for number in range(first, last + 1)])
        self._begun = max(self._begun, last)
        await self._journal.append(b"[" + line + b"]")
        # Lines stand in the order in which they were begun, but whether an earlier one was written only its own call
        # hears. If it has not told yet, this line may stand behind a gap and proves nothing.
        if first <= self._kept + 1:
            for number in range(self._kept + 1, last + 1):
                del self._waiting[number]
            self._kept = max(self._kept, last)


def _encode(number: int, entry: Entry) -> bytes:
    return orjson.dumps({"n": number, entry_name(entry): entry})


def _decode(line: bytes) -> list[tuple[int, Entry]]:
    """A line's entries, numbered. Raises ValueError, KeyError, TypeError or AttributeError for what is none."""
    items = orjson.loads(line)
    if not isinstance(items, list):
        raise TypeError("a line is an array")
    entries = []
    for item in items:
        number = item.pop("n")
        ((name, members),) = item.items()
        entries.append((number, read_entry(name, members)))
    return entries
