"""What all changes of who is who have in common: the line that tells of each, and why one is not made."""

from __future__ import annotations

from anytill.core.device import Act
from anytill.core.ids import beijing_text
from anytill.ports import Chance, Clock


class NotThere(LookupError):
    """What was named does not exist."""


class AlreadyThere(ValueError):
    """A number or name is taken."""


class ChangedMeanwhile(RuntimeError):
    """Somebody else changed it between our look and our write. Nothing was written."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was changed by somebody else at this moment: look, and try again")


class Acts:
    """Writes the lines for the record of what was done."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance

    def act(self, actor: str, what: str, subject: str, merchant_id: str = "", **about: str) -> Act:
        """Such a line, as of now; `what` as in docs/en/devices.md."""
        now_ms = self._clock.now_ms()
        act_id = f"{beijing_text(now_ms)}{now_ms % 1_000:03d}{self._chance.token(8)}"
        return Act(act_id, now_ms, actor, what, subject, merchant_id, about)
