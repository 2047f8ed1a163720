"""Every outcome of the sandbox, to its end, with the books checked; and what the till may be told on the way."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

import pytest

from anytill.core.answer import SILENCE, Answer, RefundAnswer
from anytill.core.errors import NotCancellable, NotRefundable, OrderConflict, PayCodeInUse
from anytill.core.lifecycle import PaymentEvent, PaymentState, RefundEvent, RefundState
from anytill.core.payment import Method, PaymentRef, RefundOrder, RefundRef, Verdict
from anytill.core.wallet import Wallet
from tests.gateway.meddler import meddled
from tests.world import World

pytestmark = pytest.mark.anyio
S = PaymentState


@pytest.mark.parametrize(
    ("ending", "at_once", "after_11_s", "in_the_end"),
    [
        ("01", S.WAITING, S.PAID, S.PAID),
        ("02", S.WAITING, S.FAILED, S.FAILED),
        ("03", S.WAITING, S.WAITING, S.CANCELLED),
        ("04", S.FAILED, S.FAILED, S.FAILED),
        ("05", S.FAILED, S.FAILED, S.FAILED),
        ("06", S.UNKNOWN, S.PAID, S.PAID),
        ("07", S.UNKNOWN, S.UNKNOWN, S.CANCELLED),
        ("08", S.PARKED, S.PARKED, S.CANCELLED),
        ("09", S.UNKNOWN, S.PAID, S.PAID),
        ("10", S.PAID, S.PAID, S.PAID),
        ("00", S.PAID, S.PAID, S.PAID),
    ],
)
async def test_every_outcome_ends_as_it_must(
    world: World, ending: str, at_once: S, after_11_s: S, in_the_end: S
) -> None:
    order = world.order(ending, amount_fen=105)
    told = await (await world.till()).pay(order)
    assert told.state is at_once
    await world.pass_s(11)
    assert (await world.stored(order.order_no)).state is after_11_s
    await world.pass_s(120)
    end = await world.stored(order.order_no)
    assert end.state is in_the_end
    assert end.due_at_ms is None
    book = await world.book(order.order_no) if ending != "07" else {"net_fen": 0}
    paid = {"10": 95}.get(ending, 105) if in_the_end is S.PAID else 0
    assert (end.paid_fen + end.parked_fen - end.reversed_fen, book["net_fen"]) == (paid, paid)
    assert end.coupon_fen == (10 if ending == "10" else 0)
    await world.check_books(order.order_no)


async def test_an_unpaid_order_is_taken_back_exactly_at_its_deadline(world: World) -> None:
    order = world.order("03")
    payment = await (await world.till()).pay(order)
    await world.pass_s(59)
    assert (await world.stored(order.order_no)).is_open
    await world.pass_s(1)
    end = await world.stored(order.order_no)
    assert end.state is S.CANCELLED
    assert end.ended_at_ms == payment.created_at_ms + 60_000


async def test_a_till_that_asks_after_the_deadline_is_told_the_end_at_once(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order("03"))
    world.clock.advance(60_000)  # and no worker has run
    assert (await till.query(payment.ref)).state is S.CANCELLED


@pytest.mark.parametrize(
    ("amount_fen", "at_once", "in_the_end", "refunded", "net"),
    [
        (10, RefundState.DONE, RefundState.DONE, 10, 490),
        (91, RefundState.PROCESSING, RefundState.DONE, 91, 409),
        (92, RefundState.FAILED, RefundState.FAILED, 0, 500),
        (93, RefundState.RETURNED_TO_CASH, RefundState.RETURNED_TO_CASH, 0, 407),
        (94, RefundState.UNKNOWN, RefundState.DONE, 94, 406),
    ],
)
async def test_every_refund_outcome(
    world: World, amount_fen: int, at_once: RefundState, in_the_end: RefundState, refunded: int, net: int
) -> None:
    till = await world.till()
    order = world.order(amount_fen=500)
    payment = await till.pay(order)
    refund = await till.refund(RefundOrder(payment.ref, "R1", amount_fen))
    assert refund.state is at_once
    await world.pass_s(30)
    assert (await till.query_refund(RefundRef("R1"))).state is in_the_end
    end = await world.stored(order.order_no)
    assert end.refunded_fen == refunded
    assert end.reserved_fen == (0 if in_the_end is RefundState.FAILED else amount_fen)
    assert (await world.book(order.order_no))["net_fen"] == net
    await world.check_books(order.order_no)


async def test_a_failed_refund_gives_its_share_free_for_another_number(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=92))
    assert (await till.refund(RefundOrder(payment.ref, "R1", 92))).state is RefundState.FAILED
    assert (await till.refund(RefundOrder(payment.ref, "R1", 92))).state is RefundState.FAILED
    assert (await till.refund(RefundOrder(payment.ref, "R2", 80))).state is RefundState.DONE
    await world.check_books(payment.order_no)


async def test_a_coupon_is_not_given_back_in_money(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order("10", amount_fen=100))
    assert (payment.paid_fen, payment.coupon_fen) == (90, 10)
    refund = await till.refund(RefundOrder(payment.ref, "R1", 90))
    assert refund.state is RefundState.DONE
    assert (await world.book(payment.order_no))["net_fen"] == 0


async def test_a_code_that_paid_is_held_ten_minutes_and_then_free(world: World) -> None:
    till = await world.till()
    first = world.order()
    await till.pay(first)
    await world.pass_s(599)
    with pytest.raises(PayCodeInUse):
        await till.pay(world.order(pay_code=first.pay_code))
    await world.pass_s(1)
    again = await till.pay(world.order(pay_code=first.pay_code))
    assert again.state is S.FAILED, "our hold is over; the wallet itself knows the code as used"


async def test_a_code_that_was_refused_is_free_at_once(world: World) -> None:
    till = await world.till()
    refused = world.order("04")
    await till.pay(refused)
    assert (await till.pay(world.order(pay_code=refused.pay_code))).state is S.FAILED


async def test_a_waiting_order_holds_its_code(world: World) -> None:
    till = await world.till()
    waiting = world.order("03")
    await till.pay(waiting)
    with pytest.raises(PayCodeInUse):
        await till.pay(world.order(pay_code=waiting.pay_code))


async def test_a_paid_payment_is_cancelled_and_the_money_is_back(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order())
    cancelled = await till.cancel(payment.ref)
    assert (cancelled.state, cancelled.reversed_fen) == (S.CANCELLED, 100)
    assert (await till.cancel(payment.ref)).state is S.CANCELLED
    with pytest.raises(NotRefundable):
        await till.refund(RefundOrder(payment.ref, "R1", 1))
    await world.check_books(payment.order_no)


async def test_a_partly_refunded_payment_is_not_cancelled(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order())
    await till.refund(RefundOrder(payment.ref, "R1", 10))
    with pytest.raises(NotCancellable):
        await till.cancel(payment.ref)


async def test_an_old_payment_is_not_cancelled_within_a_limit(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order())
    await world.pass_s(301)
    with pytest.raises(NotCancellable):
        await till.cancel(payment.ref, within_ms=300_000)
    assert (await world.stored(payment.order_no)).state is S.PAID


async def test_an_order_that_may_be_on_its_way_is_cancelled_only_after_fifteen_seconds(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order("07"))
    assert (await till.cancel(payment.ref)).state is S.CANCELLING
    await world.pass_s(11)
    assert (await world.stored(payment.order_no)).state is S.CANCELLING
    await world.pass_s(2)
    assert (await world.stored(payment.order_no)).state is S.CANCELLED


async def test_the_same_number_with_other_contents_is_refused_in_every_dialect(world: World) -> None:
    order = world.order()
    await (await world.till("teegon")).pay(order)
    with pytest.raises(OrderConflict):
        await (await world.till("chaoying")).pay(order)


async def lies_no(real: Awaitable[Answer]) -> Answer:
    """The channel takes the money and says no."""
    await real
    return Answer(PaymentEvent.REFUSED, reason="SYSTEMERROR")


async def stumbles(real: Awaitable[Answer]) -> Answer:
    await real
    raise ZeroDivisionError


async def test_money_taken_with_a_no_is_given_back(world: World) -> None:
    channel = await meddled(world)
    channel.pay_says = lies_no
    payment = await (await world.till()).pay(world.order())
    assert payment.state is S.FAILED
    assert (await world.book(payment.order_no))["net_fen"] == 100
    await world.pass_s(60)
    end = await world.stored(payment.order_no)
    assert (end.state, end.reversed_fen) == (S.CANCELLED, 100)
    assert (await world.book(payment.order_no))["net_fen"] == 0
    assert any("turned up" in str(fields) for _, fields in world.watch.alarms)
    await world.check_books(payment.order_no)


async def test_a_fault_in_the_adapter_is_silence(world: World) -> None:
    channel = await meddled(world)
    channel.pay_says = stumbles
    payment = await (await world.till()).pay(world.order())
    assert payment.state is S.UNKNOWN
    await world.pass_s(6)
    assert (await world.stored(payment.order_no)).state is S.PAID
    assert any(event == "bug" for event, _ in world.watch.alarms)


async def test_a_reversal_that_the_channel_refuses_becomes_a_refund(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order())
    channel.cancel_says = [Answer(PaymentEvent.CANCEL_REFUSED)]
    assert (await till.cancel(payment.ref)).state is S.CANCELLED
    assert (await world.book(payment.order_no))["net_fen"] == 0
    await world.check_books(payment.order_no)


async def test_money_that_nobody_can_give_back_waits_for_a_person(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order())
    channel.cancel_says = [Answer(PaymentEvent.CANCEL_REFUSED)]
    channel.refund_says = [RefundAnswer(RefundEvent.REFUSED, reason="account closed")]
    parked = await till.cancel(payment.ref)
    assert (parked.state, parked.verdict) == (S.PARKED, Verdict.OPEN)
    assert world.watch.alarms
    await world.check_books(payment.order_no)


async def test_a_payer_who_pays_between_the_last_look_and_the_cancel_gets_it_back(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order("03"))
    await world.wallet.payer_pays(merchant_order=payment.order_no)
    channel.cancel_says = [Answer(PaymentEvent.CANCEL_REFUSED)]
    end = await till.cancel(payment.ref)
    assert (end.state, end.paid_fen, end.reversed_fen) == (S.CANCELLED, 100, 100)
    await world.check_books(payment.order_no)


async def test_a_silent_cancel_is_repeated_until_it_is_answered(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order())
    channel.cancel_says = [SILENCE] * 4
    assert (await till.cancel(payment.ref)).state is S.REVERSING
    await world.pass_s(30)
    assert (await world.stored(payment.order_no)).state is S.CANCELLED
    assert channel.calls.count("cancel") == 5
    await world.check_books(payment.order_no)


async def test_the_channel_is_asked_at_five_seconds_and_every_five_after(world: World) -> None:
    channel = await meddled(world)
    channel.query_says = [SILENCE] * 50
    start = world.clock.now_ms()
    payment = await (await world.till()).pay(world.order("09"))
    asked: list[int] = []
    while (due := await world.next_due_ms()) is not None and due < payment.deadline_at_ms:
        world.clock.advance(due - world.clock.now_ms())
        before = channel.calls.count("query")
        await world.work()
        asked += [world.clock.now_ms() - start] * (channel.calls.count("query") - before)
    assert asked == list(range(5_000, 60_000, 5_000))
    assert "cancel" not in channel.calls


async def test_pay_is_called_once_in_a_payments_life(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    for ending in ("00", "06", "07", "09"):
        order = world.order(ending)
        for _ in range(3):
            await till.pay(order)
            await world.pass_s(30)
    await world.restart()
    assert channel.calls.count("pay") == 4


async def test_a_crash_between_the_intent_and_the_result_is_healed(world: World) -> None:
    channel = await meddled(world)

    async def crashes(real: Awaitable[Answer]) -> Answer:
        await real
        raise KeyboardInterrupt

    channel.pay_says = crashes
    order, unsent = world.order(), world.order()
    with pytest.raises(KeyboardInterrupt):
        await (await world.till()).pay(order)

    async def dies(real: Awaitable[Answer]) -> Answer:
        real.close()  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    channel.pay_says = dies
    with pytest.raises(KeyboardInterrupt):
        await (await world.till()).pay(unsent)
    await world.restart()
    await world.pass_s(120)
    assert (await world.stored(order.order_no)).state is S.PAID
    assert (await world.stored(unsent.order_no)).state is S.CANCELLED
    await world.check_books(order.order_no, unsent.order_no)


async def test_a_waiting_order_expires_when_the_till_said(world: World) -> None:
    till = await world.till("chaoying")
    order = replace(world.order(), method=Method.QR, wallet=Wallet.ALIPAY, pay_code=None, expires_in_s=300)
    payment = await till.pay(order)
    assert payment.invitation["code_url"]
    await world.pass_s(299)
    assert (await till.query(PaymentRef(order.order_no))).verdict is Verdict.OPEN
    await world.pass_s(2)
    assert (await till.query(PaymentRef(order.order_no))).verdict is Verdict.NOT_PAID
    await world.check_books(order.order_no)


async def test_a_silence_that_comes_late_says_nothing_against_what_was_heard_meanwhile(world: World) -> None:
    channel = await meddled(world)

    async def slow(real: Awaitable[Answer]) -> Answer:
        await real
        await world.pass_s(7)  # the worker has asked, and knows that it is paid
        return SILENCE

    channel.pay_says = slow
    payment = await (await world.till()).pay(world.order())
    assert payment.state is S.PAID
    assert world.watch.alarms == []
