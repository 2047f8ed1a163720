"""What can be wrong with a line, made to happen on purpose, for whoever tries a register against a terminal.

What is answered is right: it only comes badly, or not at all, because of the line or because the power failed before it
was told.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MOST_NOISE_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class LineFaults:
    """Which faults. Without any the line is good."""

    split_bytes: int = 0  # what goes out goes out in pieces of so many bytes, with a pause between them
    pause_ms: int = 5
    noise_every: int = 0  # before each so many-th writing there is noise on the line
    mute_every: int = 0  # each so many-th acknowledgement is swallowed
    power_cut: bool = False  # the terminal's power fails when a payment is made and before it is told
    seed: int = 1


class FaultyWriting:
    """Makes of what is to be written what the faults leave of it."""

    def __init__(self, faults: LineFaults) -> None:
        self._faults = faults
        self._random = random.Random(faults.seed)  # noqa: S311 - noise, and the same each time
        self._writings = self._acknowledgements = 0

    def pieces(self, data: bytes, *, acknowledges: bool) -> Iterator[bytes]:
        """What to write, one after the other."""
        self._acknowledgements += acknowledges
        if acknowledges and _is_due(self._acknowledgements, self._faults.mute_every):
            return
        self._writings += 1
        if _is_due(self._writings, self._faults.noise_every):
            data = self._random.randbytes(self._random.randint(1, _MOST_NOISE_BYTES)) + data
        size = self._faults.split_bytes or len(data)
        for at in range(0, len(data), size):
            yield data[at : at + size]


def _is_due(count: int, every: int) -> bool:
    return every > 0 and count % every == 0
