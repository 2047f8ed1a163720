"""Times as text, always Beijing time: what every vendor's timestamps mean. To milliseconds since 1970 and back.

    2026-11-18 19:06:40   DASHED
    20261118190640        BARE

As with amounts, each notation has one regular expression of ASCII digits, and there is no float on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from anytill.wire.errors import BadField

_BEIJING: Final = timezone(timedelta(hours=8))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Notation:
    """A way to write a second: six groups of digits, and how that is called for people."""

    expected: str
    grammar: re.Pattern[str]


DASHED: Final = Notation(
    "a time as yyyy-MM-dd HH:mm:ss",
    re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})"),
)
BARE: Final = Notation(
    "a time as yyyyMMddHHmmss", re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")
)


def format_time(at_ms: int) -> str:
    """The second as `2026-11-18 19:06:40`."""
    return _dashed(at_ms // 1_000)


def parse_time(text: str, field: str, notations: Sequence[Notation] = (DASHED,)) -> int:
    """Milliseconds since 1970 from a text in one of the notations. Raises BadField."""
    for notation in notations:
        match = notation.grammar.fullmatch(text)
        if match is not None:
            year, month, day, hour, minute, second = map(int, match.groups())
            try:
                moment = datetime(year, month, day, hour, minute, second, tzinfo=_BEIJING)
            except ValueError:
                break
            return (moment - _EPOCH) // timedelta(milliseconds=1)
    raise BadField(field, notations[0].expected)


@lru_cache(maxsize=1_024)
def _dashed(at_s: int) -> str:
    # Payments of one second share it.
    return (_EPOCH + timedelta(seconds=at_s)).astimezone(_BEIJING).strftime("%Y-%m-%d %H:%M:%S")
