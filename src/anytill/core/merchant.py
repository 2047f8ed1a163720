"""Who may ask: merchants, and the credentials that speak for them.

A credential is what a till or an agent signs with, in one dialect. Some vendors give each merchant its own; others
give one key to an agent who speaks for many merchants, each under a number. Both are one shape here: a credential
and a mapping from number to merchant, where a vendor without numbers uses the empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from anytill.core.errors import ForeignMerchant
from anytill.core.money import MAX_AMOUNT_FEN
from anytill.core.secret import Secret


class MerchantState(StrEnum):
    """Whether the merchant may take money."""

    WAITING = "WAITING"
    ON = "ON"
    OFF = "OFF"


@dataclass(frozen=True, slots=True)
class Merchant:
    """A shop, or a chain that keeps one book."""

    merchant_id: str
    name: str
    short_name: str = ""
    state: MerchantState = MerchantState.ON
    max_amount_fen: int = MAX_AMOUNT_FEN
    channels: Mapping[str, str] = field(default_factory=dict)  # wallet -> channel name; "" is the default channel


@dataclass(frozen=True, slots=True)
class Credential:
    """A login and its secret in one dialect. While a key is being changed, `previous` is still accepted."""

    dialect: str
    login: str
    secret: Secret
    merchants: Mapping[str, str]  # the vendor's merchant number ("" where there is none) -> merchant_id
    previous: Secret | None = None
    active: bool = True
    options: Mapping[str, str] = field(default_factory=dict)  # the dialect's own switches

    def merchant_id(self, number: str = "") -> str:
        """The merchant this credential calls `number`. Raises ForeignMerchant when it has none of that number."""
        try:
            return self.merchants[number]
        except KeyError:
            raise ForeignMerchant from None
