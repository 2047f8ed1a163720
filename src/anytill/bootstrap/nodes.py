"""Which node number this process makes ids under: leased from the store, so that two processes never share one.

Ids are numbers at channels, and a channel may serve several merchants of ours: an id that was given twice could make
one merchant's payment look like another's. So no id is made past the lease. A process that was paused or cut off for
so long refuses to take orders until it holds a number again, of which it may then have another.
"""

from __future__ import annotations

from typing import Final

from anytill.core.ids import IdMaker
from anytill.ports import Clock, Store

LEASE_MS: Final = 60_000
RENEW_MS: Final = 15_000


class NodeHolder:
    """Keeps an id maker supplied with a node number and the time it is good for."""

    def __init__(self, store: Store, clock: Clock, ids: IdMaker) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._node = -1
        self._until_ms = 0  # as the store has it
        self._stretched_ms = 0  # a demo's clock was moved on by so much

    async def take(self) -> None:
        """Hold a number that nobody holds. Raises StoreUnavailable."""
        now_ms = self._clock.now_ms()
        self._until_ms = now_ms + LEASE_MS
        self._node = await self._store.take_node(now_ms, self._until_ms)
        self._grant()

    def stretch(self, ms: int) -> None:
        """The clock is about to be moved on by so much, in a demo, whose store nobody else can have open."""
        self._stretched_ms += ms
        self._grant()

    async def keep(self) -> int:
        """Hold it for longer, or another if it was lost; returns when to do so again."""
        now_ms = self._clock.now_ms()
        until_ms = max(now_ms + LEASE_MS, self._until_ms + 1)
        if await self._store.keep_node(self._node, self._until_ms, until_ms):
            self._until_ms = until_ms
            self._grant()
        else:
            await self.take()
        return now_ms + RENEW_MS

    def _grant(self) -> None:
        # In a demo the lease is longer by all that the clock was moved on: nobody else waits for the number.
        self._ids.grant(self._node, self._until_ms + self._stretched_ms)
