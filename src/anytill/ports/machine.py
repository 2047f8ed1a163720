"""What the machine we run on gives: time, randomness, a second thread, lines in a file, and somebody who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, TypeVar


class Clock(Protocol):
    """Time. In demo mode it can be moved on; in tests it stands still until told."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""

    async def sleep_ms(self, ms: int) -> None:
        """Wait that long on this clock."""


#: Lower case, so that nobody has to tell them apart when they are read out.
LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Chance(Protocol):
    """Randomness, for nonces, keys, codes and tickets."""

    def token(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        """`length` characters of the alphabet that nobody can guess."""


T = TypeVar("T")
Work: TypeAlias = Callable[[], T]


class Aside(Protocol):
    """How what computes for long is done: beside the loop that serves everybody."""

    async def __call__(self, work: Work[T]) -> T:
        """What the work returns, or raises."""


class Journal(Protocol):
    """An append-only file of lines: the sandbox wallet's own book, a register's journal."""

    def lines(self) -> Sequence[bytes]:
        """What was written before, oldest first; an unfinished last line is left out."""

    async def append(self, line: bytes) -> None:
        """Write a line (without its end); returns when it is durable. Lines stand in the order of the calls. Raises
        OSError when it cannot be written; whether it was is then unknown, as it is when the caller is cancelled."""

    async def close(self) -> None:
        """Finish what is in hand and let go."""


class Watch(Protocol):
    """Who is told what happens: logs and metrics. Fields never hold a key, a full pay code or a signature."""

    def note(self, event: str, **fields: str | int) -> None:
        """Something happened."""

    def alarm(self, event: str, **fields: str | int) -> None:
        """A person must look."""

    def fault(self, where: str, fault: Exception, **fields: str | int) -> None:
        """A bug of ours, caught: an alarm that tells where it was; what an exception says may hold secrets."""
