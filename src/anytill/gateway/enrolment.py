"""How agents bring merchants in, each once: an answer may be lost, and whoever asked then asks again.

A new merchant has a number of eight digits that nobody can guess. Where the agent's words are known it follows from
them, under a key of ours; so the same words lead to the same number, in every process and after any crash, and what
stands there tells whether it was them:

    words  ->  digest  ->  number 1   another's, or said longer ago
                           number 2   not there: free                    or: of the same words, so that is the merchant

Words that name a person mean that person's merchant at any time. Words that name nobody may be those of two shops, so
they are a repetition within a day only. Which of the two they are is kept with the merchant, for who answers for it may
change afterwards.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Final

from anytill.core import retry
from anytill.core.device import Act
from anytill.core.merchant import Credential, Merchant
from anytill.core.payment import fingerprint
from anytill.core.records import changed
from anytill.ports import Chance, Clock, Register

#: The merchant's detail that holds the digest of the words; and when they were said, if they named nobody.
SAID: Final = "enrol:said"
SAID_AGAIN_MS: Final = retry.DAY
_DIGITS: Final = "0123456789"
_NUMBER_DIGITS: Final = 8
_TRADE_CODE_LENGTH: Final = 10
#: Numbers of eight digits meet now and then; this many in a row mean a fault.
_ROUNDS: Final = 20
#: Words that name nobody take another number each day: those of a quarter of a century.
_ROUNDS_OF_WORDS: Final = 10_000


class Enrolment:
    """Over the register; `act` writes the line for the record of what was done."""

    def __init__(
        self, register: Register, clock: Clock, chance: Chance, code_key: bytes, act: Callable[..., Act]
    ) -> None:
        self._register = register
        self._clock = clock
        self._chance = chance
        self._code_key = code_key
        self._act = act

    async def enrolled(self, credential: Credential, words: str) -> Merchant | None:
        """The merchant that the agent brought in with these words; None when it is to be a new one."""
        digest = self._digest(credential, words)
        for number in self._numbers(digest):
            found = await self._register.merchant(_merchant_id(credential, number))
            if found is not None and self._is_of(found, digest):
                return found
            if found is None and number not in credential.merchants:
                return None
        return None

    async def enrol(self, credential: Credential, merchant: Merchant, actor: str, words: str = "") -> str | None:
        """A new merchant of the agent, and the number it has for it; the id that `merchant` brings is not used. None
        when the agent has its mobile or user name already, or just said the same words in another place."""
        digest = self._digest(credential, words) if words else ""
        said = digest if merchant.mobile or merchant.username else f"{digest} {self._clock.now_ms()}"
        details = {**merchant.details, SAID: said} if words else merchant.details
        for number in self._numbers(digest):
            # In each round: somebody else may have enrolled the same person meanwhile.
            if await self._is_taken(credential.login, merchant):
                return None
            merchant_id = _merchant_id(credential, number)
            new = changed(
                merchant,
                merchant_id=merchant_id,
                agent_id=credential.login,
                trade_code=merchant.trade_code or self._chance.token(_TRADE_CODE_LENGTH),
                details=details,
            )
            act = self._act(actor, "merchant.enrol", merchant_id, merchant_id, name=merchant.name, number=number)
            if await self._register.enrol_merchant(new, credential.dialect, credential.login, number, act):
                return number
            there = await self._register.merchant(merchant_id) if words else None
            if there is not None and self._is_of(there, digest):
                return None
        raise RuntimeError("no free merchant number was found")

    def _digest(self, credential: Credential, words: str) -> str:
        """Under a key: words may hold what could be found by trying."""
        text = fingerprint("enrol", credential.dialect, credential.login, words)
        return hmac.digest(self._code_key, text.encode(), "sha256").hex()[:32]

    def _numbers(self, digest: str) -> Iterator[str]:
        for place in range(_ROUNDS_OF_WORDS if digest else _ROUNDS):
            if digest:
                drawn = hmac.digest(self._code_key, fingerprint("number", digest, str(place)).encode(), "sha256")
                yield f"{int.from_bytes(drawn) % 10**_NUMBER_DIGITS:0{_NUMBER_DIGITS}d}"
            else:
                yield self._chance.token(_NUMBER_DIGITS, _DIGITS)

    def _is_of(self, merchant: Merchant, digest: str) -> bool:
        said, _, at_ms = merchant.details.get(SAID, "").partition(" ")
        return said == digest and (not at_ms or self._clock.now_ms() - int(at_ms) < SAID_AGAIN_MS)

    async def _is_taken(self, agent_id: str, merchant: Merchant) -> bool:
        for name, found in (
            (merchant.mobile, self._register.merchant_by_mobile),
            (merchant.username, self._register.merchant_by_username),
        ):
            if name and await found(agent_id, name) is not None:
                return True
        return False


def _merchant_id(credential: Credential, number: str) -> str:
    return f"{credential.dialect}.{credential.login}.{number}"
