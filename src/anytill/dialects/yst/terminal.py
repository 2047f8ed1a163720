"""Whose number: a terminal counts by itself, while the store has one set of order numbers for all tills of a merchant.

    terminal demo0001 sends req_seq 7        order 7
    terminal till0002 sends req_seq 7        order 7@till0002, for 7 is another terminal's

A number is taken as it was sent as long as no other terminal has it, so that the merchant's tills of other protocols
find the order by it; else the account is added behind `@`, which no req_seq contains. Nobody ever gives a number back,
so which of the two an order has never changes, and the same request again comes to the same order.

Refunds likewise, but a refund of any other till has its number to itself: an order that is refused because another
protocol has its number is seen by the cashier, while another's refund of the same sum would be told as done to a payer
who has got nothing.

By a number a terminal reaches what it made under it, or what another protocol's till did, with which a merchant's
numbers are one set; never what another terminal did, whose number may be the same by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anytill.core.errors import PaymentNotFound, RefundConflict, RefundNotFound, Refusal
from anytill.core.merchant import Credential
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.records import changed
from anytill.gateway import GatewayTill

#: Among the details of a refund: the terminal that asked for it. Of a payment the store itself says so.
_ACCOUNT: Final = "yst_account"


@dataclass(frozen=True, slots=True)
class Terminal:
    """The till of a merchant, as one of its terminals reaches it."""

    till: GatewayTill
    credential: Credential

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`."""
        try:
            payment = await self.till.pay(order)
        except Refusal:
            # Whatever the reason is: under the longer number the order may have been taken before.
            if not await self._is_anothers_order(order.order_no):
                raise
        else:
            # Another terminal's of the same contents looks like the same order.
            if not self._is_anothers(payment):
                return payment
        return await self.till.pay(changed(order, order_no=self._longer(order.order_no)))

    async def payment(self, number: str) -> Payment:
        """The payment that this terminal means by a number, as it is stored. Raises PaymentNotFound."""
        payment = await self.till.find(PaymentRef(number))
        if not self._is_anothers(payment):
            return payment
        payment = await self.till.find(PaymentRef(self._longer(number)))
        if (payment.dialect, payment.login) != (self.credential.dialect, self.credential.login):
            raise PaymentNotFound
        return payment

    async def refund(self, order: RefundOrder) -> Refund:
        """See `ports.Till`; the refund bears this terminal's mark."""
        order = changed(order, details={**order.details, _ACCOUNT: self.credential.login})
        try:
            refund = await self.till.refund(order)
        except Refusal:
            if not await self._is_taken_refund(order.refund_no):
                raise
        else:
            # Another till's of the same payment and amount looks like the same refund.
            if self._is_own(refund):
                return refund
        refund = await self.till.refund(changed(order, refund_no=self._longer(order.refund_no)))
        if not self._is_own(refund):
            raise RefundConflict
        return refund

    async def query_refund(self, number: str) -> Refund:
        """The refund that this terminal means by a number. Raises RefundNotFound."""
        refund = await self.till.query_refund(RefundRef(number))
        if self._is_own(refund):
            return refund
        try:
            longer = await self.till.query_refund(RefundRef(self._longer(number)))
        except RefundNotFound:
            longer = refund
        if self._is_own(longer):
            return longer
        if _ACCOUNT in refund.details:
            raise RefundNotFound
        return refund

    async def _is_anothers_order(self, number: str) -> bool:
        try:
            return self._is_anothers(await self.till.find(PaymentRef(number)))
        except PaymentNotFound:
            return False

    async def _is_taken_refund(self, number: str) -> bool:
        """Whether anybody else has this number of a refund."""
        try:
            return not self._is_own(await self.till.find_refund(RefundRef(number)))
        except RefundNotFound:
            return False

    def _is_anothers(self, payment: Payment) -> bool:
        """Whether another terminal made it, which is not said of other protocols' tills."""
        return payment.dialect == self.credential.dialect and payment.login != self.credential.login

    def _is_own(self, refund: Refund) -> bool:
        return refund.details.get(_ACCOUNT) == self.credential.login

    def _longer(self, number: str) -> str:
        return f"{number}@{self.credential.login}"


def sent_number(payment: Payment) -> str:
    """The number by which the terminal itself knows its order."""
    return payment.order_no.removesuffix(f"@{payment.login}")
