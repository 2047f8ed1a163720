"""The front of a terminal as far as waiting goes: what is asked, by whom it is answered, and when it is too late.

Strategy: one future at a time stands for what a person is asked. Whoever is in front of the terminal (keys, a program,
the clock, the register) ends it; the first one counts and the rest is ignored. What is to be seen goes to a `Display`,
which may be a window or a customer that acts by itself; neither ever holds the terminal up.

The red key is also taken while nothing can be stopped, because the channel is being asked: it counts at the next
moment of waiting within the same payment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from anytill.core.panel import Left, Sight, Stage, Way
from anytill.core.receipt import Receipt
from anytill.core.secret import Secret
from anytill.ports import Clock

#: Puts a receipt on paper, in a thread of its own; raises OSError when there is none.
Paper = Callable[[Receipt], None]

#: Nobody can press a key for the payment before: one that was pressed then is forgotten.
_BETWEEN_PAYMENTS: Final = frozenset({Stage.IDLE, Stage.DONE, Stage.REFUSED, Stage.UNCERTAIN})


class Display(Protocol):
    """Who is told what happens. Every method returns at once."""

    def shown(self, sight: Sight) -> None:
        """This stands on the screen now."""

    def asked(self, way: Way) -> None:
        """Somebody is waited for; `Front.offer` or `Front.red_key` ends it."""

    def printed(self, receipt: Receipt) -> None:
        """This came out of the printer."""

    def went_home(self) -> None:
        """The payment's page was left."""


class Front:
    """Implements `ports.Panel` for one event loop."""

    def __init__(self, clock: Clock, display: Display, paper: Paper | None = None) -> None:
        """Without `paper` receipts are only shown."""
        self._clock = clock
        self._display = display
        self._paper = paper
        self._asked: tuple[Way | None, asyncio.Future[Secret | Left]] | None = None
        self._stage = Stage.IDLE
        self._red = False

    @property
    def way(self) -> Way | None:
        """What a person is asked for just now."""
        return self._asked[0] if self._asked else None

    def show(self, sight: Sight) -> None:
        """See `ports.Panel`."""
        if sight.stage in _BETWEEN_PAYMENTS or self._stage in _BETWEEN_PAYMENTS:
            self._red = False
        self._stage = sight.stage
        self._display.shown(sight)

    async def present(self, way: Way, timeout_ms: int) -> Secret | Left:
        """See `ports.Panel`."""
        return await self._waited(way, timeout_ms)

    async def pause(self, ms: int) -> Left | None:
        """See `ports.Panel`."""
        ended = await self._waited(None, ms)
        return None if ended is Left.TIMED_OUT or isinstance(ended, Secret) else ended

    def withdraw(self) -> None:
        """See `ports.Panel`."""
        self._end(Left.WITHDRAWN)

    async def print(self, receipt: Receipt) -> None:
        """See `ports.Panel`."""
        if self._paper is not None:
            await asyncio.to_thread(self._paper, receipt)
        self._display.printed(receipt)

    def go_home(self) -> None:
        """See `ports.Panel`."""
        self._display.went_home()

    def offer(self, way: Way, what: Secret) -> bool:
        """A person presents something; False when nobody asked for it."""
        return self.way is way and self._end(what)

    def red_key(self) -> None:
        """A person wants to stop."""
        if not self._end(Left.CANCELLED):
            self._red = self._stage not in _BETWEEN_PAYMENTS

    async def _waited(self, way: Way | None, ms: int) -> Secret | Left:
        if self._asked is not None:
            raise RuntimeError("a terminal asks one thing at a time")
        if self._red:
            self._red = False
            return Left.CANCELLED
        future: asyncio.Future[Secret | Left] = asyncio.get_running_loop().create_future()
        self._asked = way, future
        clock = asyncio.ensure_future(self._ring(ms))
        try:
            if way is not None:
                self._display.asked(way)
            return await future
        finally:
            self._asked = None
            clock.cancel()

    async def _ring(self, ms: int) -> None:
        await self._clock.sleep_ms(ms)
        self._end(Left.TIMED_OUT)

    def _end(self, how: Secret | Left) -> bool:
        """True when somebody was waiting for this."""
        if self._asked is None or self._asked[1].done():
            return False
        self._asked[1].set_result(how)
        return True
