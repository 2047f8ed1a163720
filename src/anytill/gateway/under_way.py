"""How much is going on at each place: a channel, a receiver of notices.

A place that is slow or dead must not hold up the others. So work at a place is not waited for by whoever finds it due;
it is counted, and a place with enough to do is left out until some of it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection


class UnderWay:
    """Counts work by place, with a limit for each place and one in all."""

    __slots__ = ("_at", "_most", "_most_at_one")

    def __init__(self, most: int, most_at_one: int) -> None:
        self._at: Counter[str] = Counter()
        self._most = most
        self._most_at_one = most_at_one

    @property
    def room(self) -> int:
        """How much more may be begun in all."""
        return max(self._most - self._at.total(), 0)

    @property
    def busy(self) -> Collection[str]:
        """Places with enough to do."""
        return [place for place, works in self._at.items() if works >= self._most_at_one]

    def begin(self, place: str) -> bool:
        """Count a piece of work; False if the place had enough to do already."""
        self._at[place] += 1
        return self._at[place] <= self._most_at_one

    def end(self, place: str) -> bool:
        """A piece of work is done; True if there may be room now where there was none."""
        was_full = self._at[place] >= self._most_at_one or not self.room
        self._at[place] -= 1
        if not self._at[place]:
            del self._at[place]
        return was_full
