"""One-time codes: what is kept of them, and those that are sent to people's mobiles.

Whoever asks for a message must not learn from it which mobiles are known. So a request is counted, answered, and only
then looked at: whether the agent has a merchant there, and whether the message could be handed over, changes neither
the answer nor how long it takes. Who waits for a message in vain asks for another.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from typing import Any, Final

from anytill.core import retry
from anytill.core.device import OneTimeCode
from anytill.core.merchant import Merchant
from anytill.core.payment import fingerprint
from anytill.gateway.tries import Tries, spend_all
from anytill.ports import Chance, Clock, Register, Sms, StoreUnavailable, Unreachable, Watch

DIGITS: Final = "0123456789"
PASSCODE: Final = "passcode"
PASSCODE_DIGITS: Final = 6
PASSCODE_LIFE_MS: Final = 20 * retry.MINUTE
PASSCODE_AGAIN_MS: Final = retry.MINUTE
PASSCODES_A_DAY: Final = 20
MESSAGES_A_MINUTE: Final = 20


def code_digest(code_key: bytes, purpose: str, holder: str, code: str) -> str:
    """What is kept of a one-time code. Codes are short: without the key, trying them all would find it."""
    return hmac.digest(code_key, fingerprint(purpose, holder, code).encode(), "sha256").hex()


class Passcodes:
    """Codes for the people that agents answer for. `start` runs what nobody waits for."""

    def __init__(
        self,
        register: Register,
        clock: Clock,
        chance: Chance,
        code_key: bytes,
        sms: Sms,
        start: Callable[[Coroutine[Any, Any, None]], None],
        watch: Watch,
    ) -> None:
        self._register = register
        self._clock = clock
        self._chance = chance
        self._code_key = code_key
        self._sms = sms
        self._start = start
        self._watch = watch
        self._messages = Tries(MESSAGES_A_MINUTE, retry.MINUTE)
        self._asked = Tries(1, PASSCODE_AGAIN_MS)
        self._asked_today = Tries(PASSCODES_A_DAY, retry.DAY)

    def send(self, agent_id: str, mobile: str) -> bool:
        """Have a code sent to this mobile, if the agent has a merchant there. False when it was asked for too often."""
        now_ms = self._clock.now_ms()
        holder = _holder(agent_id, mobile)
        # Of mobiles that nobody has, too: or the second "no" would tell which are known.
        limits = ((self._asked, holder), (self._asked_today, holder), (self._messages, agent_id))
        if not spend_all(now_ms, *limits):
            return False
        self._start(self._sent(agent_id, mobile, now_ms))
        return True

    async def merchant(self, agent_id: str, mobile: str, code: str) -> Merchant | None:
        """The agent's merchant whose person holds this mobile; None for whatever is wrong. The code works once."""
        holder = _holder(agent_id, mobile)
        digest = code_digest(self._code_key, PASSCODE, holder, code)
        if not await self._register.use_code(PASSCODE, digest, self._clock.now_ms(), holder):
            return None
        return await self._register.merchant_by_mobile(agent_id, mobile)

    async def _sent(self, agent_id: str, mobile: str, now_ms: int) -> None:
        try:
            await self._send(agent_id, mobile, now_ms)
        except (StoreUnavailable, Unreachable):
            self._watch.alarm("passcode_not_sent", agent=agent_id)
        except Exception as fault:  # noqa: BLE001 - nobody waits for it who could be told
            self._watch.fault("passcode", fault, agent=agent_id)

    async def _send(self, agent_id: str, mobile: str, now_ms: int) -> None:
        if await self._register.merchant_by_mobile(agent_id, mobile) is None:
            return
        holder, code = _holder(agent_id, mobile), self._chance.token(PASSCODE_DIGITS, DIGITS)
        digest = code_digest(self._code_key, PASSCODE, holder, code)
        kept = OneTimeCode(PASSCODE, holder, digest, now_ms, now_ms + PASSCODE_LIFE_MS)
        # Another process may have sent one a moment ago.
        if await self._register.put_code(kept, not_since_ms=now_ms - PASSCODE_AGAIN_MS):
            minutes = PASSCODE_LIFE_MS // retry.MINUTE
            await self._sms(mobile, f"验证码{code}，{minutes}分钟内有效。请勿告诉他人。")


def _holder(agent_id: str, mobile: str) -> str:
    return f"{agent_id}/{mobile}"
