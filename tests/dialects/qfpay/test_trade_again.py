"""1001 once more, and what is left of one when the process dies or the store stumbles."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from anytill.bootstrap.customer import Payer
from anytill.core.answer import Answer
from anytill.core.merchant import Credential, Merchant, MerchantState
from anytill.core.panel import Left, Stage, Way
from anytill.core.payment import Payment, PaymentRef
from anytill.core.secret import Secret
from anytill.ports import StoreUnavailable
from tests.dialects.qfpay.desk import (
    CANCELLED,
    KEY,
    MERCHANT,
    PAID,
    PRESENTED,
    UNKNOWN,
    USER_CANCELLED,
    Desk,
    Said,
    card,
    on_both_stores,
)
from tests.gateway.meddler import meddled

pytestmark = pytest.mark.anyio


# The same trade again


@on_both_stores
async def test_a_paid_number_is_told_as_paid_and_nobody_pays_again(desk: Desk) -> None:
    desk.code()
    trade = desk.trade()
    first = await desk.call(trade)
    desk.panel.asked.clear()
    desk.code()
    again = await desk.call(trade)
    assert again == first
    assert (desk.panel.asked, await desk.orders()) == ([], 1)


async def test_a_number_whose_money_was_given_back(desk: Desk) -> None:
    desk.code()
    trade = desk.trade()
    await desk.call(trade)
    await desk.refund(trade["out_trade_no"], refund_amount=1)
    part = await desk.call(trade)
    assert (part.respmsg, part.data["cancel"]) == ("Transaction successful", "5")
    await desk.refund(trade["out_trade_no"])
    for told in (await desk.call(trade), await desk.inquire(trade["out_trade_no"])):
        assert (told.codes, told.data["cancel"]) == (PAID, "3")
        assert "all of it was given back" in told.respmsg
        assert told.data["resmsg"] == told.respmsg


@pytest.mark.parametrize(("ending", "codes"), [("04", ("6002", "1205")), ("03", CANCELLED)])
async def test_a_declined_number_stays_declined(desk: Desk, ending: str, codes: tuple[str, str]) -> None:
    desk.code(ending)
    trade = desk.trade()
    assert (await desk.call(trade)).codes == codes
    desk.code("00")
    again = await desk.call(trade)
    assert again.codes == codes
    assert await desk.net_fen(trade["out_trade_no"]) == 0


@pytest.mark.parametrize("changes", [{"amt": 1.51}, {"channel": "alipay"}])
async def test_other_contents_under_a_number_are_refused(desk: Desk, changes: dict[str, Any]) -> None:
    desk.code()
    trade = desk.trade()
    await desk.call(trade)
    desk.panel.asked.clear()
    told = await desk.call({**trade, **changes})
    assert told.codes == ("4006", "1102")
    assert desk.panel.asked == []


@on_both_stores
async def test_terminals_count_by_themselves(desk: Desk) -> None:
    """The same number at another terminal is another sale, and each is asked about where it was made."""
    trade = desk.trade()
    other = await Desk(desk.world).opened("80000078")
    assert (await other.inquire(trade["out_trade_no"])).codes == ("6002", "1136")
    desk.code()
    first = await desk.call(trade)
    assert (await other.inquire(trade["out_trade_no"])).codes == ("6002", "1136")
    other.panel.holds_out(PRESENTED["wx"])
    second = await other.call({**trade, "amt": 7})
    assert second.codes == PAID
    assert second.data["out_trade_no"] == first.data["out_trade_no"] == trade["out_trade_no"]
    assert (await other.call({**trade, "amt": 7})) == second
    assert (await other.call(trade)).codes == ("4006", "1102")
    assert (await other.inquire(trade["out_trade_no"])).data["txamt"] == "700"
    assert (await desk.inquire(trade["out_trade_no"])).data["txamt"] == "150"
    # By our own number, which only answers and slips tell, every terminal may ask.
    assert (await other.inquire(first.data["syssn"])).data["txamt"] == "150"
    assert await desk.orders() == 2


@on_both_stores
async def test_the_same_number_at_two_terminals_at_once(desk: Desk) -> None:
    other = await Desk(desk.world).opened("80000078")
    trade = desk.trade()
    heard: list[Said] = []

    async def meanwhile() -> Secret:
        other.panel.holds_out(Secret("130000000000881100"))
        heard.append(await other.call(trade))
        return Secret("130000000000882200")

    desk.panel.will(Way.SCAN, meanwhile)
    told = await desk.call(trade)
    assert (heard[0].codes, told.codes) == (PAID, PAID)
    assert heard[0].data["syssn"] != told.data["syssn"]
    assert (await desk.inquire(trade["out_trade_no"])).data["syssn"] == told.data["syssn"]
    assert (await other.inquire(trade["out_trade_no"])).data["syssn"] == heard[0].data["syssn"]
    assert await desk.orders() == 2


@on_both_stores
@pytest.mark.parametrize("channel", ["wx", "fps"])
async def test_two_terminals_of_one_number_show_a_code_each(desk: Desk, channel: str) -> None:
    """Nothing in the trade itself tells them apart: no code was scanned. Neither is told of the other's money."""
    other = await Desk(desk.world).opened("80000078")
    trade = desk.trade(channel, scan_type="QRCODE_PAY")
    heard: list[Said] = []

    async def other_register() -> None:
        other.panel.pausing(Left.CANCELLED)
        heard.append(await other.call(trade))

    async def scan() -> None:
        await Payer(desk.world.wallet).pay(desk.panel.sights[-1].qr)

    desk.panel.pausing(other_register, scan)
    told = await desk.call(trade)
    assert (told.codes, heard[0].codes) == (PAID, USER_CANCELLED)
    assert other.panel.sights[1].qr not in {"", desk.panel.sights[1].qr}
    assert (await other.call(trade)).codes == CANCELLED
    assert (await desk.inquire(trade["out_trade_no"])).data["syssn"] == told.data["syssn"] != heard[0].data["syssn"]
    assert await desk.orders() == 2


async def test_a_code_without_a_number_at_two_terminals(desk: Desk) -> None:
    other = await Desk(desk.world).opened("80000078")
    trade = desk.trade(out_trade_no=None)
    for each in (desk, other):
        each.panel.holds_out(PRESENTED["wx"])
    assert (await desk.call(trade)).codes == PAID
    assert (await other.call(trade)).codes == ("6002", "9002")


async def test_another_protocols_order_of_the_number_is_another_sale(desk: Desk) -> None:
    """Also of the same amount and wallet: what the terminal was never asked for it never says was paid."""
    order = desk.world.order(currency="HKD", notice_url="")
    await desk.world.store.put_credential(Credential("teegon", "hk-till", Secret("s" * 32), {"": MERCHANT.merchant_id}))
    till = desk.world.gateway.till(await desk.world.gateway.credential("teegon", "hk-till"))
    theirs = await till.pay(order)
    trade = desk.trade(amt=order.amount_fen / 100, out_trade_no=order.order_no)
    assert (await desk.inquire(order.order_no)).codes == ("6002", "1136")
    assert (await desk.refund(order.order_no)).codes == ("6002", "1136")
    desk.code()
    told = await desk.call(trade)
    assert (told.codes, told.data["out_trade_no"]) == (PAID, order.order_no)
    assert len(desk.panel.asked) == 1
    assert told.data["syssn"] != theirs.payment_id
    assert (await desk.inquire(order.order_no)).data["syssn"] == told.data["syssn"]
    # By our own number it can be given back here, as any payment of the merchant can.
    assert (await desk.inquire(theirs.payment_id)).codes == ("6000", "0000")
    assert (await desk.refund(theirs.payment_id)).codes == ("6000", "0000")


async def test_the_same_trade_while_its_payer_is_asked(desk: Desk) -> None:
    trade = desk.trade()
    heard: list[Said] = []

    async def again() -> Secret:
        heard.append(await desk.call(trade))
        heard.append(await desk.inquire(trade["out_trade_no"]))
        heard.append(await desk.call(desk.trade()))
        return PRESENTED["wx"]

    desk.panel.will(Way.SCAN, again)
    assert (await desk.call(trade)).codes == PAID
    same, inquiry, other = heard
    assert same.codes == UNKNOWN
    assert "under way" in same.resperr
    assert inquiry.codes == ("6000", "1145")
    assert (inquiry.data["cancel"], inquiry.data["txamt"]) == ("0", "150")
    assert other.codes == ("4005", "9010")
    assert "nothing was done" in other.resperr
    assert (len(desk.panel.asked), await desk.orders()) == (1, 1)


async def test_the_same_trade_while_its_payer_confirms(desk: Desk) -> None:
    desk.code("01")
    trade = desk.trade()
    heard: list[Said] = []

    async def again() -> None:
        heard.append(await desk.call(trade))
        heard.append(await desk.call(desk.trade()))
        heard.append(await desk.inquire(trade["out_trade_no"]))

    desk.panel.pausing(None, again)
    assert (await desk.call(trade)).codes == PAID
    assert [each.codes for each in heard] == [UNKNOWN, ("4005", "9010"), ("6000", "1145")]
    assert await desk.orders() == 1


@on_both_stores
async def test_two_trades_that_come_together(desk: Desk) -> None:
    """Whatever the order in which they go on: one is taken, the others are told that the terminal is busy."""
    heard: list[Said] = []

    async def when_the_others_were_told() -> Secret:
        while len(heard) < 2:
            await anyio.sleep(0)
        return PRESENTED["wx"]

    async def one() -> None:
        heard.append(await desk.call(desk.trade()))

    desk.panel.will(Way.SCAN, when_the_others_were_told)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(one)
    assert sorted(each.codes for each in heard) == [("4005", "9010"), ("4005", "9010"), PAID]
    assert await desk.orders() == 1


@on_both_stores
async def test_a_used_code_pays_no_second_trade(desk: Desk) -> None:
    desk.panel.holds_out(PRESENTED["wx"])
    await desk.call(desk.trade())
    told = await desk.call(desk.trade())
    assert told.codes == ("6002", "9002")
    desk.panel.holds_out(PRESENTED["card_payment"])
    assert (await desk.call(desk.trade("card_payment"))).codes == PAID
    assert (await desk.call(desk.trade("card_payment"))).respcd == "6002"
    desk.panel.holds_out(card())
    assert (await desk.call(desk.trade("card_payment"))).codes == PAID


# The process dies


class Died(BaseException):
    """The process ends here."""


async def dies_when(desk: Desk, trade: dict[str, Any]) -> None:
    with pytest.raises(Died):
        await desk.call(trade)
    await desk.restart()


async def died() -> None:
    raise Died


@on_both_stores
async def test_the_process_dies_while_somebody_is_asked(desk: Desk) -> None:
    trade = desk.trade()
    desk.panel.will(Way.SCAN, died)
    await dies_when(desk, trade)
    assert (await desk.inquire(trade["out_trade_no"])).codes == ("6002", "1136")
    desk.code()
    assert (await desk.call(trade)).codes == PAID
    assert await desk.orders() == 1


@on_both_stores
async def test_the_process_dies_before_the_channel_is_asked(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    trade = desk.trade()
    desk.code()

    async def pay_says(answer: Awaitable[Answer]) -> Answer:
        answer.close()  # type: ignore[attr-defined]
        raise Died

    meddler.pay_says = pay_says
    await dies_when(desk, trade)
    assert (await desk.call(trade)).codes == UNKNOWN
    await desk.world.pass_s(300)
    assert (await desk.call(trade)).codes == CANCELLED
    assert (len(desk.panel.asked), await desk.orders()) == (1, 1)  # the order that the wallet was told to forget
    assert await desk.net_fen(trade["out_trade_no"]) == 0


@on_both_stores
async def test_the_process_dies_after_the_charge(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    trade = desk.trade()
    desk.code()

    async def pay_says(answer: Awaitable[Answer]) -> Answer:
        await answer
        raise Died

    meddler.pay_says = pay_says
    await dies_when(desk, trade)
    await desk.world.pass_s(10)
    told = await desk.call(trade)
    assert told.codes == PAID
    assert len(desk.panel.asked) == 1
    assert await desk.net_fen(trade["out_trade_no"]) == 150


@on_both_stores
@pytest.mark.parametrize(("ending", "codes"), [("01", PAID), ("03", CANCELLED)])
async def test_the_process_dies_while_the_payer_confirms(desk: Desk, ending: str, codes: tuple[str, str]) -> None:
    trade = desk.trade()
    desk.code(ending)
    desk.panel.pausing(None, died)
    await dies_when(desk, trade)
    await desk.world.pass_s(300)
    assert (await desk.call(trade)).codes == codes
    assert await desk.net_fen(trade["out_trade_no"]) == (150 if codes == PAID else 0)


@on_both_stores
async def test_after_any_end_the_terminal_takes_the_next_trade(desk: Desk) -> None:
    """Also when the register's connection broke, which ends what was being done for it."""
    trade, asked = desk.trade(), anyio.Event()

    async def nobody() -> None:
        asked.set()
        await anyio.sleep_forever()

    desk.panel.will(Way.SCAN, nobody)
    async with anyio.create_task_group() as group:
        group.start_soon(desk.call, trade)
        await asked.wait()
        group.cancel_scope.cancel()
    assert desk.panel.sights[-1].stage is Stage.IDLE
    desk.code()
    assert (await desk.call(trade)).codes == PAID


# The store stumbles


@on_both_stores
async def test_the_store_does_not_answer_when_the_order_is_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    add = desk.world.store.add_payment

    async def lost(payment: Payment) -> bool:
        await add(payment)
        raise StoreUnavailable

    trade = desk.trade()
    desk.code()
    with monkeypatch.context() as patch:
        patch.setattr(desk.world.store, "add_payment", lost)
        told = await desk.call(trade)
    assert told.codes == UNKNOWN
    assert told.data["out_trade_no"] == trade["out_trade_no"]
    assert desk.panel.stages[-1] is Stage.UNCERTAIN
    await desk.world.pass_s(600)
    assert (await desk.inquire(trade["out_trade_no"])).inner in {"1142", "1181"}
    assert await desk.net_fen(trade["out_trade_no"]) == 0


@on_both_stores
async def test_the_store_does_not_answer_for_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_of = desk.world.store.payment
    refusals = 3

    async def sometimes(merchant_id: str, ref: PaymentRef) -> Payment | None:
        nonlocal refusals
        if ref.payment_id and refusals:
            refusals -= 1
            raise StoreUnavailable
        return await payment_of(merchant_id, ref)

    monkeypatch.setattr(desk.world.store, "payment", sometimes)
    desk.panel.pausing(None, None)
    assert (await desk.pay("01")).codes == PAID
    assert refusals == 0


async def test_a_fault_of_ours_is_told_as_unknown_and_a_person_is_alarmed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"a bug that would tell {KEY}")

    monkeypatch.setattr("anytill.dialects.qfpay.trade.PayOrder", broken)
    told = await desk.pay()
    assert told.codes == UNKNOWN
    assert KEY not in str(told)
    ((event, fields),) = desk.world.watch.alarms
    assert (event, fields["fault"]) == ("bug", "RuntimeError")
    monkeypatch.undo()
    assert (await desk.pay()).codes == PAID


# What the gateway refuses


async def test_a_merchant_that_is_off(desk: Desk) -> None:
    await desk.world.store.put_merchant(replace(MERCHANT, state=MerchantState.OFF))
    told = await desk.pay()
    assert told.codes == ("6002", "1203")
    assert desk.panel.asked == []


async def test_a_refusal_that_comes_when_there_is_a_payment_already(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing about the money, so neither does the terminal."""
    find = desk.world.store.payment

    async def gone(merchant_id: str, ref: PaymentRef) -> Payment | None:
        return None if ref.payment_id or not desk.panel.pauses else await find(merchant_id, ref)

    with monkeypatch.context() as patch:
        patch.setattr(desk.world.store, "payment", gone)
        told = await desk.pay("01")
    assert told.codes == UNKNOWN
    await desk.world.pass_s(60)
    assert (await desk.inquire(told.data["out_trade_no"])).inner == "0000"


async def test_a_repeated_trade_is_taken_back_at_the_look_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody says that nothing was charged: the first one may have done it."""
    desk.code()
    trade = desk.trade()
    first = await desk.call(trade)
    payment_of = desk.world.store.payment
    heard: list[Said] = []

    async def meanwhile(merchant_id: str, ref: PaymentRef) -> Payment | None:
        if not heard:
            heard.append(await desk.cancel())
        return await payment_of(merchant_id, ref)

    with monkeypatch.context() as patch:
        patch.setattr(desk.world.store, "payment", meanwhile)
        assert await desk.call(trade) == first
        assert heard.pop().codes == UNKNOWN
        # A new one that is taken back so early is certain in its own answer.
        told = await desk.call(desk.trade())
    assert (heard.pop().codes, told.codes) == (UNKNOWN, USER_CANCELLED)
    assert await desk.orders() == 1


@pytest.mark.parametrize("scan_type", ["SCAN_PAY", "QRCODE_PAY"])
async def test_the_register_takes_it_back_before_anybody_is_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, scan_type: str
) -> None:
    merchant_of = desk.world.gateway.merchant
    heard: list[Said] = []

    async def meanwhile(credential: Credential) -> Merchant:
        heard.append(await desk.cancel())
        return await merchant_of(credential)

    with monkeypatch.context() as patch:
        patch.setattr(desk.world.gateway, "merchant", meanwhile)
        told = await desk.call(desk.trade(scan_type=scan_type))
    assert (heard[0].respcd, told.codes) == ("6000", USER_CANCELLED)
    assert (desk.panel.asked, await desk.orders()) == ([], 0)


async def test_the_register_takes_it_back_while_it_is_being_taken_back(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    heard: list[Said] = []

    async def silent() -> Left:
        meddler.is_silent = True
        return Left.CANCELLED

    async def register() -> None:
        heard.append(await desk.cancel())
        meddler.is_silent = False
        heard.append(await desk.cancel())

    desk.panel.pausing(silent, register)
    assert (await desk.pay("03")).codes == USER_CANCELLED
    assert [each.codes for each in heard] == [UNKNOWN, ("6000", "0000")]
