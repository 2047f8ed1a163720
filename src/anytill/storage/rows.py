"""Rows as values and values as rows: the only place, with register_rows, that knows which column holds what.

A column exists for a fact that a query or a rule needs. The rest of a record travels as one JSON object in the column
`about`, under the names of the record's own fields: the database never reads it, and a field that is added later has
its default in older rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from anytill.core.ledger import Line, Posting, PostingKind
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.notice import Notice, NoticeState
from anytill.core.payment import Method, Payment, Refund
from anytill.core.records import changed
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet
from anytill.storage.writes import Rejected, Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Values = dict[str, object]

#: What a payment keeps for life, and what only its refunds move; neither is written by a move.
_FIXED: Final = ("merchant_id", "payment_id", "order_no", "amount_fen", "currency", "channel", "created_at_ms")
_OF_REFUNDS: Final = ("reserved_fen", "refunded_fen", "returned_fen")
_MOVED: Final = ("paid_fen", "coupon_fen", "reversed_fen", "parked_fen")


def json_text(value: object) -> str:
    """Compact JSON. Raises Rejected for what JSON cannot hold, such as half a surrogate pair."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as unfit:
        raise Rejected(f"cannot be stored: {unfit}") from None


def known(record: type[DataclassInstance], about: str) -> dict[str, Any]:
    """What stands in `about`, less what this version does not know: a newer one may have written the row."""
    return {name: value for name, value in orjson.loads(about).items() if name in record.__dataclass_fields__}


def _check_fixed(kind: str, number: str, before: object, after: object, names: Sequence[str]) -> None:
    for name in names:
        if getattr(before, name) != getattr(after, name):
            raise ValueError(f"a move of {kind} {number} cannot change {name}")


def _about_payment(payment: Payment) -> str:
    return json_text(
        {
            "method": payment.method,
            "wallet": payment.wallet,
            "subject": payment.subject,
            "attach": payment.attach,
            "payer_id": payment.payer_id,
            "channel_trade_no": payment.channel_trade_no,
            "invitation": dict(payment.invitation),
            "slip": dict(payment.slip),
            "reason": payment.reason,
            "paid_at_ms": payment.paid_at_ms,
            "ended_at_ms": payment.ended_at_ms,
            "deadline_at_ms": payment.deadline_at_ms,
            "dialect": payment.dialect,
            "login": payment.login,
            "notice_url": payment.notice_url,
            "details": dict(payment.details),
            "order_digest": payment.order_digest,
            "code_hint": payment.code_hint,
            "asked": payment.asked,
        }
    )


def taker(dialect: str, login: str) -> str:
    """Who asked for a payment, as the database knows it: a dialect's name has no slash."""
    return f"{dialect}/{login}"


def new_payment(payment: Payment) -> Values:
    """The values of add_payment. Raises ValueError for a payment that has a history: money is moved by moves only."""
    if payment.version or any(getattr(payment, name) for name in (*_MOVED, *_OF_REFUNDS)):
        raise ValueError(f"payment {payment.payment_id} is not new")
    return {
        "merchant_id": payment.merchant_id,
        "payment_id": payment.payment_id,
        "order_no": payment.order_no,
        "state": payment.state.value,
        "amount_fen": payment.amount_fen,
        "currency": payment.currency,
        "channel": payment.channel,
        "code_digest": payment.code_digest,
        "created_at_ms": payment.created_at_ms,
        "due_at_ms": payment.due_at_ms,
        "about": _about_payment(payment),
        "taker": taker(payment.dialect, payment.login),
    }


def moved_payment(before: Payment, after: Payment) -> Values:
    """The values of move_payment. Raises ValueError if `after` changes what a move may not."""
    _check_fixed("payment", before.payment_id, before, after, (*_FIXED, *_OF_REFUNDS))
    return {
        "merchant_id": before.merchant_id,
        "payment_id": before.payment_id,
        "version": before.version,
        "state": after.state.value,
        "paid_fen": after.paid_fen,
        "coupon_fen": after.coupon_fen,
        "reversed_fen": after.reversed_fen,
        "parked_fen": after.parked_fen,
        "code_digest": after.code_digest,
        "due_at_ms": after.due_at_ms,
        "about": _about_payment(after),
    }


def payment_of(row: Row) -> Payment:
    """A payment from {payment_columns}."""
    about = known(Payment, row[18])
    return Payment(
        merchant_id=row[0],
        payment_id=row[1],
        order_no=row[2],
        state=PaymentState(row[3]),
        amount_fen=row[4],
        currency=row[5],
        channel=row[6],
        paid_fen=row[7],
        coupon_fen=row[8],
        reserved_fen=row[9],
        refunded_fen=row[10],
        returned_fen=row[11],
        reversed_fen=row[12],
        parked_fen=row[13],
        code_digest=row[14],
        created_at_ms=row[15],
        due_at_ms=row[16],
        version=row[17],
        method=Method(about.pop("method")),
        wallet=Wallet(about.pop("wallet")),
        **about,
    )


def takings_of(paid: Sequence[Row], given_back: Sequence[Row], detail: str) -> list[Takings]:
    """A till's takings from the rows of payments_taken and refunds_given, a line for each kind."""
    lines: dict[tuple[Method, Wallet, str], Takings] = {}
    for amount_fen, paid_fen, about in paid:
        line = _line_of(lines, about, detail)
        sums = line.amount_fen + amount_fen, line.paid_fen + paid_fen
        kept = changed(line, payments=line.payments + 1, amount_fen=sums[0], paid_fen=sums[1])
        lines[kept.method, kept.wallet, kept.kind] = kept
    for refunded_fen, about in given_back:
        line = _line_of(lines, about, detail)
        kept = changed(line, refunds=line.refunds + 1, refunded_fen=line.refunded_fen + refunded_fen)
        lines[kept.method, kept.wallet, kept.kind] = kept
    return [lines[key] for key in sorted(lines)]


def _line_of(lines: Mapping[tuple[Method, Wallet, str], Takings], about: str, detail: str) -> Takings:
    told = orjson.loads(about)
    key = Method(told["method"]), Wallet(told["wallet"]), str(told["details"].get(detail, ""))
    return lines.get(key) or Takings(*key)


def _about_refund(refund: Refund) -> str:
    return json_text(
        {
            "order_no": refund.order_no,
            "channel_refund_no": refund.channel_refund_no,
            "reason": refund.reason,
            "details": dict(refund.details),
            "ended_at_ms": refund.ended_at_ms,
            "order_digest": refund.order_digest,
            "asked": refund.asked,
        }
    )


def new_refund(refund: Refund) -> Values:
    """The values of add_refund. Raises ValueError for a refund that has a history."""
    if refund.version or refund.refunded_fen:
        raise ValueError(f"refund {refund.refund_id} is not new")
    return {
        "merchant_id": refund.merchant_id,
        "refund_id": refund.refund_id,
        "refund_no": refund.refund_no,
        "payment_id": refund.payment_id,
        "channel": refund.channel,
        "state": refund.state.value,
        "amount_fen": refund.amount_fen,
        "currency": refund.currency,
        "created_at_ms": refund.created_at_ms,
        "due_at_ms": refund.due_at_ms,
        "about": _about_refund(refund),
    }


def moved_refund(before: Refund, after: Refund) -> Values:
    """The values of move_refund. Raises ValueError if `after` is another refund or of another amount."""
    _check_fixed(
        "refund",
        before.refund_id,
        before,
        after,
        (
            "merchant_id",
            "refund_id",
            "refund_no",
            "payment_id",
            "channel",
            "amount_fen",
            "currency",
            "created_at_ms",
        ),
    )
    return {
        "merchant_id": before.merchant_id,
        "refund_id": before.refund_id,
        "version": before.version,
        "state": after.state.value,
        "refunded_fen": after.refunded_fen,
        "due_at_ms": after.due_at_ms,
        "about": _about_refund(after),
    }


def refund_of(row: Row) -> Refund:
    """A refund from {refund_columns}."""
    return Refund(
        merchant_id=row[0],
        refund_id=row[1],
        refund_no=row[2],
        payment_id=row[3],
        state=RefundState(row[4]),
        amount_fen=row[5],
        currency=row[6],
        refunded_fen=row[7],
        created_at_ms=row[8],
        due_at_ms=row[9],
        version=row[10],
        channel=row[12],
        **known(Refund, row[11]),
    )


def _about_notice(notice: Notice) -> str:
    return json_text(
        {
            "dialect": notice.dialect,
            "login": notice.login,
            "url": notice.url,
            "refund_id": notice.refund_id,
            "facts": dict(notice.facts),
            "tries": notice.tries,
            "last_result": notice.last_result,
        }
    )


def new_notice(notice: Notice) -> Values:
    """The values of add_notice."""
    return {
        "merchant_id": notice.merchant_id,
        "notice_id": notice.notice_id,
        "payment_id": notice.payment_id,
        "receiver": notice.receiver,
        "state": notice.state.value,
        "created_at_ms": notice.created_at_ms,
        "due_at_ms": notice.due_at_ms,
        "about": _about_notice(notice),
    }


def moved_notice(before: Notice, after: Notice) -> Values:
    """The values of move_notice. What a notice says is frozen: raises ValueError if `after` says something else."""
    _check_fixed(
        "notice",
        before.notice_id,
        before,
        after,
        ("merchant_id", "notice_id", "payment_id", "refund_id", "receiver", "created_at_ms", "facts"),
    )
    return {
        "merchant_id": before.merchant_id,
        "payment_id": before.payment_id,
        "notice_id": before.notice_id,
        "version": before.version,
        "state": after.state.value,
        "due_at_ms": after.due_at_ms,
        "about": _about_notice(after),
    }


def notice_of(row: Row) -> Notice:
    """A notice from {notice_columns}."""
    return Notice(
        merchant_id=row[0],
        notice_id=row[1],
        payment_id=row[2],
        state=NoticeState(row[3]),
        created_at_ms=row[4],
        due_at_ms=row[5],
        version=row[6],
        receiver=row[8],
        **known(Notice, row[7]),
    )


def posting_values(posting: Posting) -> Values:
    """The values of post: the line that gains and the line that loses."""
    plus, minus = sorted(posting.lines, key=lambda line: -line.amount_fen)
    return {
        "merchant_id": posting.merchant_id,
        "payment_id": posting.payment_id,
        "subject_id": posting.subject_id,
        "kind": posting.kind.value,
        "plus_account": plus.account,
        "minus_account": minus.account,
        "amount_fen": plus.amount_fen,
        "currency": posting.currency,
        "at_ms": posting.at_ms,
    }


def postings_of(rows: Sequence[Row]) -> list[Posting]:
    """Postings from the rows of postings_of, where the two lines of one follow each other."""
    return [
        Posting(
            merchant_id=plus[0],
            payment_id=plus[1],
            subject_id=plus[2],
            kind=PostingKind(plus[3]),
            currency=plus[4],
            at_ms=plus[5],
            lines=(Line(plus[6], plus[7]), Line(minus[6], minus[7])),
        )
        for plus, minus in zip(rows[::2], rows[1::2], strict=True)
    ]
