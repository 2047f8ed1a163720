"""Numbers of which a register was told that nothing is charged, while the gateway has nothing of them.

A trade that ends before anything is sent leaves no record. So its bytes, held up on the way or captured and sent again,
would be a new trade: money after "nothing was charged". So the terminal takes no money for such a number any more.

An inquiry that finds nothing uses up no number: a register may ask first and send the trade then. But a register that
asked, and has whatever waits here taken back after that, takes "there is none" for the end. From then on it is one.

This is known as long as the terminal runs, of the last numbers only.
"""

from __future__ import annotations

from typing import Final

#: How many numbers are remembered.
AT_MOST: Final = 10_000


class SpentNumbers:
    """Those of one terminal. Of trades without a number there is nothing to remember."""

    def __init__(self) -> None:
        self._spent: dict[str, None] = {}  # in the order in which they came, as is the next one
        self._not_found: dict[str, None] = {}

    def __contains__(self, number: str) -> bool:
        return number in self._spent

    def spend(self, number: str) -> None:
        """A trade of this number ended, and nothing was charged."""
        _remember(self._spent, number)

    def not_found(self, number: str) -> None:
        """An inquiry was told that there is none."""
        _remember(self._not_found, number)

    def take_back(self) -> None:
        """A register takes back whatever waits, be it on its way here only."""
        for number in self._not_found:
            self.spend(number)
        self._not_found.clear()


def _remember(numbers: dict[str, None], number: str) -> None:
    if number:
        numbers[number] = None
    if len(numbers) > AT_MOST:
        del numbers[next(iter(numbers))]
