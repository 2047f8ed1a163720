"""A write as a value, and the engine that makes it durable.

The store says what must happen, an engine says when and together with what. A write is applied wholly or not at all.
Its steps run in order; a step that must touch a number of rows and does not ends the write, and the outcome says
which step that was. So engines can put many writes into one transaction, or one write into one statement, without
knowing what a payment is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Protocol

Row = Sequence[Any]

#: How many writes share a transaction at most; more makes client and database take turns instead of working together.
MOST_TOGETHER: Final = 64


class Rejected(ValueError):
    """The database's own rules forbid this row, or it cannot hold a value: a mistake of ours, nothing was written."""


class Taken(Rejected):
    """A unique key of the tables is held by another row; nothing was written."""


class Lane(Enum):
    """Writes of one lane look alike, so that an engine may turn many of them into one statement."""

    ADD_PAYMENT = auto()
    MOVE_PAYMENT = auto()
    MOVE_NOTICE = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One named statement with its values. `must_touch`: how many rows it must write for the write to go on."""

    name: str
    values: Mapping[str, object]
    must_touch: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Steps that belong together. `key` names the row that the first step is about: batches are sorted by it, so that
    two of them never wait for each other.

    Every write must be safe to repeat: its guards see that it happened before. Where a guard cannot tell "I did this"
    from "somebody else did", `witness` is a query that finds a row only if this very write had been written.
    """

    lane: Lane
    key: tuple[str, ...]
    steps: tuple[Step, ...]
    witness: Step | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write: the step that did not touch what it must (nothing was written then), or None and the
    rows that the last step returned."""

    missed: int | None = None
    rows: Sequence[Row] = ()


DONE: Final = Outcome()


class Engine(Protocol):
    """A database. Both methods raise ports.StoreUnavailable when it does not answer."""

    async def write(self, write: Write) -> Outcome:
        """Returns when the write is durable. Raises Rejected. A caller who is cancelled does not cancel the write."""

    async def read(self, name: str, values: Mapping[str, object]) -> Sequence[Row]:
        """The rows of a query, in one look: what was durable when it was asked is seen."""

    async def study(self, name: str) -> Sequence[Row]:
        """As `read`, for a query that takes long: it does not hold up others."""

    async def close(self) -> None:
        """Finishes the writes in hand and lets go."""
