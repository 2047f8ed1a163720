"""Time and chance: the clock as it is, one that can be moved on, one that stands still, and randomness.

Whoever sleeps on a clock that can be moved waits for a moment of that clock, not for a stretch of the wall's. Strategy:
sleepers stand in a heap by the moment they wait for; one timer of the event loop is armed for the earliest of them and
armed anew whenever that changes. Nothing polls.

Sleepers count on the monotonic clock plus whatever the clock was moved on, so a step of the wall clock changes what
`now_ms` says and neither shortens nor lengthens a sleep.
"""

from __future__ import annotations

import asyncio
import heapq
import secrets
import time
from itertools import count
from typing import Final

from anytill.ports import LETTERS_AND_DIGITS

_NS_PER_MS: Final = 1_000_000
_LETTERS: Final = LETTERS_AND_DIGITS.encode()
# The largest multiple of 36 below 256: bytes from there on are thrown away, or the first letters would come more often.
_FAIR_BYTES: Final = 256 // len(_LETTERS) * len(_LETTERS)
_LETTER_OF_BYTE: Final = bytes(_LETTERS[byte % len(_LETTERS)] for byte in range(256))
_UNFAIR: Final = bytes(range(_FAIR_BYTES, 256))


class SystemClock:
    """The machine's clock. Implements `ports.Clock`."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // _NS_PER_MS

    async def sleep_ms(self, ms: int) -> None:
        """Wait that long; not at all when it is not positive."""
        await asyncio.sleep(max(ms, 0) / 1000)


class SteadyClock:
    """The machine's clock without its steps: for the patience of a line, which nobody moves. Implements `ports.Clock`,
    except that it counts from an unknown moment."""

    def now_ms(self) -> int:
        """Milliseconds that have passed since some moment."""
        return time.monotonic_ns() // _NS_PER_MS

    async def sleep_ms(self, ms: int) -> None:
        """Wait that long; not at all when it is not positive."""
        await asyncio.sleep(max(ms, 0) / 1000)


class _Sleepers:
    """Futures by the moment they wait for, earliest first."""

    __slots__ = ("_dead", "_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._dead = 0

    def add(self, moment_ms: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (moment_ms, next(self._order), future))
        return future

    def forget_one(self) -> None:
        """A sleeper was cancelled. The heap is swept when half of it is such, so that it cannot grow without end."""
        self._dead += 1
        if self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].done()]
            heapq.heapify(self._heap)
            self._dead = 0

    def wake_until(self, moment_ms: int) -> None:
        while self._heap and self._heap[0][0] <= moment_ms:
            future = heapq.heappop(self._heap)[2]
            if future.done():
                self._dead -= 1
            else:
                future.set_result(None)

    @property
    def earliest_ms(self) -> int | None:
        return self._heap[0][0] if self._heap else None


class MovableClock:
    """A clock that runs and can be moved on, for demo mode. Implements `ports.Clock`; belongs to one event loop."""

    def __init__(self, offset_ms: int = 0) -> None:
        self._offset_ms = offset_ms
        self._sleepers = _Sleepers()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for_ms: int | None = None

    @property
    def offset_ms(self) -> int:
        """How far ahead of the machine's clock this one is. The caller keeps it over a restart."""
        return self._offset_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970, plus the offset."""
        return time.time_ns() // _NS_PER_MS + self._offset_ms

    async def sleep_ms(self, ms: int) -> None:
        """Wait until this clock has gone on by that much, by itself or because it was moved."""
        if ms <= 0:
            await asyncio.sleep(0)
            return
        future = self._sleepers.add(self._elapsed_ms() + ms)
        self._arm()
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():  # and not woken in the same turn
                self._sleepers.forget_one()
            raise

    def advance(self, ms: int) -> None:
        """Move the clock on by `ms` and wake everybody whose moment has come. It never goes back: ValueError."""
        if ms < 0:
            raise ValueError("a clock is not moved back")
        self._offset_ms += ms
        self._ring()

    def _elapsed_ms(self) -> int:
        return time.monotonic_ns() // _NS_PER_MS + self._offset_ms

    def _ring(self) -> None:
        self._armed_for_ms = None
        self._sleepers.wake_until(self._elapsed_ms())
        self._arm()

    def _arm(self) -> None:
        earliest_ms = self._sleepers.earliest_ms
        if earliest_ms == self._armed_for_ms:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_for_ms = earliest_ms
        if earliest_ms is not None:
            delay_s = (earliest_ms - self._elapsed_ms()) / 1000
            self._timer = asyncio.get_running_loop().call_later(max(delay_s, 0), self._ring)


class StandingClock:
    """A clock that stands still until `advance`. With `jump` a sleep itself moves it on and takes no time.

    For simulations and tests: nothing that happens depends on how fast the machine is.
    """

    def __init__(self, now_ms: int = 1_700_000_000_000, *, jump: bool = False) -> None:
        self._now_ms = now_ms
        self._jump = jump
        self._sleepers = _Sleepers()

    def now_ms(self) -> int:
        """Milliseconds since 1970, as set."""
        return self._now_ms

    async def sleep_ms(self, ms: int) -> None:
        """Wait until somebody moves the clock that far; with `jump`, move it."""
        if ms > 0 and not self._jump:
            await self._sleep(ms)
            return
        if ms > 0:
            self.advance(ms)
        await asyncio.sleep(0)

    def advance(self, ms: int) -> None:
        """Move the clock on by `ms` and wake everybody whose moment has come. It never goes back: ValueError."""
        if ms < 0:
            raise ValueError("a clock is not moved back")
        self._now_ms += ms
        self._sleepers.wake_until(self._now_ms)

    async def _sleep(self, ms: int) -> None:
        future = self._sleepers.add(self._now_ms + ms)
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():  # and not woken in the same turn
                self._sleepers.forget_one()
            raise


class SystemChance:
    """The machine's randomness. Implements `ports.Chance`."""

    def token(self, length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
        """`length` characters of the alphabet that nobody can guess, all equally likely."""
        if alphabet != LETTERS_AND_DIGITS:
            return "".join(secrets.choice(alphabet) for _ in range(length))
        letters = b""
        while len(letters) < length:
            letters += secrets.token_bytes(length + 8).translate(_LETTER_OF_BYTE, _UNFAIR)
        return letters[:length].decode()
