"""Numbers for payments, refunds and notices: 20 digits, rising with time, made in the process.

    1 yyMMddHHmmss ffff nnn
    |      |         |   '-- the node that made it (0 … 999)
    |      |         '------ ten-thousandths of a second
    |      '---------------- Beijing time
    '----------------------- so that the number never starts with 0

Every vendor's field for a platform number takes 20 digits. A maker never gives a number twice: when more than ten are
asked for in a millisecond it runs ahead of the clock, and when the clock steps back it stays where it was.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NODES = 1_000
_TICKS_PER_MS = 10


class NoNode(RuntimeError):
    """No node number is held now, so no id can be made that is surely nobody else's."""


class IdMaker:
    """Makes ids under the node number that was granted, and only as long as it is. Two processes never hold one."""

    __slots__ = ("_last_tick", "_node", "_until_tick")

    def __init__(self) -> None:
        self._node = -1
        self._until_tick = -1
        self._last_tick = -1

    def grant(self, node: int, until_ms: int) -> None:
        """From now to `until_ms` (since 1970) ids of this node are ours to make."""
        if not 0 <= node < NODES:
            raise ValueError(f"node must be 0 to {NODES - 1}")
        self._node = node
        self._until_tick = until_ms * _TICKS_PER_MS

    def make(self, now_ms: int) -> str:
        """The next id; `now_ms` is wall-clock time in milliseconds since 1970. Raises NoNode."""
        tick = max(self._last_tick + 1, now_ms * _TICKS_PER_MS)
        if tick >= self._until_tick:
            raise NoNode("the node number's lease is over")
        self._last_tick = tick
        second, fraction = divmod(self._last_tick, 1_000 * _TICKS_PER_MS)
        return f"1{_second_text(second)[2:]}{fraction:04d}{self._node:03d}"


def beijing(at_ms: int) -> datetime:
    """The moment as Beijing time, which is what every vendor's timestamps mean. Exact: no float is involved."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(BEIJING)


def beijing_text(at_ms: int) -> str:
    """The moment as yyyyMMddHHmmss in Beijing time."""
    return _second_text(at_ms // 1_000)


@lru_cache(maxsize=1_024)
def _second_text(at_s: int) -> str:
    # Payments of one second share it.
    return beijing(at_s * 1_000).strftime("%Y%m%d%H%M%S")


def beijing_ms(moment: datetime) -> int:
    """The inverse for a datetime whose figures mean Beijing time, whatever zone it names: ms since 1970."""
    return (moment.replace(tzinfo=BEIJING) - _EPOCH) // timedelta(milliseconds=1)
