"""The till that the gateway hands to an authenticated terminal: a merchant, a credential, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence

from anytill.core.merchant import Credential
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet
from anytill.gateway.payments import Payments
from anytill.gateway.refunds import Refunds
from anytill.ports import FaceTicket, Payer


class GatewayTill:
    """A `ports.Till` over one merchant's own payments; no method can reach another merchant's."""

    __slots__ = ("_credential", "_payments", "_refunds", "merchant_id")

    def __init__(self, merchant_id: str, credential: Credential, payments: Payments, refunds: Refunds) -> None:
        self.merchant_id = merchant_id
        self._credential = credential
        self._payments = payments
        self._refunds = refunds

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`."""
        return await self._payments.pay(self.merchant_id, self._credential, order)

    async def query(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        return await self._payments.query(self.merchant_id, ref)

    async def cancel(self, ref: PaymentRef, *, within_ms: int | None = None) -> Payment:
        """See `ports.Till`. An order older than `within_ms` is not taken back any more: NotCancellable."""
        return await self._payments.cancel(self.merchant_id, ref, within_ms)

    async def remember_in_vain(self, request: str) -> None:
        """This request found nothing to act on; it is known by a text of its own. See `is_over`."""
        await self._payments.in_vain.remember(self.merchant_id, request)

    async def is_over(self, request: str, payment: Payment) -> bool:
        """Whether this request found nothing so long before the payment was made that it cannot have meant it: somebody
        has captured it, and sends it again."""
        return await self._payments.in_vain.is_over(request, payment)

    async def refund(self, order: RefundOrder) -> Refund:
        """See `ports.Till`."""
        return await self._refunds.refund(self.merchant_id, order)

    async def query_refund(self, ref: RefundRef) -> Refund:
        """See `ports.Till`."""
        return await self._refunds.query(self.merchant_id, ref)

    async def find(self, ref: PaymentRef) -> Payment:
        """The payment as it is stored, without asking the channel. Raises PaymentNotFound."""
        return await self._payments.find(self.merchant_id, ref)

    async def find_refund(self, ref: RefundRef) -> Refund:
        """The refund as it is stored, without asking the channel. Raises RefundNotFound."""
        return await self._refunds.find(self.merchant_id, ref)

    async def find_by_code(self, pay_code: Secret) -> Payment:
        """The payment that holds a payer's code, as it is stored, for vendors whose orders have no number. Raises
        PaymentNotFound, also when it ended unpaid."""
        return await self._payments.find_by_code(self.merchant_id, pay_code)

    async def refunds_of(self, payment: Payment) -> Sequence[Refund]:
        """All refunds of a payment of this merchant, oldest first."""
        return await self._refunds.refunds_of(self.merchant_id, payment)

    async def takings(self, since_ms: int, until_ms: int, detail: str = "") -> Sequence[Takings]:
        """What this credential took and gave back from one moment to just before another, in the merchant's currency.
        See `ports.Store`."""
        return await self._payments.takings(self.merchant_id, self._credential, since_ms, until_ms, detail)

    async def identify(self, pay_code: Secret) -> Payer:
        """Who shows this code; the code is bound to this merchant. Raises InvalidPayCode, NotSupported."""
        return await self._payments.identify(self.merchant_id, pay_code)

    async def face_ticket(self, wallet: Wallet, device: str, raw: str) -> FaceTicket:
        """What the wallet's face device needs to start. Raises NotSupported."""
        return await self._payments.face_ticket(self.merchant_id, wallet, device, raw)
