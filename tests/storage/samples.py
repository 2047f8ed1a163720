"""Payments, refunds and notices for the store's tests, and hypothesis' strategies for odd ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from anytill.core import ledger
from anytill.core.ledger import Posting
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.money import MAX_AMOUNT_FEN
from anytill.core.notice import Notice, NoticeState
from anytill.core.payment import Method, Payment, PaymentRef, Refund
from anytill.core.settle import RefundChange
from anytill.core.wallet import Wallet
from anytill.storage import SqlStore

NOW = 1_790_000_000_000
SHOP = "1001"


def a_payment(number: int = 1, **changes: Any) -> Payment:
    """A new barcode payment of 10 yuan, due in 5 s."""
    payment = Payment(
        merchant_id=SHOP,
        payment_id=f"1{number:019d}",
        order_no=f"T{number}",
        method=Method.BARCODE,
        wallet=Wallet.WECHAT,
        state=PaymentState.SUBMITTED,
        amount_fen=1_000,
        channel="sandbox",
        created_at_ms=NOW,
        due_at_ms=NOW + 5_000,
        code_digest=f"code {number}",
    )
    return replace(payment, **changes)


def paid(payment: Payment) -> tuple[Payment, Posting]:
    """The payment after its channel confirmed it, with the posting."""
    after = replace(payment, state=PaymentState.PAID, paid_fen=payment.amount_fen, paid_at_ms=NOW, due_at_ms=None)
    return after, ledger.sale(after, NOW)


async def add_paid(store: SqlStore, number: int = 1, **changes: Any) -> Payment:
    """A paid payment, as the store has it."""
    payment = a_payment(number, **changes)
    assert await store.add_payment(payment)
    after, sale = paid(payment)
    assert await store.move_payment(payment, after, [sale])
    return await fetched(store, payment)


async def fetched(store: SqlStore, payment: Payment) -> Payment:
    """The payment as the store has it now."""
    found = await store.payment(payment.merchant_id, payment.ref)
    assert found is not None
    return found


def a_refund(payment: Payment, number: int = 1, amount_fen: int = 100, **changes: Any) -> Refund:
    """A new refund, due in 5 s."""
    refund = Refund(
        merchant_id=payment.merchant_id,
        refund_id=f"2{number:019d}",
        refund_no=f"R{number}",
        payment_id=payment.payment_id,
        order_no=payment.order_no,
        state=RefundState.SUBMITTED,
        amount_fen=amount_fen,
        channel=payment.channel,
        created_at_ms=NOW,
        due_at_ms=NOW + 5_000,
    )
    return replace(refund, **changes)


def done(payment: Payment, refund: Refund) -> RefundChange:
    """The refund has reached the payer."""
    after = replace(refund, state=RefundState.DONE, refunded_fen=refund.amount_fen, due_at_ms=None, ended_at_ms=NOW)
    return RefundChange(after, (ledger.refund(payment, after, NOW),), refunded_fen=refund.amount_fen)


def bounced(payment: Payment, refund: Refund) -> RefundChange:
    """The refund came back to the merchant's cash account."""
    after = replace(refund, state=RefundState.RETURNED_TO_CASH, due_at_ms=None, ended_at_ms=NOW)
    return RefundChange(after, (ledger.refund_to_cash(payment, after, NOW),), returned_fen=refund.amount_fen)


def failed(refund: Refund) -> RefundChange:
    """The channel refused the refund."""
    after = replace(refund, state=RefundState.FAILED, due_at_ms=None, ended_at_ms=NOW)
    return RefundChange(after, released_fen=refund.amount_fen)


def a_notice(payment: Payment, number: int = 1, **changes: Any) -> Notice:
    """A new notice, due at once."""
    notice = Notice(
        merchant_id=payment.merchant_id,
        notice_id=f"3{number:019d}",
        payment_id=payment.payment_id,
        dialect="teegon",
        login="till-7",
        url="https://shop.example/paid",
        facts={"order": payment.order_no},
        created_at_ms=NOW,
        due_at_ms=NOW,
    )
    return replace(notice, **changes)


def by_id(payment: Payment) -> PaymentRef:
    return PaymentRef(payment_id=payment.payment_id)


#: What can stand in a column: PostgreSQL has no NUL, and half a surrogate pair is no text.
column_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
#: What can stand in the JSON beside the columns.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
mappings = st.dictionaries(texts, texts, max_size=3)
moments = st.integers(0, 2**53)
maybe_moments = st.none() | moments
counts = st.integers(0, 1_000)
amounts = st.integers(1, MAX_AMOUNT_FEN)

new_payments = st.builds(
    Payment,
    merchant_id=column_texts,
    payment_id=column_texts,
    order_no=column_texts,
    method=st.sampled_from(Method),
    wallet=st.sampled_from(Wallet),
    state=st.sampled_from([PaymentState.SUBMITTED, PaymentState.WAITING, PaymentState.FAILED]),
    amount_fen=amounts,
    currency=st.sampled_from(["CNY", "HKD"]),
    subject=texts,
    attach=texts,
    payer_id=texts,
    channel=column_texts,
    channel_trade_no=texts,
    invitation=mappings,
    reason=texts,
    created_at_ms=moments,
    paid_at_ms=maybe_moments,
    ended_at_ms=maybe_moments,
    deadline_at_ms=moments,
    dialect=column_texts,
    login=column_texts,
    notice_url=texts,
    slip=mappings,
    details=mappings,
    order_digest=texts,
    code_digest=st.none() | column_texts,
    code_hint=texts,
    asked=counts,
    due_at_ms=maybe_moments,
)


@st.composite
def moves(draw: st.DrawFn, payment: Payment) -> tuple[Payment, list[Posting]]:
    """A later record of the payment that the books allow, with its postings."""
    state = draw(st.sampled_from(PaymentState))
    after = replace(
        payment,
        state=state,
        subject=draw(texts),
        reason=draw(texts),
        invitation=draw(mappings),
        code_digest=draw(st.none() | column_texts),
        due_at_ms=draw(maybe_moments),
        asked=draw(counts),
    )
    if state is PaymentState.PARKED:
        after = replace(after, parked_fen=draw(st.integers(1, payment.amount_fen)))
        return after, [ledger.park(after, NOW)]
    if state in (PaymentState.PAID, PaymentState.REVERSING, PaymentState.CANCELLED):
        coupon_fen = draw(st.integers(0, payment.amount_fen - 1))
        after = replace(after, coupon_fen=coupon_fen, paid_fen=payment.amount_fen - coupon_fen)
        if state is PaymentState.CANCELLED:
            after = replace(after, reversed_fen=after.paid_fen)
            return after, [ledger.sale(after, NOW), ledger.reversal(after, NOW)]
        return after, [ledger.sale(after, NOW)]
    return after, []


@st.composite
def refunds(draw: st.DrawFn, payment: Payment) -> Refund:
    """A new refund of a payment."""
    return Refund(
        merchant_id=payment.merchant_id,
        refund_id=draw(column_texts),
        refund_no=draw(column_texts),
        payment_id=payment.payment_id,
        order_no=payment.order_no,
        state=draw(st.sampled_from([RefundState.SUBMITTED, RefundState.PROCESSING, RefundState.UNKNOWN])),
        amount_fen=draw(st.integers(1, payment.paid_fen)),
        currency=payment.currency,
        channel=draw(column_texts),
        channel_refund_no=draw(texts),
        reason=draw(texts),
        details=draw(mappings),
        created_at_ms=draw(moments),
        ended_at_ms=draw(maybe_moments),
        order_digest=draw(texts),
        asked=draw(counts),
        due_at_ms=draw(maybe_moments),
    )


@st.composite
def notices(draw: st.DrawFn, payment: Payment) -> Notice:
    """A notice of a payment."""
    return Notice(
        merchant_id=payment.merchant_id,
        notice_id=draw(column_texts),
        payment_id=payment.payment_id,
        dialect=draw(texts),
        login=draw(texts),
        url=draw(texts),
        refund_id=draw(texts),
        facts=draw(mappings),
        state=draw(st.sampled_from(NoticeState)),
        tries=draw(counts),
        last_result=draw(texts),
        created_at_ms=draw(moments),
        due_at_ms=draw(maybe_moments),
    )


@dataclass(frozen=True)
class Story:
    """A payment's life, as odd as the books allow."""

    payment: Payment
    after: Payment
    postings: list[Posting]
    notice: Notice | None
    refund: Refund | None


@st.composite
def stories(draw: st.DrawFn) -> Story:
    payment = draw(new_payments)
    after, postings = draw(moves(payment))
    notice = draw(st.none() | notices(payment))
    refund = draw(refunds(after)) if after.state is PaymentState.PAID else None
    return Story(payment, after, postings, notice, refund)
