"""Short messages that were never sent: a demo keeps them for whoever plays the person with the mobile.

In memory and bounded. What a real gateway hands to its operator's hook ends here, and is read with the control call
`GET /sandbox/sms` (see control.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anytill.ports import Clock

MOST_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """One message as it would have gone out."""

    at_ms: int
    mobile: str
    text: str


class Outbox:
    """Implements `ports.Sms`; the oldest messages give way to new ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[ShortMessage] = deque(maxlen=MOST_KEPT)

    async def __call__(self, mobile: str, text: str) -> None:
        """Keep it. Never fails."""
        self._kept.append(ShortMessage(self._clock.now_ms(), mobile, text))

    def to(self, mobile: str = "") -> Sequence[ShortMessage]:
        """What went to this mobile, or to all; the newest first."""
        return [each for each in reversed(self._kept) if mobile in ("", each.mobile)]
