"""Who calls, and what a call is: what every module of calls needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from anytill.core.errors import ForeignMerchant, Overloaded
from anytill.core.merchant import Credential, Merchant
from anytill.core.records import changed
from anytill.dialects.chaoying.sandbox import options_of
from anytill.gateway import Gateway, GatewayTill, Office
from anytill.gateway.changes import NotThere
from anytill.wire.fields import Form
from anytill.wire.http import HttpRequest

Fields: TypeAlias = Mapping[str, str]

TRADE_CODE_LENGTH: Final = 10
#: Whoever loses a round lost it to another change of the merchant, so rounds end; this many mean a crowd.
_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class Caller:
    """An agent whose signature was verified, and the request that was signed."""

    gateway: Gateway
    credential: Credential
    options: Mapping[str, str]
    request: HttpRequest

    @classmethod
    def of(cls, gateway: Gateway, credential: Credential, request: HttpRequest) -> Caller:
        """The caller behind a credential."""
        return cls(gateway, credential, options_of(credential), request)

    @property
    def office(self) -> Office:
        """Where merchants and devices are kept."""
        return self.gateway.office

    @property
    def agent_id(self) -> str:
        """The agent's number."""
        return self.credential.login

    @property
    def actor(self) -> str:
        """As it stands in the record of what was done."""
        return f"{self.credential.dialect}:{self.credential.login}"

    def till(self, fields: Fields) -> GatewayTill:
        """The till of the merchant the call is for. Raises ForeignMerchant when it is not one of this agent's."""
        return self.gateway.till(self.credential, fields["mch_id"])

    async def merchant(self, number: str) -> Merchant:
        """One of this agent's merchants, whatever its state and as it is now. Raises ForeignMerchant."""
        try:
            return await self.office.merchant(self.credential.merchant_id(number))
        except NotThere:
            raise ForeignMerchant from None

    async def with_trade_code(self, merchant: Merchant) -> Merchant:
        """The merchant with its second name: who came in by another way than this protocol's has none until now."""
        for _ in range(_ROUNDS):
            if merchant.trade_code:
                return merchant
            coded = changed(merchant, trade_code=self.gateway.nonce(TRADE_CODE_LENGTH))
            await self.office.change_merchant(merchant, coded, self.actor, "merchant.trade_code")
            # Ours, or that of whoever was faster.
            merchant = await self.office.merchant(merchant.merchant_id)
        raise Overloaded

    def number_of(self, merchant_id: str) -> str | None:
        """What this agent calls a merchant; None when it is not one of its own."""
        for number, owned in self.credential.merchants.items():
            if owned == merchant_id:
                return number
        return None

    def nonce(self) -> str:
        """For `nonce_str`."""
        return self.gateway.nonce(32)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its request's table, what it does, and whether its answers are signed."""

    form: Form
    perform: Callable[[Caller, Fields], Awaitable[dict[str, str]]]
    signed: bool = True
    whole: bool = False  # is given every field that was signed, not only those of its form
    by_link: bool = False  # a GET with its fields in the address, not a POST
