"""The law of a channel, for every kind that is found: what the gateway relies on whoever is at the other end.

The sandbox brings its other end along. `upstream` is left out: it has no law of its own beside that of the till it
wraps, which every dialect's client keeps.
"""

from __future__ import annotations

import pytest

from anytill.channels import load_channels
from anytill.core.answer import Answer, RefundAnswer
from anytill.core.lifecycle import PaymentEvent, RefundEvent
from anytill.core.payment import Method, Payment
from anytill.core.secret import Secret
from anytill.ports import Channel
from tests.channels.fakes import Disk, code, parts, payment, refund

pytestmark = pytest.mark.anyio

#: Every kind of day a payer can have; the last digits mean something to the sandbox and nothing to others.
ENDINGS = [f"{ending:02d}" for ending in range(12)]


WRAPS_A_TILL = {"upstream"}


@pytest.fixture(params=sorted(load_channels().keys() - WRAPS_A_TILL))
def journal_and_channel(request: pytest.FixtureRequest) -> tuple[Disk, Channel]:
    journal = Disk()
    return journal, load_channels()[request.param].open(parts("tested", journal))


@pytest.fixture
def channel(journal_and_channel: tuple[Disk, Channel]) -> Channel:
    return journal_and_channel[1]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_whatever_happens_is_an_answer(channel: Channel, ending: str) -> None:
    asked = payment()
    assert isinstance(await channel.pay(asked, code(ending)), Answer)
    assert isinstance(await channel.query(asked), Answer)
    assert isinstance(await channel.refund(asked, refund(asked, 100)), RefundAnswer)
    assert isinstance(await channel.query_refund(asked, refund(asked, 100)), RefundAnswer)
    assert isinstance(await channel.cancel(asked), Answer)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_dead_line_is_silence_and_no_exception(journal_and_channel: tuple[Disk, Channel], ending: str) -> None:
    journal, channel = journal_and_channel
    journal.broken = True
    asked = payment()
    assert (await channel.pay(asked, code(ending))).event is PaymentEvent.SILENT
    assert (await channel.cancel(asked)).event is PaymentEvent.SILENT
    assert (await channel.refund(asked, refund(asked, 100))).event is RefundEvent.SILENT


async def test_a_paid_answer_says_all_that_is_booked(channel: Channel) -> None:
    answer = await channel.pay(payment(amount_fen=1_234), code())
    assert (answer.event, answer.amount_fen, answer.coupon_fen, answer.currency) == (PaymentEvent.PAID, 1_234, 0, "CNY")
    assert answer.channel_trade_no
    assert answer.payer_id
    assert answer.paid_at_ms is not None


async def test_asking_again_for_one_payment_charges_once(channel: Channel) -> None:
    first = await channel.pay(payment(), code())
    assert await channel.pay(payment(), code()) == first
    assert await channel.query(payment()) == first


async def test_an_order_nobody_asked_for_is_not_found(channel: Channel) -> None:
    assert (await channel.query(payment())).event is PaymentEvent.NOT_FOUND
    assert (await channel.query_refund(payment(), refund(payment(), 1))).event is RefundEvent.NOT_FOUND


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_cancel_can_be_repeated_and_nothing_is_paid_afterwards(channel: Channel, ending: str) -> None:
    asked = payment()
    await channel.pay(asked, code(ending))
    first = await channel.cancel(asked)
    assert first.event is PaymentEvent.CANCELLED
    assert await channel.cancel(asked) == first
    assert (await channel.query(asked)).event in {PaymentEvent.CANCELLED, PaymentEvent.REFUSED}
    assert (await channel.pay(asked, code(ending))).event in {PaymentEvent.CANCELLED, PaymentEvent.REFUSED}


async def test_a_cancel_that_overtakes_its_pay_wins(channel: Channel) -> None:
    assert (await channel.cancel(payment())).event is PaymentEvent.CANCELLED
    assert (await channel.pay(payment(), code())).event is PaymentEvent.REFUSED
    assert (await channel.query(payment())).event is PaymentEvent.CANCELLED


async def test_one_refund_number_moves_money_once(channel: Channel) -> None:
    asked = payment(amount_fen=1_000)
    await channel.pay(asked, code())
    first = await channel.refund(asked, refund(asked, 600))
    assert (first.event, first.refunded_fen) == (RefundEvent.DONE, 600)
    assert await channel.refund(asked, refund(asked, 600)) == first
    assert await channel.query_refund(asked, refund(asked, 600)) == first
    rest = await channel.refund(asked, refund(asked, 400, number=2))
    assert rest.event is RefundEvent.DONE, "the repeat has taken the other 400"


async def test_no_more_than_was_charged_is_given_back(channel: Channel) -> None:
    asked = payment(amount_fen=1_000)
    await channel.pay(asked, code())
    assert (await channel.refund(asked, refund(asked, 1_001))).event is RefundEvent.REFUSED
    assert (await channel.refund(asked, refund(asked, 999, number=2))).event is RefundEvent.DONE
    assert (await channel.refund(asked, refund(asked, 2, number=3))).event is RefundEvent.REFUSED
    assert (await channel.refund(asked, refund(asked, 1, number=4))).event is RefundEvent.DONE


async def test_what_is_not_paid_is_not_refunded(channel: Channel) -> None:
    asked = payment()
    assert (await channel.refund(asked, refund(asked, 1))).event is RefundEvent.REFUSED
    await channel.pay(asked, code())
    await channel.cancel(asked)
    assert (await channel.refund(asked, refund(asked, 1, number=2))).event is RefundEvent.REFUSED


async def test_merchants_do_not_meet(channel: Channel) -> None:
    ours, theirs = payment(), payment(merchant_id="m2")
    await channel.pay(ours, code())
    assert (await channel.query(theirs)).event is PaymentEvent.NOT_FOUND
    await channel.cancel(theirs)
    assert (await channel.query(ours)).event is PaymentEvent.PAID


@pytest.mark.parametrize("method", [Method.QR, Method.JSAPI, Method.APP, Method.H5])
async def test_an_order_for_later_waits_with_an_invitation(channel: Channel, method: Method) -> None:
    asked: Payment = payment(method=method)
    answer = await channel.pay(asked, None)
    assert answer.event is PaymentEvent.WAITING
    assert answer.invitation
    assert await channel.query(asked) == answer


async def test_no_answer_shows_the_payers_code(journal_and_channel: tuple[Disk, Channel]) -> None:
    journal, channel = journal_and_channel
    shown = Secret("139999888877776666")
    answer = await channel.pay(payment(), shown)
    assert shown.reveal() not in repr(answer)
    assert shown.reveal().encode() not in journal.data
