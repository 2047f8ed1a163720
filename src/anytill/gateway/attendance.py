"""Which credentials are in use, and from where: noted in the store at most once a minute for each.

Nothing waits for it and nothing depends on it but what people look at, and which device an unsigned request for a
receipt may be from; so a note that cannot be written is lost without harm.
"""

from __future__ import annotations

from typing import Final

from anytill.core.device import Sighting
from anytill.core.merchant import Credential
from anytill.gateway.parts import Parts
from anytill.ports import StoreUnavailable

NOTED_EVERY_MS: Final = 60_000
#: Credentials are the operator's to make, but addresses are not: what is remembered is bounded.
_MOST: Final = 10_000


class Attendance:
    """Remembers when each credential was noted last."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._noted: dict[tuple[str, str], tuple[int, str]] = {}

    def mark(self, credential: Credential, peer: str) -> None:
        """The credential was used from this address just now."""
        key = (credential.dialect, credential.login)
        now_ms = self._parts.clock.now_ms()
        noted = self._noted.get(key)
        if noted is not None and noted[1] == peer and now_ms - noted[0] < NOTED_EVERY_MS:
            return
        if len(self._noted) >= _MOST:
            self._noted.clear()
        self._noted[key] = (now_ms, peer)
        self._parts.start(self._write(Sighting(*key, now_ms, peer)))

    async def _write(self, sighting: Sighting) -> None:
        try:
            await self._parts.store.saw(sighting)
        except StoreUnavailable:
            self._noted.pop((sighting.dialect, sighting.login), None)
