"""How often somebody may try: a window that slides, for each key, in this process.

For what outsiders could use to guess or to annoy: codes, passwords, short messages. Never for payments, since whoever
shares an address with a till could then keep it from selling.
"""

from __future__ import annotations

from collections import OrderedDict, deque

#: Keys are the caller's to invent; beyond so many the one that was quiet longest is forgotten.
_MOST_KEYS = 10_000


class Tries:
    """At most `most` tries of a key within `within_ms`."""

    def __init__(self, most: int, within_ms: int) -> None:
        self._most = most
        self._within_ms = within_ms
        self._at: OrderedDict[str, deque[int]] = OrderedDict()

    def spend(self, key: str, now_ms: int) -> bool:
        """Take one, before trying: many at once must not all find the last one left. False when there is none."""
        at = self._at.setdefault(key, deque())
        self._at.move_to_end(key)
        while at and now_ms - at[0] >= self._within_ms:
            at.popleft()
        if len(at) >= self._most:
            return False
        at.append(now_ms)
        if len(self._at) > _MOST_KEYS:
            self._at.popitem(last=False)
        return True

    def give_back(self, key: str) -> None:
        """The last one was no guess: it went well."""
        if at := self._at.get(key):
            at.pop()
