"""What can be asked for money, on both sides: what a cash desk asks for (`Till`), and whom we ask (`Channel`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from anytill.core.answer import Answer, RefundAnswer
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet


class Till(Protocol):
    """What a cash desk can ask for. Raises `core.errors.Refusal` when the answer is "I will not"; what a vendor's
    protocol lacks raises NotSupported. A declined, waiting or unknown payment is a value."""

    async def pay(self, order: PayOrder) -> Payment:
        """Take a payment. The same order again gives the same payment; another order under its number is refused."""

    async def query(self, ref: PaymentRef) -> Payment:
        """The payment as it stands, asked of the channel if its end is not known yet."""

    async def cancel(self, ref: PaymentRef) -> Payment:
        """Take an order back: closed if unpaid, reversed if paid."""

    async def refund(self, order: RefundOrder) -> Refund:
        """Give part or all of a paid payment back."""

    async def query_refund(self, ref: RefundRef) -> Refund:
        """The refund as it stands."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who is behind a payer's code."""

    wallet: Wallet
    payer_id: str


@dataclass(frozen=True, slots=True)
class WalletSession:
    """Who opened a mini-program in the wallet, and the key that the wallet gave the visit."""

    payer_id: str
    session_key: Secret
    expires_in_s: int
    union_id: str = ""


@dataclass(frozen=True, slots=True)
class FaceTicket:
    """What a wallet's face-scanning device needs to start."""

    ticket: str
    expires_in_s: int


class Channel(Protocol):
    """Whom we ask for money. No method raises for what the other side did: whatever happened is an answer."""

    @property
    def name(self) -> str:
        """As it stands in the settings and in the ledger."""

    @property
    def takes_cards(self) -> bool:
        """Whether it may be given what a card's reader read. Others never see a card."""

    async def pay(self, payment: Payment, pay_code: Secret | None) -> Answer:
        """Ask for the payment; payment.payment_id is our number there. Called once in a payment's life."""

    async def query(self, payment: Payment) -> Answer:
        """Ask what became of it."""

    async def cancel(self, payment: Payment) -> Answer:
        """Close it if unpaid, reverse it if paid. May be asked again and again."""

    async def refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """Give money back; refund.refund_id is our number there. Asking again under one number moves money once."""

    async def query_refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """Ask what became of it."""

    async def identify(self, merchant_id: str, pay_code: Secret) -> Payer:
        """Who shows this code; from then on only this merchant can charge it. Raises InvalidPayCode, NotSupported."""

    async def face_ticket(self, merchant_id: str, device: str, raw: str) -> FaceTicket:
        """A ticket for the wallet's face device. Raises NotSupported."""

    async def session(self, app_id: str, code: Secret) -> WalletSession:
        """Who is behind the code that a mini-program got at log-in. Raises InvalidPayCode, NotSupported."""
