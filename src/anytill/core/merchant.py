"""Who may ask: agents, merchants, and the credentials that speak for them.

A credential is what a till or an agent signs with, in one dialect. Some vendors give each till or merchant its own;
others give one key to an agent who speaks for many merchants, each under a number. Both are one shape here: a
credential and a mapping from number to merchant, where a vendor without numbers uses the empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from anytill.core.errors import ForeignMerchant
from anytill.core.money import CNY, MAX_AMOUNT_FEN
from anytill.core.records import changed
from anytill.core.secret import Secret


class MerchantState(StrEnum):
    """Whether the merchant may take money."""

    WAITING = "WAITING"
    ON = "ON"
    OFF = "OFF"


HEX_DIGITS = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What the keys of a dialect look like, for those that we issue."""

    length: int
    alphabet: str = HEX_DIGITS


@dataclass(frozen=True, slots=True)
class Agent:
    """Who brings merchants in and speaks for them: a reseller, or the maker of a till."""

    agent_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Merchant:
    """A shop, or a chain that keeps one book."""

    merchant_id: str
    name: str
    short_name: str = ""
    state: MerchantState = MerchantState.ON
    max_amount_fen: int = MAX_AMOUNT_FEN
    channels: Mapping[str, str] = field(default_factory=dict)  # wallet -> channel name; "" is the default channel
    currency: str = CNY  # of all its payments; fixed once there is one
    agent_id: str = ""  # who brought it in; "" when the operator did
    trade_code: str = ""  # a second, unguessable name that some vendors print on the merchant's QR sign
    mobile: str = ""  # of the person who answers for it; one merchant of an agent for each
    username: str = ""  # likewise
    password_hash: str = field(default="", repr=False)  # `core.passwords`; empty: no one can log in
    details: Mapping[str, str] = field(default_factory=dict)  # what a vendor wants kept with it: not read here
    version: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    """A login and its secret in one dialect. While a key is being changed, `previous` is still accepted, until
    `previous_until_ms` if that is said. `password` is for vendors whose tills log in with one beside their key."""

    dialect: str
    login: str
    secret: Secret
    merchants: Mapping[str, str]  # the vendor's merchant number ("" where there is none) -> merchant_id
    previous: Secret | None = None
    active: bool = True
    options: Mapping[str, str] = field(default_factory=dict)  # the dialect's own switches
    password: Secret | None = None
    previous_until_ms: int | None = None
    version: int = field(default=0, compare=False)  # how often it was written; 0: never yet

    def at(self, now_ms: int) -> Credential:
        """The credential as it counts now: a previous key whose time is over is gone."""
        if self.previous_until_ms is None or now_ms < self.previous_until_ms:
            return self
        return changed(self, previous=None, previous_until_ms=None)

    @property
    def is_devices(self) -> bool:
        """Whether it speaks for its one merchant without a number. An agent's does not, though its login may be the
        number of somebody's pay box."""
        return "" in self.merchants

    @property
    def only_merchant_id(self) -> str:
        """Whose affair the credential is; "" when it speaks for several, or for nobody yet."""
        merchants = set(self.merchants.values())
        return merchants.pop() if len(merchants) == 1 else ""

    def merchant_id(self, number: str = "") -> str:
        """The merchant this credential calls `number`. Raises ForeignMerchant when it has none of that number."""
        try:
            return self.merchants[number]
        except KeyError:
            raise ForeignMerchant from None


@dataclass(frozen=True, slots=True)
class CredentialSummary:
    """What may be shown of a credential."""

    dialect: str
    login: str
    active: bool
    merchants: Mapping[str, str]
    has_previous: bool
    previous_until_ms: int | None
