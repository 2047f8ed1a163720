"""Notices of refunds: once, with the money, where the payment was told, and only what is done."""

from __future__ import annotations

import json
from dataclasses import replace

import anyio
import pytest

from anytill.core.answer import Answer, RefundAnswer
from anytill.core.lifecycle import REFUND_MOVES, PaymentEvent, PaymentState, RefundEvent, RefundState
from anytill.core.merchant import Credential
from anytill.core.notice import Notice, NoticeState
from anytill.core.payment import Payment, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.dialects import load_dialects
from anytill.gateway import GatewayTill
from anytill.wire.http import text
from tests.gateway.meddler import meddled
from tests.world import NOTICE_URL, World

pytestmark = pytest.mark.anyio
R, F = RefundState, RefundEvent
#: A terminal of the demo's merchant, whose tills of other protocols can refund what it took.
TERMINAL = Credential("qfpay", "90000001", Secret("k" * 32), {"": "demo"}, password=Secret("a notify key"))
#: Amounts by which the sandbox gives another answer than "done".
PROCESSED, REFUSED, RETURNED, UNANSWERED = 91, 92, 93, 94


async def at_the_terminal(world: World) -> GatewayTill:
    await world.store.put_credential(TERMINAL)
    return world.gateway.till(TERMINAL)


async def paid(world: World, amount_fen: int = 1_000) -> Payment:
    """What the terminal took; its notice has been heard."""
    world.receiver.answer = lambda _nth: text("SUCCESS")
    payment = await (await at_the_terminal(world)).pay(world.order(amount_fen=amount_fen))
    assert payment.state is PaymentState.PAID
    await world.pass_s(1)
    world.receiver.posted.clear()
    return payment


async def of_refunds(world: World, payment: Payment) -> list[Notice]:
    notices = await world.store.notices_of(payment.merchant_id, payment.payment_id)
    return [notice for notice in notices if notice.refund_id]


async def stored(world: World, payment: Payment, refund_no: str = "R1") -> Refund:
    refund = await world.store.refund(payment.merchant_id, RefundRef(refund_no))
    assert refund is not None
    return refund


@pytest.mark.parametrize("refunder", ["qfpay", "chaoying", "semoor"])
async def test_a_refund_is_told_as_its_payment_was_whoever_asked_for_it(world: World, refunder: str) -> None:
    payment = await paid(world)
    till = world.gateway.till(TERMINAL) if refunder == "qfpay" else await world.till(refunder)
    refund = await till.refund(RefundOrder(payment.ref, "R1", 400))
    assert refund.state is R.DONE
    await world.pass_s(1)
    (notice,) = await of_refunds(world, payment)
    assert (notice.notice_id, notice.refund_id) == (f"{refund.refund_id}R", refund.refund_id)
    assert (notice.dialect, notice.login, notice.url) == ("qfpay", TERMINAL.login, NOTICE_URL)
    assert notice.state is NoticeState.DELIVERED
    (posted,) = world.receiver.posted
    told = json.loads(posted.body)
    assert (told["orig_out_trade_no"], told["orig_syssn"]) == (payment.order_no, payment.payment_id)
    assert (told["out_trade_no"], told["syssn"], told["txamt"]) == ("R1", refund.refund_id, "400")
    assert await world.store.audit() == []


@pytest.mark.parametrize("payer_of", ["teegon", "chaoying", "yst", "semoor"])
async def test_who_tells_of_payments_only_tells_of_no_refund(world: World, payer_of: str) -> None:
    payment = await (await world.till(payer_of)).pay(world.order())
    # Not even when a terminal refunds it whose own refunds are told.
    refund = await (await at_the_terminal(world)).refund(RefundOrder(payment.ref, "R1", 100))
    assert refund.state is R.DONE
    await world.pass_s(60)
    told = await world.store.notices_of(payment.merchant_id, payment.payment_id)
    expected = [f"{payment.payment_id}P"] if load_dialects()[payer_of].form is not None else []
    assert [notice.notice_id for notice in told] == expected


async def test_without_an_address_no_refund_is_told(world: World) -> None:
    till = await at_the_terminal(world)
    payment = await till.pay(world.order(notice_url=""))
    assert (await till.refund(RefundOrder(payment.ref, "R1", 100))).state is R.DONE
    await world.pass_s(60)
    assert await world.store.notices_of(payment.merchant_id, payment.payment_id) == []
    assert world.receiver.posted == []


@pytest.mark.parametrize("amount_fen", [PROCESSED, UNANSWERED])
async def test_what_is_done_later_is_told_then_and_once_however_many_ask(world: World, amount_fen: int) -> None:
    payment = await paid(world)
    tills = [world.gateway.till(TERMINAL), await world.till("chaoying")]
    assert (await tills[0].refund(RefundOrder(payment.ref, "R1", amount_fen))).state is not R.DONE
    assert await of_refunds(world, payment) == []
    world.clock.advance(10_000)
    async with anyio.create_task_group() as group:
        for till in tills * 4:
            group.start_soon(till.query_refund, RefundRef("R1"))
        group.start_soon(world.gateway.recovery.refunds)
    await world.pass_s(600)
    for till in tills:
        assert (await till.query_refund(RefundRef("R1"))).state is R.DONE
        assert (await till.refund(RefundOrder(payment.ref, "R1", amount_fen))).state is R.DONE
    await world.pass_s(24 * 3600)
    (notice,) = await of_refunds(world, payment)
    assert (notice.state, len(world.receiver.posted)) == (NoticeState.DELIVERED, 1)
    assert world.watch.alarms == []


@pytest.mark.parametrize(("amount_fen", "end"), [(REFUSED, R.FAILED), (RETURNED, R.RETURNED_TO_CASH)])
async def test_what_did_not_reach_the_payer_is_not_told(world: World, amount_fen: int, end: RefundState) -> None:
    payment = await paid(world)
    await world.gateway.till(TERMINAL).refund(RefundOrder(payment.ref, "R1", amount_fen))
    await world.pass_s(24 * 3600)
    assert (await stored(world, payment)).state is end
    assert (await of_refunds(world, payment), world.receiver.posted) == ([], [])


async def test_each_of_several_refunds_is_told(world: World) -> None:
    payment = await paid(world)
    till = world.gateway.till(TERMINAL)
    refunds = [await till.refund(RefundOrder(payment.ref, f"R{n}", 300)) for n in range(3)]
    await world.pass_s(1)
    told = [json.loads(posted.body) for posted in world.receiver.posted]
    assert sorted(each["syssn"] for each in told) == sorted(refund.refund_id for refund in refunds)
    assert len(await of_refunds(world, payment)) == 3


async def test_a_refund_that_was_done_after_all_is_told(world: World) -> None:
    payment = await paid(world)
    till = world.gateway.till(TERMINAL)
    assert (await till.refund(RefundOrder(payment.ref, "R1", REFUSED))).state is R.FAILED
    done = RefundAnswer(F.DONE, refunded_fen=REFUSED)
    for _ in range(3):
        await world.gateway._refunds.settle(payment, await stored(world, payment), done)
    await world.pass_s(1)
    assert [json.loads(posted.body)["txamt"] for posted in world.receiver.posted] == [str(REFUSED)]


async def test_a_process_that_dies_after_the_refund_leaves_its_notice(world: World) -> None:
    payment = await paid(world)
    refund = await world.gateway.till(TERMINAL).refund(RefundOrder(payment.ref, "R1", 400))
    assert world.receiver.posted == []
    await world.restart()
    await world.pass_s(1)
    assert [json.loads(posted.body)["syssn"] for posted in world.receiver.posted] == [refund.refund_id]


async def test_a_process_that_dies_before_it_wrote_the_end_tells_it_when_it_knows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await paid(world)

    async def die(*_: object) -> bool:
        raise RuntimeError("the process is gone")

    with monkeypatch.context() as dying:
        dying.setattr(type(world.store), "move_refund", die)
        with pytest.raises(RuntimeError, match="gone"):
            await world.gateway.till(TERMINAL).refund(RefundOrder(payment.ref, "R1", 400))
    assert (await stored(world, payment)).state is R.SUBMITTED, "the channel did it, and nobody here knows"
    assert await of_refunds(world, payment) == []
    await world.restart()
    await world.pass_s(600)
    assert (await stored(world, payment)).state is R.DONE
    assert [json.loads(posted.body)["txamt"] for posted in world.receiver.posted] == ["400"]
    await world.check_books(payment.order_no)


async def test_what_is_done_stays_done_so_its_notice_is_never_taken_back(world: World) -> None:
    assert REFUND_MOVES[R.DONE] == {F.DONE: R.DONE}
    payment = await paid(world)
    world.receiver.answer = lambda _nth: None
    await world.gateway.till(TERMINAL).refund(RefundOrder(payment.ref, "R1", 1_000))
    await world.pass_s(1)
    for word in (F.REFUSED, F.RETURNED, F.NOT_FOUND):
        await world.gateway._refunds.settle(payment, await stored(world, payment), RefundAnswer(word))
    assert len(world.watch.alarms) == 3, "a contradiction is for a person"
    world.receiver.answer = lambda _nth: text("SUCCESS")
    await world.pass_s(600)
    (notice,) = await of_refunds(world, payment)
    assert (notice.state, notice.tries) == (NoticeState.DELIVERED, 2)


async def test_a_refund_is_told_beside_a_payment_that_nobody_heard_of_yet(world: World) -> None:
    world.receiver.answer = lambda nth: text("SUCCESS") if nth > 1 else None
    till = await at_the_terminal(world)
    payment = await till.pay(world.order())
    await world.pass_s(1)
    await till.refund(RefundOrder(payment.ref, "R1", 100))
    await world.pass_s(600)
    kinds = [json.loads(posted.body)["notify_type"] for posted in world.receiver.posted]
    assert kinds == ["payment", "cancel", "payment"], "the one does not wait for the other, and both are true"


async def test_a_refund_that_nobody_hears_of_is_exhausted_and_the_alarm_names_it(world: World) -> None:
    payment = await paid(world)
    world.receiver.answer = lambda _nth: None
    refund = await world.gateway.till(TERMINAL).refund(RefundOrder(payment.ref, "R1", 100))
    await world.pass_s(3 * 24 * 3600)
    (notice,) = await world.store.exhausted_notices(10)
    assert (notice.refund_id, notice.payment_id) == (refund.refund_id, payment.payment_id)
    ((event, told),) = world.watch.alarms
    assert (event, told["payment_id"], told["refund_id"]) == ("notice_exhausted", payment.payment_id, refund.refund_id)


async def test_a_notice_that_a_former_version_tried_still_tells_of_the_refund(world: World) -> None:
    """Beside us, or after a step back, it takes every notice for a payment's, and writes it back as it read it."""
    payment = await paid(world)
    world.receiver.answer = lambda _nth: None
    refund = await world.gateway.till(TERMINAL).refund(RefundOrder(payment.ref, "R1", 400))
    (notice,) = await of_refunds(world, payment)
    as_read = replace(notice, refund_id="")
    tried = replace(as_read, tries=1, due_at_ms=world.clock.now_ms() + 1_000)
    assert await world.store.move_notice(as_read, tried)
    assert await of_refunds(world, payment) == []
    world.receiver.answer = lambda _nth: text("SUCCESS")
    await world.pass_s(600)
    (posted,) = world.receiver.posted
    told = json.loads(posted.body)
    assert (told["notify_type"], told["syssn"], told["txamt"]) == ("cancel", refund.refund_id, "400")
    assert (told["orig_out_trade_no"], told["orig_syssn"]) == (payment.order_no, payment.payment_id)


@pytest.mark.parametrize(
    "refund_no", ["R" * 64, "a" * 5_000, "退款" * 30, "1.0", "x@y", " ", "\x7f", "\u2028", "'\"\\", "=&+%20"]
)
async def test_a_refund_is_told_whatever_shape_its_number_has(world: World, refund_no: str) -> None:
    payment = await paid(world)
    refund = await world.gateway.till(TERMINAL).refund(RefundOrder(payment.ref, refund_no, 400))
    assert refund.state is R.DONE
    await world.pass_s(600)
    (posted,) = world.receiver.posted
    told = json.loads(posted.body)
    assert (told["out_trade_no"], told["syssn"]) == (refund_no, refund.refund_id)
    assert world.watch.alarms == []


async def test_a_payment_that_is_taken_back_by_a_refund_of_all_is_no_refund(world: World) -> None:
    channel = await meddled(world)
    payment = await paid(world)
    channel.cancel_says = [Answer(PaymentEvent.CANCEL_REFUSED)]
    cancelled = await world.gateway.till(TERMINAL).cancel(payment.ref)
    assert (cancelled.state, channel.calls[-1]) == (PaymentState.CANCELLED, "refund")
    await world.pass_s(600)
    assert (await of_refunds(world, payment), world.receiver.posted) == ([], [])
