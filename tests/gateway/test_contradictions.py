"""Channels that say one thing and do another: whatever they say, the payer's money ends where the till was told."""

from __future__ import annotations

from collections.abc import Awaitable

import anyio
import pytest

from anytill.core.answer import Answer, RefundAnswer
from anytill.core.errors import RefundExceedsPaid
from anytill.core.lifecycle import PaymentEvent, PaymentState, RefundEvent, RefundState
from anytill.core.payment import PaymentRef, Refund, RefundOrder, RefundRef, Verdict
from tests.gateway.meddler import Meddler, meddled
from tests.world import World

pytestmark = pytest.mark.anyio
S, E, R, F = PaymentState, PaymentEvent, RefundState, RefundEvent


def alarms(world: World) -> list[str]:
    return [str(fields.get("what", event)) for event, fields in world.watch.alarms]


# Taking back


@pytest.mark.parametrize("ending", ["00", "08"])
async def test_a_reversal_that_was_none_is_seen_at_the_last_look_and_made(world: World, ending: str) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order(ending))
    assert payment.state is (S.PARKED if ending == "08" else S.PAID)
    channel.cancel_says = [Answer(E.CANCELLED)]
    assert (await till.cancel(payment.ref)).state is S.CANCELLED
    assert (await world.book(payment.order_no))["net_fen"] != 0
    await world.pass_s(120)
    end = await world.stored(payment.order_no)
    assert (end.state, end.due_at_ms) == (S.CANCELLED, None)
    assert (await world.book(payment.order_no))["net_fen"] == 0
    assert "the order turned up REVERSING after the till was told CANCELLED" in alarms(world)
    await world.check_books(payment.order_no)


async def test_a_whole_refund_of_another_amount_is_not_taken_for_the_whole(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=1_000))
    channel.cancel_says = [Answer(E.CANCEL_REFUSED)]
    channel.refund_says = [RefundAnswer(F.DONE, refunded_fen=1)]
    told = await till.cancel(payment.ref)
    assert (told.state, told.verdict, told.reversed_fen) == (S.REVERSING, Verdict.OPEN, 0)
    assert alarms(world) == ["the channel says that another amount went back than was asked"]
    await world.pass_s(60)
    assert (await world.stored(payment.order_no)).state is S.CANCELLED
    await world.check_books(payment.order_no)


@pytest.mark.parametrize(("amount_fen", "word"), [(91, F.PROCESSING), (94, F.SILENT)])
async def test_a_whole_refund_is_done_only_when_the_channel_says_so_and_is_made_once(
    world: World, amount_fen: int, word: RefundEvent
) -> None:
    channel = await meddled(world)
    heard: list[RefundEvent] = []

    async def listen(real: Awaitable[RefundAnswer]) -> RefundAnswer:
        answer = await real
        heard.append(answer.event)
        return answer

    channel.refund_says_of = listen
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=amount_fen))
    channel.cancel_says = [Answer(E.CANCEL_REFUSED)] * 20
    assert (await till.cancel(payment.ref)).state is S.REVERSING
    assert heard == [word]
    await world.pass_s(30)
    assert (await world.stored(payment.order_no)).state is S.CANCELLED
    assert heard[-1] is F.DONE
    assert len(heard) > 1
    assert set(channel.refund_ids) == {f"{payment.payment_id}R"}, "another number would be another refund"
    assert (await world.book(payment.order_no))["net_fen"] == 0
    await world.check_books(payment.order_no)


# The till's deadline


async def test_a_payer_who_confirms_after_the_tills_minute_gets_the_money_back(world: World) -> None:
    till = await world.till("teegon")
    payment = await till.pay(world.order("03"))
    world.clock.advance(65_000)  # and no worker ran: the order was not taken back in time
    await world.wallet.payer_pays(merchant_order=payment.order_no)
    await world.pass_s(600)
    end = await world.stored(payment.order_no)
    assert (end.state, end.paid_fen, end.reversed_fen) == (S.CANCELLED, 100, 100)
    assert end.paid_at_ms is not None
    assert end.paid_at_ms > end.deadline_at_ms
    assert alarms(world) == ["the payer paid after the deadline"]
    assert world.receiver.posted == [], "the merchant must not be told of money that goes back"
    await world.check_books(payment.order_no)


async def test_an_order_that_waits_for_its_payer_after_a_no_is_taken_back(world: World) -> None:
    channel = await meddled(world)
    channel.pay_says = says_no
    payment = await (await world.till()).pay(world.order("03"))
    assert payment.verdict is Verdict.NOT_PAID
    await world.pass_s(3_600)
    end = await world.stored(payment.order_no)
    assert (end.state, end.due_at_ms) == (S.CANCELLED, None)
    assert (await world.book(payment.order_no))["state"] == "CANCELLED", "the payer could have paid"
    assert channel.calls.count("cancel") == 1
    assert alarms(world) == ["the order turned up CANCELLING after the till was told FAILED"]


async def test_what_is_parked_after_the_deadline_is_taken_back_too(world: World) -> None:
    channel = await meddled(world)

    async def slow(real: Awaitable[Answer]) -> Answer:
        answer = await real
        world.clock.advance(61_000)  # the process slept
        return answer

    channel.pay_says = slow
    payment = await (await world.till()).pay(world.order("08"))
    assert payment.state is S.PARKED
    await world.pass_s(60)
    end = await world.stored(payment.order_no)
    assert (end.state, end.due_at_ms) == (S.CANCELLED, None)
    assert (await world.book(payment.order_no))["net_fen"] == 0
    await world.check_books(payment.order_no)


async def says_no(real: Awaitable[Answer]) -> Answer:
    await real
    return Answer(E.REFUSED)


# Refunds


async def refused_and_then_done(world: World, channel: Meddler, meanwhile_fen: int) -> Refund:
    """A refund of everything: its query says no while its own call is under way, which then says done. In between
    another refund may be made."""
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=100))
    answered = anyio.Event()

    async def late(real: Awaitable[RefundAnswer]) -> RefundAnswer:
        answer = await real
        channel.refund_says_of = None
        channel.query_refund_says = [RefundAnswer(F.REFUSED)]
        await world.pass_s(6)
        stored = await world.store.refund(payment.merchant_id, RefundRef("R1"))
        assert stored is not None
        assert stored.state is R.FAILED
        if meanwhile_fen:
            channel.refund_says = [RefundAnswer(F.DONE, refunded_fen=meanwhile_fen)]
            assert (await till.refund(RefundOrder(payment.ref, "R2", meanwhile_fen))).state is R.DONE
        answered.set()
        return answer

    channel.refund_says_of = late
    told = await till.refund(RefundOrder(payment.ref, "R1", 100))
    assert answered.is_set()
    return told


async def test_a_refund_that_is_done_after_it_was_refused_is_booked_and_keeps_its_share(world: World) -> None:
    channel = await meddled(world)
    refund = await refused_and_then_done(world, channel, meanwhile_fen=0)
    assert (refund.state, refund.refunded_fen) == (R.DONE, 100)
    assert alarms(world) == ["a refund was done after the channel had refused it"]
    till = await world.till()
    with pytest.raises(RefundExceedsPaid):
        await till.refund(RefundOrder(PaymentRef(refund.order_no), "R2", 100))
    assert (await world.stored(refund.order_no)).refunded_fen == 100
    await world.check_books(refund.order_no)


async def test_a_refund_that_is_done_when_its_share_is_gone_is_for_a_person(world: World) -> None:
    """More went back than was paid: the books cannot hold it, and must not pretend to."""
    channel = await meddled(world)
    refund = await refused_and_then_done(world, channel, meanwhile_fen=40)
    assert (refund.state, refund.refunded_fen, refund.due_at_ms) == (R.FAILED, 0, None)
    assert alarms(world) == ["a refund was done after the channel had refused it, and its share was given since"]
    payment = await world.stored(refund.order_no)
    assert (payment.reserved_fen, payment.refunded_fen) == (40, 40)
    assert await world.store.audit() == []


async def test_a_refund_of_another_amount_is_never_believed_and_alarms_at_every_look(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=100))
    channel.refund_says = [RefundAnswer(F.DONE, refunded_fen=99)]
    channel.query_refund_says = [RefundAnswer(F.DONE, refunded_fen=99)] * 100
    assert (await till.refund(RefundOrder(payment.ref, "R1", 100))).state is R.PROCESSING
    await world.pass_s(3_600)
    looks = 1 + channel.calls.count("query_refund")
    assert looks > 10
    assert alarms(world) == ["the channel says that another amount went back than was asked"] * looks
    stored = await world.stored(payment.order_no)
    assert (stored.reserved_fen, stored.refunded_fen) == (100, 0), "its share is held as long as nobody knows"
    assert await world.store.audit() == []
