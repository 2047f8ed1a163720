"""What a register and a client make of one answer that belongs to another question, or to another trade or refund.

Nothing on a serial line says which question an answer belongs to. So a "no" counts for a payment only when it can be
one's, and for an inquiry only when it says what it found; the same for refunds. `test_late_pairs` tries all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress

import pytest

from anytill.core.errors import Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Payment, PaymentRef, PayOrder, RefundOrder, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay import answers, codec, words
from anytill.dialects.qfpay.client import Client, Withdrawn
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.register import News, Register
from anytill.ports import Unreachable
from anytill.wire.errors import WireError
from tests.dialects.qfpay.desk import Desk
from tests.dialects.qfpay.late import Crash, LateShop, Manner, raw, raw_trade, sort_of
from tests.dialects.qfpay.scripted import POS_KEY, SYSSN, Scripted, paid
from tests.dialects.qfpay.test_register import (
    AWAITED,
    NOTHING_WAITS,
    ORDER,
    RED_KEY,
    REFUNDED,
    UNKNOWN,
    WANTED,
    WITHDRAWN,
    Shop,
    at,
    left,
)

pytestmark = pytest.mark.anyio

OTHER_SYSSN = "12611211605300000002"


def bare(word: words.Word) -> Told:
    """Said without a number, as to a question that names nothing."""
    return Told(word.code, {"respcd": word.inner, "resmsg": word.text}, word.text, word.text)


#: A "no" that only another question is answered.
OTHERS_NO = {
    "5001 too late": bare(words.TOO_LATE),
    "5001 nothing waits": bare(words.NOTHING_TO_CANCEL),
    "3001 no paper": bare(words.NO_PAPER),
    "1002 not confirmed": bare(words.REFUND_TIMED_OUT),
    "1002 returned to cash": bare(words.REFUND_WORDS[RefundState.RETURNED_TO_CASH]),
}
#: A "no" to another trade; the first three say so of no number.
TRADES_NO = {
    "red key": RED_KEY,
    "given up": Told("6001"),
    "timed out": Told("6002", {"respcd": "1181"}),
    "declined": Told("6002", {"respcd": "1205", "syssn": OTHER_SYSSN, "out_trade_no": "N7", "txamt": "777"}),
}
each_of_others = pytest.mark.parametrize("late", OTHERS_NO.values(), ids=OTHERS_NO)
#: What a refund cannot have been told.
each_not_a_refunds = pytest.mark.parametrize(
    "late",
    [TRADES_NO["red key"], TRADES_NO["declined"], NOTHING_WAITS, bare(words.TOO_LATE), bare(words.NO_PAPER)],
    ids=["red key", "declined", "nothing waits", "too late", "no paper"],
)


def client(*script: Told) -> Client:
    return Client({"pos_key": POS_KEY}, Scripted(*script))


async def told(call: Awaitable[Payment]) -> Verdict | None:
    """The verdict; None when the answer was not believed, or taken for a refusal."""
    try:
        return (await call).verdict
    except (Refusal, Unreachable, WireError):
        return None


async def killed_at_a_trade() -> Shop:
    """A shop whose register was killed when its 1001 was out: another one resumes it."""

    def dies(_content: object) -> Told:
        raise Crash

    shop = at(dies)
    with pytest.raises(Crash):
        await shop.register.pay(ORDER)
    return shop


async def end_of(register: Register, order: PayOrder) -> Payment | None:
    """What is written down as a trade's end, also when a refusal was told."""
    with suppress(Refusal):
        await register.pay(order)
    sale = register._steps.sale(order.order_no)
    assert sale is not None
    return sale.end


# A payment is not unpaid because something else is not done


@pytest.mark.parametrize(
    "late", [*OTHERS_NO.values(), *list(TRADES_NO.values())[:3]], ids=[*OTHERS_NO, *list(TRADES_NO)[:3]]
)
async def test_a_no_that_names_nothing_is_no_inquirys_answer(late: Told) -> None:
    shop = await killed_at_a_trade()
    shop.terminal = Scripted(late, paid())
    (end,) = await shop.register.resume()
    assert end.state is PaymentState.PAID


@each_of_others
async def test_who_only_asks_does_not_believe_it_either(late: Told) -> None:
    assert await told(client(late).query(PaymentRef("N1"))) in (None, Verdict.OPEN)


@each_of_others
async def test_nor_does_a_trade(late: Told) -> None:
    assert await told(client(late).pay(ORDER)) in (None, Verdict.OPEN)


async def test_too_late_to_withdraw_is_not_unpaid(desk: Desk) -> None:
    """The cashier withdraws while the payment goes through, and the register is killed with the trade's answer in its
    buffer: the withdrawal's is the first that the next register reads."""
    shop, late = LateShop(desk), list[bytes]()

    async def withdrawn() -> None:
        await desk.world.pass_s(10)  # the payer has keyed in his PIN: the wallet has charged him
        late.append(await raw(desk, 5001))

    desk.panel.pausing(withdrawn)
    desk.code("01")
    shop.is_killed_at("1001")
    with pytest.raises(Crash):
        await shop.register().pay(an_order("A1"))
    assert [sort_of(each) for each in late] == ["6002/9012 bare"]
    shop.line.put(late)
    (end,) = await shop.register().resume()
    assert end.state is PaymentState.PAID
    assert await desk.net_fen("A1") == 500


def an_order(number: str) -> PayOrder:
    return PayOrder(number, 500, currency="HKD", wallet=Wallet.WECHAT)


@pytest.mark.parametrize(
    ("number", "origssn"), [("N2", OTHER_SYSSN), ("N1", SYSSN)], ids=["another payment's", "this payment's"]
)
async def test_an_inquiry_about_a_refund_does_not_say_that_there_is_no_payment(number: str, origssn: str) -> None:
    late = Told("6000", {**REFUNDED, "origssn": origssn, "out_trade_no": number})
    with pytest.raises((Unreachable, WireError)):
        await client(late).query(PaymentRef("N1"))
    # Nor does it confirm a refusal that is late itself.
    end = await end_of(at(Told("4005", {"respcd": "9010"}), late, paid()).register, ORDER)
    assert end is None or end.state is PaymentState.PAID


async def test_a_refusal_and_there_is_none_both_late_are_no_end(desk: Desk) -> None:
    """ "Busy" to one killed command, "there is none" to another: what is late may run out before it is asked again."""
    late = [codec.plain_answer(answers.told(words.BUSY)), await raw(desk, 4001, out_trade_no="OTHER")]
    shop = LateShop(desk)
    shop.line.put(late, manner=Manner.KEPT)
    desk.code()
    end = await end_of(shop.register(), an_order("A1"))
    assert await desk.net_fen("A1") == 500
    assert end is None or end.state is PaymentState.PAID


# A refund is neither done nor denied by what is said of something else


@pytest.mark.parametrize(
    "late",
    [paid(txamt="500"), paid(out_trade_no="N2", syssn=OTHER_SYSSN, txamt="777"), AWAITED],
    ids=["its own payment", "another payment", "awaited"],
)
async def test_a_payments_answer_gives_a_refund_neither_sum_nor_number(late: Told) -> None:
    end = await at(left(100), late, left(60, "5")).register.refund(WANTED)
    assert (end.state, end.amount_fen) == (RefundState.DONE, 40)
    assert end.refund_id in ("", "R9")


async def test_an_earlier_refunds_answer_gives_a_later_one_no_sum(desk: Desk) -> None:
    shop = LateShop(desk)
    desk.code()
    await raw_trade(desk, "A1")
    first = await raw(desk, 1002, orderId="A1", refund_amount=0.7)
    await desk.world.pass_s(61)
    shop.line.put([first], nth=1)
    end = await shop.register().refund(RefundOrder(PaymentRef("A1"), "R1", 40))
    await desk.world.pass_s(900)
    assert await desk.net_fen("A1") == 500 - 70 - 40
    # Its own answer is lost, and of a second refund no inquiry says that it is back: but never another sum.
    assert end.amount_fen == 40
    assert end.refunded_fen in (0, 40)


@each_not_a_refunds
async def test_what_is_no_refunds_no_holds_none_up(late: Told) -> None:
    shop = at(left(100), late, left(60, "5"))
    began_ms = shop.clock.now_ms()
    end = await shop.register.refund(WANTED)
    assert end.state is RefundState.DONE
    assert shop.clock.now_ms() - began_ms < 60_000


@each_not_a_refunds
async def test_what_is_no_refunds_no_is_not_told_as_one(late: Told) -> None:
    """A terminal may show a refund a moment after it was asked for: told as failed, it would be made again."""
    end = await at(left(100), late, left(100), left(60, "5")).register.refund(WANTED)
    assert end.state is not RefundState.FAILED


@pytest.mark.parametrize("late", [WITHDRAWN, UNKNOWN, Told("4005", {"respcd": "1145"})])
async def test_an_open_word_contradicts_no_refund(late: Told) -> None:
    shop = at(left(100), Told("6000", REFUNDED), late, left(60, "5"))
    assert (await shop.register.refund(WANTED)).state is RefundState.DONE
    assert shop.news == []


@pytest.mark.parametrize("lasts", [False, True])
async def test_sums_that_cannot_be_are_believed_when_they_are_told_twice(lasts: bool) -> None:
    shop = at(left(100), Told("6000", REFUNDED), left(10, "5"), left(10 if lasts else 60, "5"))
    end = await shop.register.refund(WANTED)
    assert end.state is (RefundState.UNKNOWN if lasts else RefundState.DONE)
    assert [news for news, _ in shop.news] == [News.CONTRADICTION] * lasts


# What went back before is taken from one look


async def with_an_old_look(desk: Desk, shop: LateShop, first_by: LateShop) -> None:
    """A payment, an inquiry of it, then a refund of 40 by some register; and the inquiry's answer is late."""
    desk.code()
    await raw_trade(desk, "A1")
    old = await raw(desk, 4001, out_trade_no="A1")
    first = await first_by.register().refund(RefundOrder(PaymentRef("A1"), "R1", 40))
    assert first.state is RefundState.DONE
    await desk.world.pass_s(61)
    shop.line.put([old])


async def test_a_look_that_is_older_than_an_own_refund_is_not_believed(desk: Desk) -> None:
    """Else a refund that was never sent would be found done: what is gone is the first one's."""
    shop = LateShop(desk)
    await with_an_old_look(desk, shop, shop)
    with pytest.raises(Unreachable):
        await shop.register().refund(RefundOrder(PaymentRef("A1"), "R2", 40))
    assert shop.line.asked == ["4001"]
    assert shop.register().without_end == []
    assert (await shop.register().refund(RefundOrder(PaymentRef("A1"), "R2", 40))).state is RefundState.DONE
    assert await desk.net_fen("A1") == 420


async def test_a_look_that_is_older_than_anothers_refund_is_for_a_person(desk: Desk) -> None:
    shop = LateShop(desk)
    await with_an_old_look(desk, shop, LateShop(desk))
    end = await shop.register().refund(RefundOrder(PaymentRef("A1"), "R2", 50))
    assert (end.state, end.refunded_fen) == (RefundState.UNKNOWN, 0)
    assert shop.news == [News.CONTRADICTION]
    assert [task.number for task in shop.register().without_end] == ["R2"]
    assert await desk.net_fen("A1") == 410


# A withdrawal


@pytest.mark.parametrize(
    "late",
    [
        TRADES_NO["declined"],
        Told("6001", {"respcd": "1142", "out_trade_no": "N7"}),
        Told("6002", {"respcd": "1155", "orig_syssn": OTHER_SYSSN}),
        bare(words.NO_PAPER),
    ],
    ids=["declined", "red key", "denied", "no paper"],
)
async def test_nothing_waits_is_not_said_by_anothers_no(late: Told) -> None:
    withdrawn = None
    with suppress(Refusal, Unreachable, WireError):
        withdrawn = await client(late).withdraw()
    assert withdrawn in (None, Withdrawn.UNSURE)


async def test_a_receipt_that_was_printed_is_nothing_taken_back(desk: Desk) -> None:
    shop = LateShop(desk)
    desk.code()
    await raw_trade(desk, "A1")
    shop.line.put([await raw(desk, 3001, orderId="A1")])
    with pytest.raises((Refusal, Unreachable, WireError)):
        await shop.register().withdraw()
