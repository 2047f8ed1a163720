"""A conversation over a line that carries bytes, TCP or serial, as values.

What a line's bytes mean is sans-IO: a `Line` is told what arrived, what is to be said and what time it is, and tells
what came of it as events. Whoever holds the socket or the port writes what it is told to write, hands on what was
received, and calls `wake` when `next_wake_ms` has come. Times are milliseconds of one clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Write:
    """These bytes go out now, after all that went out before."""

    data: bytes = field(repr=False)
    acknowledges: bool = False  # nothing but "your message is here"


@dataclass(frozen=True, slots=True)
class Received:
    """A whole message came. `answers` is the number of the message of ours that it answers, where the line says so."""

    number: int
    message: bytes = field(repr=False)
    answers: int | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The message of this number came once more, because its sender did not hear that it had arrived."""

    number: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Our message of this number has arrived."""

    number: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nobody said in time that our message of this number has arrived. It may have, all the same."""

    number: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side could not take our message of this number, and says so with one of the vendor's codes."""

    number: int
    code: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Bytes that are no message were thrown away."""

    count: int


@dataclass(frozen=True, slots=True)
class Overlong:
    """A message without end: nothing on this line can be understood any more, so it is to be closed."""


Event: TypeAlias = Write | Received | Repeated | Acknowledged | Unheard | Refused | Dropped | Overlong


class Line(Protocol):
    """One end of a line, without the line."""

    full: bool  # set by whoever answers: no further message can be taken at the moment

    @property
    def next_wake_ms(self) -> int | None:
        """When `wake` is due; None when nothing is awaited."""

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        """Bytes arrived, cut anyhow. Nothing is held to be late here, only in `wake`: a process that was held up reads
        first what came meanwhile."""

    def end(self, now_ms: int) -> list[Event]:
        """The other side will say nothing more."""

    def wake(self, now_ms: int) -> list[Event]:
        """Time has passed."""

    def send(self, message: bytes, now_ms: int) -> tuple[int, list[Event]]:
        """Say something: the number it has on this line, and what came of it at once. Raises ValueError for a message
        that the line cannot carry."""
