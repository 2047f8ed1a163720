"""The tables in which vendors lay their requests down: which fields there are, which of them must be there, and what
each looks like.

    total_fee   required   1 to 9999999999, whole fen        need("total_fee", FEN)
    attach      optional   at most 128 characters            may("attach", ATTACH)

A dialect writes each request as a `Form` of such rows, in the vendor's order and spelling. Reading by it is the only
way from what was sent to what is used: other names stay behind, and an empty field is an absent one. Lengths count
characters. Neither the errors nor `expected` ever say what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from anytill.wire.errors import BadField, MissingField

_Check: TypeAlias = "tuple[str, bool, int, Callable[[str], object] | None, str]"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value looks like: at most so many characters, all of it matching `grammar`; `expected` is for people."""

    expected: str
    max_length: int
    grammar: re.Pattern[str] | None = None
    free: bool = False  # may hold an ampersand, where a signature does not escape it

    def takes(self, value: str) -> bool:
        """Whether the value is one."""
        return len(value) <= self.max_length and (self.grammar is None or self.grammar.fullmatch(value) is not None)


def pattern(expected: str, grammar: str, max_length: int = 64) -> Kind:
    """A kind by its regular expression."""
    return Kind(expected, max_length, re.compile(grammar))


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a request."""

    name: str
    kind: Kind
    required: bool = False


def need(name: str, kind: Kind) -> Row:
    """A field that must be there."""
    return Row(name, kind, required=True)


def may(name: str, kind: Kind) -> Row:
    """A field that may be there."""
    return Row(name, kind)


@dataclass(frozen=True, slots=True)
class Form:
    """A request's table."""

    rows: tuple[Row, ...]
    names: frozenset[str] = field(init=False)
    expected: Mapping[str, str] = field(init=False)  # what each field must be, for people
    _checks: tuple[_Check, ...] = field(init=False, repr=False)  # the rows unpacked: each payment goes through them

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(row.name for row in self.rows))
        object.__setattr__(self, "expected", {row.name: row.kind.expected for row in self.rows})
        object.__setattr__(self, "_checks", tuple(_check(row) for row in self.rows))

    def read(self, sent: Mapping[str, str]) -> dict[str, str]:
        """The known fields in the table's order, each as its row wants it. Raises MissingField or BadField."""
        found: dict[str, str] = {}
        for name, required, max_length, matches, expected in self._checks:
            value = sent.get(name)
            if not value:
                if required:
                    raise MissingField(name)
                continue
            if len(value) > max_length or (matches is not None and matches(value) is None):
                raise BadField(name, expected)
            found[name] = value
        return found


def _check(row: Row) -> _Check:
    kind = row.kind
    return row.name, row.required, kind.max_length, kind.grammar and kind.grammar.fullmatch, kind.expected
