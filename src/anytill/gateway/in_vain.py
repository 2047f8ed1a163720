"""Requests that found nothing to act on, remembered for ever.

Where a protocol's requests bear no time, whoever has captured one that found nothing could send it again once there is
something. But a till also takes a sale back that is still on its way, and sends the same until it hears yes. So a
request reaches what was made within minutes after it first came, and nothing later. It is kept as a one-time code that
nobody uses, since of those the store keeps the first of each, with its time.
"""

from __future__ import annotations

from typing import Final

from anytill.core import retry
from anytill.core.device import OneTimeCode
from anytill.core.payment import Payment, fingerprint
from anytill.ports import Clock, Register

#: How long after a request the sale that it means may still arrive.
ON_ITS_WAY_MS: Final = 5 * retry.MINUTE
_PURPOSE: Final = "in vain"
#: Before any request came, so that none of them was too old.
_BEGINNING_MS: Final = 0


class InVain:
    """All such requests; each is known by a text of its own, for one merchant."""

    def __init__(self, register: Register, clock: Clock) -> None:
        self._register = register
        self._clock = clock

    async def remember(self, merchant_id: str, request: str) -> None:
        """This request found nothing, now or before."""
        now, digest = self._clock.now_ms(), fingerprint(merchant_id, request)
        code = OneTimeCode(_PURPOSE, digest, digest, now, now + ON_ITS_WAY_MS)
        await self._register.put_code(code, not_since_ms=-1)

    async def is_over(self, request: str, payment: Payment) -> bool:
        """Whether this request found nothing so long before the payment was made that it cannot have meant it."""
        digest = fingerprint(payment.merchant_id, request)
        if await self._register.code_holder(_PURPOSE, digest, _BEGINNING_MS) is None:
            return False
        return await self._register.code_holder(_PURPOSE, digest, payment.created_at_ms) is None
