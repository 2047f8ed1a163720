"""What a word does: sums, postings, due times and alarms, for any sequence of words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core import retry
from anytill.core.answer import SILENCE, Answer, RefundAnswer
from anytill.core.errors import NotCancellable
from anytill.core.ledger import Line, Posting, PostingKind
from anytill.core.lifecycle import PaymentEvent, PaymentState, RefundEvent, RefundState
from anytill.core.payment import Method, Payment, Refund, Verdict
from anytill.core.settle import Change, ask_cancel, hear, hear_refund
from anytill.core.wallet import Wallet

NOW = 1_700_000_000_000
S, E = PaymentState, PaymentEvent


def submitted(**changes: object) -> Payment:
    payment = Payment(
        merchant_id="m",
        payment_id="12311150613200000000",
        order_no="A1",
        method=Method.BARCODE,
        wallet=Wallet.WECHAT,
        state=S.SUBMITTED,
        amount_fen=100,
        channel="sandbox",
        created_at_ms=NOW,
        deadline_at_ms=NOW + retry.TILL_DEADLINE_MS,
        code_digest="c",
    )
    payment = replace(payment, due_at_ms=retry.payment_due_at(payment, NOW))
    return replace(payment, **changes)  # type: ignore[arg-type]


def paid_answer(amount_fen: int = 100, coupon_fen: int = 0) -> Answer:
    return Answer(E.PAID, amount_fen=amount_fen, coupon_fen=coupon_fen, channel_trade_no="T1", paid_at_ms=NOW + 5)


def test_paid_books_a_sale_of_what_the_payer_gave() -> None:
    change = hear(submitted(), paid_answer(coupon_fen=10), NOW + 10)
    assert (change.after.state, change.after.paid_fen, change.after.coupon_fen) == (S.PAID, 90, 10)
    assert change.after.due_at_ms is None
    assert change.paid
    (sale,) = change.postings
    assert sale.lines == (Line("channel:sandbox", 90), Line("merchant", -90))
    assert not change.alarm


@pytest.mark.parametrize(
    "answer", [paid_answer(101), paid_answer(99), replace(paid_answer(), currency="HKD"), paid_answer(100, 100)]
)
def test_any_other_amount_or_currency_is_parked_and_never_paid(answer: Answer) -> None:
    change = hear(submitted(), answer, NOW)
    assert change.after.state is S.PARKED
    assert change.after.paid_fen == 0
    assert change.after.verdict is Verdict.OPEN
    assert not change.paid
    assert change.alarm
    assert [p.kind for p in change.postings] in ([PostingKind.PARK], [])


def test_a_parked_payment_is_given_back_at_its_deadline() -> None:
    parked = hear(submitted(), paid_answer(101), NOW).after
    assert parked.due_at_ms == parked.deadline_at_ms
    undoing = ask_cancel(parked, parked.deadline_at_ms).after
    assert undoing.state is S.REVERSING
    done = hear(undoing, Answer(E.CANCELLED), NOW)
    assert done.after.state is S.CANCELLED
    assert [p.kind for p in done.postings] == [PostingKind.UNPARK]
    assert done.after.reversed_fen == done.after.parked_fen == 101


def test_silence_is_asked_about_again_in_five_seconds() -> None:
    change = hear(submitted(), SILENCE, NOW)
    assert change.after.state is S.UNKNOWN
    assert change.after.due_at_ms == NOW + 5_000
    assert change.after.verdict is Verdict.OPEN


def test_an_open_payment_is_due_no_later_than_its_deadline() -> None:
    change = hear(submitted(), SILENCE, NOW + 58_000)
    assert change.after.due_at_ms == NOW + 60_000


def test_refusal_frees_the_code_and_is_looked_at_once_more() -> None:
    failed = hear(submitted(), Answer(E.REFUSED, reason="no money"), NOW).after
    assert (failed.state, failed.code_digest, failed.reason) == (S.FAILED, None, "no money")
    assert failed.due_at_ms == NOW + retry.LAST_LOOK_MS
    assert hear(failed, Answer(E.REFUSED), NOW).after.due_at_ms is None
    assert hear(failed, SILENCE, NOW).after.due_at_ms is not None


@pytest.mark.parametrize("ended", [E.REFUSED, E.CLOSED, E.CANCELLED])
def test_late_money_is_booked_reversed_and_alarmed(ended: PaymentEvent) -> None:
    before = hear(submitted(), Answer(ended), NOW).after
    late = hear(before, paid_answer(), NOW + 1)
    assert late.after.state is S.REVERSING
    assert late.alarm
    assert not late.paid
    back = hear(late.after, Answer(E.CANCELLED), NOW + 2)
    assert back.after.state is S.CANCELLED
    assert back.after.reversed_fen == back.after.paid_fen == 100
    assert back.after.due_at_ms == NOW + 2 + retry.LAST_LOOK_MS, "a reversal is looked at as well"
    assert [p.kind for p in late.postings + back.postings] == [PostingKind.SALE, PostingKind.REVERSAL]


def test_what_was_given_back_by_a_refund_of_its_own_is_proved() -> None:
    reversing = ask_cancel(hear(submitted(), paid_answer(), NOW).after, NOW).after
    assert hear(reversing, Answer(E.CANCELLED, by_refund=True), NOW).after.due_at_ms is None


@pytest.mark.parametrize(("paid_at_ms", "state"), [(59_999, S.PAID), (60_000, S.REVERSING), (None, S.REVERSING)])
def test_a_payer_at_the_till_who_pays_after_the_deadline_gets_it_back(
    paid_at_ms: int | None, state: PaymentState
) -> None:
    waiting = hear(submitted(), Answer(E.WAITING, channel_trade_no="T1"), NOW).after
    answer = replace(paid_answer(), paid_at_ms=None if paid_at_ms is None else NOW + paid_at_ms)
    change = hear(waiting, answer, NOW + 90_000)
    assert change.after.state is state
    assert change.after.paid_fen == 100
    assert bool(change.alarm) is (state is S.REVERSING)
    qr = replace(waiting, method=Method.QR)
    assert hear(qr, answer, NOW + 90_000).after.state is S.PAID, "an order by QR has no till that waits"


def test_an_order_that_waits_for_its_payer_after_a_no_is_taken_back() -> None:
    failed = hear(submitted(), Answer(E.REFUSED), NOW).after
    change = hear(failed, Answer(E.WAITING, channel_trade_no="T1"), NOW)
    assert change.after.state is S.CANCELLING
    assert change.after.due_at_ms is not None
    assert change.alarm


def test_money_parked_after_the_deadline_is_taken_back_at_once() -> None:
    late = NOW + 70_000
    parked = hear(submitted(), paid_answer(101), late).after
    assert (parked.state, parked.due_at_ms) == (S.PARKED, late)


def test_long_silence_reaches_a_person_at_every_try() -> None:
    payment = ask_cancel(hear(submitted(), paid_answer(), NOW).after, NOW).after
    alarms = []
    for _ in range(40):
        change = hear(payment, SILENCE, NOW)
        payment = change.after
        alarms.append(bool(change.alarm))
        assert payment.due_at_ms is not None
    assert alarms.index(True) < 20
    assert all(alarms[alarms.index(True) :])


def test_a_last_look_that_is_never_answered_goes_on_and_alarms() -> None:
    payment = hear(submitted(), Answer(E.REFUSED), NOW).after
    for _ in range(9):
        payment = hear(payment, SILENCE, NOW).after
    last = hear(payment, SILENCE, NOW)
    assert last.after.due_at_ms == NOW + retry.DAY
    assert last.alarm


def test_a_cancel_is_not_sent_while_the_pay_call_may_be_on_its_way() -> None:
    asked = ask_cancel(submitted(), NOW + 3_000).after
    assert asked.state is S.CANCELLING
    assert asked.due_at_ms == NOW + 15_000
    heard = replace(asked, channel_trade_no="T1")
    assert retry.cancel_from_ms(heard) == NOW


def test_a_payment_with_refunds_is_not_cancelled() -> None:
    paid = hear(submitted(), paid_answer(), NOW).after
    with pytest.raises(NotCancellable):
        ask_cancel(replace(paid, reserved_fen=1), NOW)


def test_a_contradiction_changes_nothing_and_alarms() -> None:
    paid = hear(submitted(), paid_answer(), NOW).after
    for event in (E.REFUSED, E.WAITING, E.NOT_FOUND, E.CLOSED, E.CANCELLED, E.SILENT):
        change = hear(paid, Answer(event), NOW)
        assert change.after is paid
        assert change.alarm


def refund_of(payment: Payment, amount_fen: int = 40) -> Refund:
    return Refund(
        merchant_id="m",
        refund_id="r1",
        refund_no="R1",
        payment_id=payment.payment_id,
        order_no="A1",
        state=RefundState.SUBMITTED,
        amount_fen=amount_fen,
        channel="sandbox",
        created_at_ms=NOW,
    )


def test_refund_words() -> None:
    paid = hear(submitted(), paid_answer(), NOW).after
    refund = refund_of(paid)
    done = hear_refund(paid, refund, RefundAnswer(RefundEvent.DONE, refunded_fen=40), NOW)
    assert (done.after.state, done.after.refunded_fen, done.refunded_fen, done.released_fen) == (
        RefundState.DONE,
        40,
        40,
        0,
    )
    assert done.postings[0].lines == (Line("merchant", 40), Line("channel:sandbox", -40))
    failed = hear_refund(paid, refund, RefundAnswer(RefundEvent.REFUSED, reason="no"), NOW)
    assert (failed.after.state, failed.released_fen, failed.postings) == (RefundState.FAILED, 40, ())
    cash = hear_refund(paid, refund, RefundAnswer(RefundEvent.RETURNED), NOW)
    assert (cash.after.state, cash.returned_fen, bool(cash.alarm)) == (RefundState.RETURNED_TO_CASH, 40, True)
    silent = hear_refund(paid, refund, RefundAnswer(RefundEvent.SILENT), NOW)
    assert (silent.after.state, silent.released_fen, silent.after.due_at_ms) == (RefundState.UNKNOWN, 0, NOW + 5_000)


def test_a_refund_done_with_another_amount_is_not_believed() -> None:
    paid = hear(submitted(), paid_answer(), NOW).after
    change = hear_refund(paid, refund_of(paid), RefundAnswer(RefundEvent.DONE, refunded_fen=39), NOW)
    assert change.after.state is RefundState.PROCESSING
    assert change.postings == ()
    assert change.after.due_at_ms is not None
    assert change.alarm


def test_a_refund_done_after_it_was_refused_is_booked_and_takes_its_share_again() -> None:
    paid = hear(submitted(), paid_answer(), NOW).after
    failed = hear_refund(paid, refund_of(paid), RefundAnswer(RefundEvent.REFUSED), NOW).after
    change = hear_refund(paid, failed, RefundAnswer(RefundEvent.DONE, refunded_fen=40), NOW)
    assert (change.after.state, change.refunded_fen, change.released_fen) == (RefundState.DONE, 40, -40)
    assert [p.kind for p in change.postings] == [PostingKind.REFUND]
    assert change.alarm


def test_a_refund_that_is_never_answered_alarms() -> None:
    paid = hear(submitted(), paid_answer(), NOW).after
    refund = refund_of(paid)
    for _ in range(30):
        refund = hear_refund(paid, refund, RefundAnswer(RefundEvent.SILENT), NOW).after
    last = hear_refund(paid, refund, RefundAnswer(RefundEvent.SILENT), NOW)
    assert last.alarm
    assert last.after.due_at_ms is not None


def test_a_posting_that_does_not_sum_to_zero_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="zero"):
        Posting("m", "p", "p", PostingKind.SALE, "CNY", NOW, (Line("a", 1), Line("b", -2)))


def test_a_reversal_that_did_not_hold_is_done_again_and_booked_once() -> None:
    payment, kinds = submitted(), list[PostingKind]()
    for word in (paid_answer(), None, Answer(E.CANCELLED), paid_answer(), Answer(E.CANCELLED)):
        change = ask_cancel(payment, NOW) if word is None else hear(payment, word, NOW)
        payment = change.after
        kinds += [p.kind for p in change.postings]
    assert payment.state is S.CANCELLED
    assert kinds == [PostingKind.SALE, PostingKind.REVERSAL]


def test_parked_money_that_turns_up_again_is_booked_once() -> None:
    payment, kinds = submitted(), list[PostingKind]()
    for word in (
        paid_answer(101),
        None,
        Answer(E.CANCELLED),
        paid_answer(101),
        None,
        paid_answer(),
        Answer(E.CANCELLED),
    ):
        change = ask_cancel(payment, NOW) if word is None else hear(payment, word, NOW)
        payment = change.after
        kinds += [p.kind for p in change.postings]
    assert payment.state is S.CANCELLED
    assert kinds == [PostingKind.PARK, PostingKind.UNPARK]


answers = st.builds(
    Answer,
    event=st.sampled_from([e for e in PaymentEvent if e not in (E.CANCEL_ASKED, E.MISMATCHED, E.PAID_LATE)]),
    amount_fen=st.sampled_from([100, 100, 100, 101]),
    coupon_fen=st.sampled_from([0, 0, 10]),
    channel_trade_no=st.sampled_from(["", "T1"]),
)


@given(st.lists(st.one_of(answers, st.just("cancel")), max_size=25))
def test_after_any_words_the_books_agree_with_the_payment(words: list[Answer | str]) -> None:
    payment, postings, now = submitted(), list[Posting](), NOW
    for word in words:
        now += 1_000
        before = payment
        try:
            change = ask_cancel(payment, now) if isinstance(word, str) else hear(payment, word, now)
        except NotCancellable:
            continue
        payment = change.after
        postings += change.postings
        check(before, change, postings)


def check(before: Payment, change: Change, postings: list[Posting]) -> None:
    payment = change.after
    held = sum(line.amount_fen for p in postings for line in p.lines if line.account == "channel:sandbox")
    assert held == payment.paid_fen - payment.reversed_fen + payment.parked_fen
    assert len({(p.subject_id, p.kind) for p in postings}) == len(postings), "a movement was booked twice"
    if payment.state is S.PAID:
        assert held == payment.paid_fen > 0
    if payment.verdict is Verdict.NOT_PAID:
        assert held == 0, "the till is told 'not paid' while we hold the payer's money"
    waits_for_nobody = payment.due_at_ms is None
    if payment.is_open or payment.is_undoing:
        assert not waits_for_nobody, "nobody will ever finish this payment"
    if before.verdict is not Verdict.PAID and payment.verdict is Verdict.PAID:
        assert change.paid
