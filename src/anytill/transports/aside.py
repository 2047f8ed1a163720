"""A thread for what would hold up the loop (`ports.Aside`): work that computes for long and lets go of the interpreter.

One thread, so that however much is asked for at once, serving keeps the other cores. How much may wait is the caller's
to say: what waits here waits in the order in which it came.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from anytill.ports import Work

T = TypeVar("T")


class OneThread:
    """Implements `ports.Aside`."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")

    async def __call__(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """Finish what is being done; what waits is not done any more."""
        self._thread.shutdown(cancel_futures=True)
