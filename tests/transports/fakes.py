"""What several of these tests need: a watch that remembers, and turns of the event loop."""

from __future__ import annotations

import asyncio


class Remembered:
    """A watch that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, str | int]]] = []
        self.alarms: list[tuple[str, dict[str, str | int]]] = []

    def note(self, event: str, **fields: str | int) -> None:
        self.notes.append((event, fields))

    def alarm(self, event: str, **fields: str | int) -> None:
        self.alarms.append((event, fields))


async def turns(count: int = 10) -> None:
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)
