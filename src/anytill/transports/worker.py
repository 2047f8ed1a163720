"""The loop behind everything that is due later: asks for work, waits for the next moment, survives faults.

Strategy: a round handles what is due and tells when the next thing will be. Until then the loop sleeps on its clock,
but never longer than a second, because another process may have written a row this one has not heard of. A writer in
this process wakes it at once through `Wake`; a clock that is moved on wakes it because it sleeps on that clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

from anytill.ports import Clock, Watch
from anytill.transports.faults import fault_fields

_POLL_MS: Final = 1_000
_FIRST_BACK_OFF_MS: Final = 1_000
_LONGEST_BACK_OFF_MS: Final = 30_000
# A round may leave rows due that others hold just now; without a breath the loop would ask for them without end.
_BREATH_S: Final = 0.005


class Wake:
    """A bell for one sleeping loop. Ringing it twice before it is heard is ringing it once."""

    __slots__ = ("_rung",)

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def set(self) -> None:
        """There is work now."""
        self._rung.set()

    def clear(self) -> None:
        """Whatever was rung so far is being looked after."""
        self._rung.clear()

    async def wait(self) -> None:
        """Until it is rung."""
        await self._rung.wait()


class Crew:
    """Tasks that nobody waits for, until the end: then all of them are."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run it on its own. It looks after its own faults."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for all that were started."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def work(
    claim_and_handle: Callable[[], Awaitable[int | None]],
    clock: Clock,
    wake: Wake,
    stop: asyncio.Event,
    *,
    watch: Watch,
    poll_ms: int = _POLL_MS,
) -> None:
    """Run rounds until `stop` is set; a round that is under way then is finished first.

    `claim_and_handle` does what is due and returns when the next thing is due (in ms since 1970), or None. A round
    that raises is an alarm, and the next one waits: 1 s, 2 s, 4 s ... 30 s, whatever bell rings meanwhile.
    """
    failures = 0
    while not stop.is_set():
        wake.clear()
        try:
            next_due_ms = await claim_and_handle()
        except Exception as fault:  # noqa: BLE001 - one round's bug must not end all later rounds
            watch.alarm("due work failed", **fault_fields(fault))
            back_off_ms = min(_FIRST_BACK_OFF_MS << min(failures, 16), _LONGEST_BACK_OFF_MS)
            failures += 1
            await _first_of(clock.sleep_ms(back_off_ms), stop.wait())
            continue
        failures = 0
        pause_ms = poll_ms if next_due_ms is None else min(next_due_ms - clock.now_ms(), poll_ms)
        pause = clock.sleep_ms(pause_ms) if pause_ms > 0 else asyncio.sleep(_BREATH_S)
        await _first_of(pause, wake.wait(), stop.wait())


async def _first_of(*coroutines: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    unfinished = [task for task in tasks if not task.done()]
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)
