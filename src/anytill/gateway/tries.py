"""How often somebody may try: a window that slides, for each key, in this process.

For what outsiders could use to guess or to annoy: codes, passwords, short messages. Never for payments, since whoever
shares an address with a till could then keep it from selling.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

#: Keys are the caller's to invent. Beyond so many with a try that still counts, the one that was quiet longest is
#: forgotten. That is more than one agent's limits let it invent in a day: its own names cannot be pushed out by it.
MOST_KEYS: Final = 100_000


class Tries:
    """At most `most` tries of a key within `within_ms`."""

    def __init__(self, most: int, within_ms: int) -> None:
        self._most = most
        self._within_ms = within_ms
        self._at: OrderedDict[str, list[int]] = OrderedDict()  # in the order of their last tries

    def has_room(self, key: str, now_ms: int) -> bool:
        """Whether there is one left."""
        return len(self._counting(key, now_ms)) < self._most

    def spend(self, key: str, now_ms: int) -> bool:
        """Take one, before trying: many at once must not all find the last one left. False when there is none."""
        at = self._counting(key, now_ms)
        if len(at) >= self._most:
            return False
        self._at[key] = [*at, now_ms]
        self._at.move_to_end(key)
        self._forget(now_ms)
        return True

    def give_back(self, key: str) -> None:
        """The last one was no guess: it went well."""
        if at := self._at.get(key):
            at.pop()

    def _counting(self, key: str, now_ms: int) -> list[int]:
        return [at_ms for at_ms in self._at.get(key, ()) if now_ms - at_ms < self._within_ms]

    def _forget(self, now_ms: int) -> None:
        quiet = next(iter(self._at))
        while len(self._at) > MOST_KEYS or not self._counting(quiet, now_ms):
            del self._at[quiet]
            quiet = next(iter(self._at))


def spend_all(now_ms: int, *limits: tuple[Tries, str]) -> bool:
    """Take one try of each, or none: what one limit refuses uses up nothing of another, and is not remembered there."""
    if not all(tries.has_room(key, now_ms) for tries, key in limits):
        return False
    for tries, key in limits:
        tries.spend(key, now_ms)
    return True
