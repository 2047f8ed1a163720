"""1001 and 5001: what is asked of whom, what is told, and what then stands in the wallet's own book."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from anytill.core.answer import Answer
from anytill.core.lifecycle import PaymentState
from anytill.core.panel import Left, Stage, Way
from anytill.core.payment import Payment
from anytill.core.secret import Secret
from anytill.dialects.qfpay.trade import PIN_ABOVE_FEN
from tests.dialects.qfpay.desk import (
    AMEX,
    CANCELLED,
    MASKED,
    MASTERCARD,
    MERCHANT,
    NUMBER,
    PAID,
    PRESENTED,
    TIMED_OUT,
    UNIONPAY,
    UNKNOWN,
    USER_CANCELLED,
    VISA,
    Desk,
    Said,
    card,
    on_both_stores,
)
from tests.gateway.meddler import meddled

pytestmark = pytest.mark.anyio

# What is taken


@pytest.mark.parametrize("channel", sorted(PRESENTED))
async def test_what_is_presented_pays(desk: Desk, channel: str) -> None:
    desk.panel.holds_out(PRESENTED[channel])
    trade = desk.trade(channel, 12.3)
    told = await desk.call(trade)
    assert told.codes == PAID
    assert told.data["txamt"] == "1230"
    assert told.data["txcurrcd"] == "344"
    assert told.data["paymentMethod"] == channel
    assert (told.respmsg, told.resperr, told.data["reserr"]) == ("Transaction successful", "", "")
    payment = await desk.stored(trade["out_trade_no"])
    assert told.data["syssn"] == payment.payment_id
    assert (payment.amount_fen, payment.currency, payment.login) == (1230, "HKD", NUMBER)
    assert await desk.net_fen(trade["out_trade_no"]) == 1230
    assert desk.panel.stages == [Stage.ASKING, Stage.SENDING, Stage.DONE]
    (asked,) = desk.panel.asked
    tapped = channel in {"card_payment", "octopus", "unionpay_card", "amex_card"}
    assert asked.way is (Way.TAP if tapped else Way.SCAN)
    assert (asked.sight.amount_fen, asked.sight.currency, asked.timeout_ms) == (1230, "HKD", 120_000)
    assert asked.sight.number == trade["out_trade_no"]


@pytest.mark.parametrize("channel", ["wx", "alipay", "payme", "union", "fps"])
async def test_a_code_on_the_screen_is_paid(desk: Desk, channel: str) -> None:
    trade = desk.trade(channel, "8", scan_type="QRCODE_PAY")

    async def scanned() -> None:
        await desk.world.wallet.payer_pays(merchant_order=trade["out_trade_no"])

    desk.panel.pausing(None, None, scanned)
    told = await desk.call(trade)
    assert told.codes == PAID
    assert (told.data["txamt"], told.data["cardNo"]) == ("800", None)
    assert desk.panel.asked == []
    assert desk.panel.stages == [Stage.SENDING, Stage.SHOWING, Stage.DONE]
    (shown,) = {sight.qr for sight in desk.panel.sights if sight.stage is Stage.SHOWING}
    assert (await desk.stored(trade["out_trade_no"])).payment_id in shown


async def test_who_scans_whom_is_as_last_time(desk: Desk) -> None:
    async def ways() -> list[bool]:
        seen: list[bool] = []
        for channel in ("wx", "alipay"):
            trade = desk.trade(channel)
            desk.code(prefix={"wx": "13", "alipay": "28"}[channel])
            desk.panel.sights.clear()
            await desk.call({**trade, "payment_timeout": 1})
            seen.append(any(sight.qr for sight in desk.panel.sights))
        return seen

    assert await ways() == [False, False]
    await desk.call(desk.trade("wx", scan_type="QRCODE_PAY", payment_timeout=1))
    assert await ways() == [True, False]
    await desk.pay(scan_type="SCAN_PAY")
    assert await ways() == [False, False]


async def test_scan_type_says_nothing_about_cards(desk: Desk) -> None:
    """The source's own sample of a card payment has one."""
    desk.panel.holds_out(card())
    told = await desk.call(desk.trade("card_payment", scan_type="SCAN_PAY", camera_id=0, moveToBack=1))
    assert told.codes == PAID
    assert desk.panel.homes == 1


async def test_the_camera_and_the_way_home_are_as_the_register_says(desk: Desk) -> None:
    seen: list[tuple[bool, int]] = []
    for changes in ({}, {"camera_id": 1, "moveToBack": 1}, {"camera_id": "0", "moveToBack": "0"}):
        await desk.pay(**changes)
        seen.append((desk.panel.asked[-1].sight.front_camera, desk.panel.homes))
    assert seen == [(False, 0), (True, 1), (False, 1)]


async def test_all_that_the_document_names_is_told_of_a_card(desk: Desk) -> None:
    desk.panel.holds_out(card())
    told = await desk.call(desk.trade("card_payment", 100))
    assert " ".join(told.data).startswith(
        "respcd resmsg reserr mchntnm sysdtm userid busicd txamt txcurrcd chnlsn paydtm udid syssn clisn out_trade_no"
        " cardscheme "
    )
    payment = await desk.stored(told.data["out_trade_no"])
    assert told.data["mchntnm"] == MERCHANT.name
    assert told.data["sysdtm"] == told.data["paydtm"] == "2026-11-18 19:06:40"
    assert (told.data["busicd"], told.data["cardscheme"], told.data["cardNo"]) == ("802808", "MASTERCARD", MASKED)
    assert (told.data["cardType"], told.data["batchNo"]) == ("CREDIT", "261118")
    assert told.data["refNo"] == told.data["chnlsn"] == payment.channel_trade_no
    assert (told.data["terminalId"], told.data["storeId"], told.data["cancel"]) == (NUMBER, None, "0")


async def test_an_order_without_a_number(desk: Desk) -> None:
    told = await desk.pay(out_trade_no=None)
    assert told.codes == PAID
    assert told.data["out_trade_no"] == ""
    assert (await desk.inquire(told.data["syssn"])).data["respcd"] == "0000"


@pytest.mark.parametrize(
    ("amt", "fen"), [(100, 10_000), (10.1, 1_010), ("0.05", 5), ("1", 100), ("1.5", 150), (12.34, 1_234)]
)
async def test_amounts_are_dollars(desk: Desk, amt: Any, fen: int) -> None:
    told = await desk.pay(amt=amt)
    assert (await desk.stored(told.data["out_trade_no"])).amount_fen == fen


@pytest.mark.parametrize("amt", [0, -1, 1.234, "1e2", "", "١", "1_0", 1e30, "0.001", None, "01"])
async def test_what_is_no_amount(desk: Desk, amt: Any) -> None:
    told = await desk.pay(amt=amt)
    assert told.respcd == "4006"
    assert "amt" in told.resperr
    assert (desk.panel.asked, await desk.orders()) == ([], 0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"channel": "cash"}, "channel"),
        ({"channel": None}, "channel"),
        ({"out_trade_no": "A'B"}, "out_trade_no"),
        ({"out_trade_no": "N" * 65}, "out_trade_no"),
        ({"camera_id": 2}, "camera_id"),
        ({"moveToBack": "yes"}, "moveToBack"),
        ({"scan_type": "BOTH"}, "scan_type"),
        ({"wait_card_timeout": 0}, "wait_card_timeout"),
        ({"payment_timeout": 99_999}, "payment_timeout"),
    ],
)
async def test_what_a_trade_may_not_say(desk: Desk, changes: dict[str, Any], named: str) -> None:
    told = await desk.pay(**changes)
    assert told.respcd == "4006"
    assert named in told.resperr
    assert (desk.panel.asked, await desk.orders()) == ([], 0)


async def test_an_amount_beyond_the_merchants_is_refused_before_anybody_is_asked(desk: Desk) -> None:
    told = await desk.pay(amt="99999999.99")
    assert told.codes == PAID
    told = await desk.call(desk.trade(amt="100000000"))
    assert told.respcd == "4006"
    assert len(desk.panel.asked) == 1


# Cards


async def test_only_the_channels_own_cards_are_taken(desk: Desk) -> None:
    desk.panel.will(Way.TAP, card(AMEX), Secret("1234"), card(VISA))
    assert (await desk.call(desk.trade("card_payment"))).codes == PAID
    assert [asked.sight.hint for asked in desk.panel.asked] == ["", *["Not accepted: try again"] * 2]
    assert desk.panel.asked[0].sight.accepts == ("VISA", "MASTERCARD")
    desk.panel.will(Way.TAP, *[card(UNIONPAY)] * 3)
    told = await desk.call(desk.trade("card_payment"))
    assert told.codes == TIMED_OUT
    assert await desk.orders() == 1


async def test_a_code_of_another_wallet_is_not_taken(desk: Desk) -> None:
    desk.panel.will(Way.SCAN, Secret("280000000000000000"), Secret("no code"), Secret("130000000000000900"))
    assert (await desk.call(desk.trade("wx"))).codes == PAID


@pytest.mark.parametrize(
    ("channel", "amt", "asked"),
    [
        ("card_payment", PIN_ABOVE_FEN // 100, False),
        ("card_payment", "1000.01", True),
        ("octopus", "1000.01", False),
        ("wx", "1000.01", False),
    ],
)
async def test_large_sums_need_the_cards_pin(desk: Desk, channel: str, amt: Any, asked: bool) -> None:
    desk.panel.holds_out(PRESENTED[channel])
    desk.panel.will(Way.PIN, Secret("12345x"), Secret("1234"))
    told = await desk.call(desk.trade(channel, amt))
    assert told.codes == PAID
    assert [each.way for each in desk.panel.asked][1:] == [Way.PIN, Way.PIN] * asked


@pytest.mark.parametrize("left", [Left.CANCELLED, Left.TIMED_OUT])
async def test_who_does_not_enter_the_pin_does_not_pay(desk: Desk, left: Left) -> None:
    desk.panel.holds_out(card())
    desk.panel.will(Way.PIN, left)
    told = await desk.call(desk.trade("card_payment", 2000))
    assert told.codes == (USER_CANCELLED if left is Left.CANCELLED else TIMED_OUT)
    assert await desk.orders() == 0


async def test_no_card_number_is_kept_or_told(desk: Desk) -> None:
    desk.panel.holds_out(card(pin=""))
    desk.panel.will(Way.PIN, Secret("271828"))
    told = await desk.call(desk.trade("card_payment", 2000))
    payment = await desk.stored(told.data["out_trade_no"])
    seen = f"{told}{payment}{desk.panel.sights}{desk.world.watch.notes}{desk.world.watch.alarms}"
    assert MASTERCARD not in seen
    assert "271828" not in seen
    assert MASKED in seen


@pytest.mark.parametrize(("fen", "inner"), [(104, "1205"), (105, "1205")])
async def test_a_card_is_declined_by_its_amount(desk: Desk, fen: int, inner: str) -> None:
    desk.panel.holds_out(card())
    told = await desk.call(desk.trade("card_payment", fen / 100))
    assert told.codes == ("6002", inner)
    assert desk.panel.stages[-1] is Stage.REFUSED
    assert await desk.net_fen(told.data["out_trade_no"]) == 0


# Who ends the waiting


@pytest.mark.parametrize("channel", ["wx", "card_payment"])
async def test_the_red_key_ends_the_waiting(desk: Desk, channel: str) -> None:
    desk.panel.will(Way.TAP if channel == "card_payment" else Way.SCAN, Left.CANCELLED)
    trade = desk.trade(channel)
    told = await desk.call(trade)
    assert told.codes == USER_CANCELLED
    assert told.data["out_trade_no"] == trade["out_trade_no"]
    assert "nothing was charged" in told.resperr
    assert (await desk.inquire(trade["out_trade_no"])).codes == ("6002", "1136")
    assert await desk.orders() == 0
    # It was said that nothing is charged under this number; another one is another trade.
    desk.panel.holds_out(PRESENTED[channel])
    assert (await desk.call(trade)).codes == ("6002", "1181")
    assert (await desk.call(desk.trade(channel))).codes == PAID


@pytest.mark.parametrize(
    ("channel", "timeouts", "waited_s"),
    [
        ("wx", {}, 120),
        ("wx", {"wait_card_timeout": 30}, 30),
        ("wx", {"payment_timeout": 30}, 120),
        ("card_payment", {}, 120),
        ("card_payment", {"wait_card_timeout": 30}, 30),
        ("card_payment", {"payment_timeout": 45}, 45),
        ("card_payment", {"wait_card_timeout": "30", "payment_timeout": 45}, 30),
    ],
)
async def test_nobody_comes(desk: Desk, channel: str, timeouts: dict[str, Any], waited_s: int) -> None:
    began_ms = desk.world.clock.now_ms()
    told = await desk.call(desk.trade(channel, **timeouts))
    assert told.codes == TIMED_OUT
    assert "nothing was charged" in told.resperr
    assert desk.world.clock.now_ms() - began_ms == waited_s * 1_000
    assert await desk.orders() == 0


@pytest.mark.parametrize("is_slow", [False, True])
async def test_the_register_takes_back_what_waits(desk: Desk, is_slow: bool) -> None:
    desk.panel.is_slow = is_slow
    heard: list[Said] = []

    async def register() -> Secret:
        heard.append(await desk.cancel())
        return PRESENTED["wx"]  # somebody held it out at the very same moment

    desk.panel.will(Way.SCAN, register)
    told = await desk.call(desk.trade())
    assert told.codes == USER_CANCELLED
    assert heard[0].respcd == "6000"
    assert desk.panel.withdrawals == 1
    assert await desk.orders() == 0


@pytest.mark.parametrize("is_slow", [False, True])
async def test_the_register_takes_it_back_at_the_pin(desk: Desk, is_slow: bool) -> None:
    desk.panel.is_slow = is_slow
    heard: list[Said] = []

    async def register() -> Secret:
        heard.append(await desk.cancel())
        return Secret("1234")

    desk.panel.holds_out(card())
    desk.panel.will(Way.PIN, register)
    assert (await desk.call(desk.trade("card_payment", 2000))).codes == USER_CANCELLED
    assert heard[0].respcd == "6000"
    assert await desk.orders() == 0


async def test_there_is_nothing_to_take_back(desk: Desk) -> None:
    told = await desk.cancel()
    assert told.codes == ("6002", "9011")
    await desk.pay()
    assert (await desk.cancel()).codes == ("6002", "9011")


# Once it is with the gateway


@on_both_stores
@pytest.mark.parametrize("ending", ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"])
async def test_whatever_the_channel_does_the_truth_is_told(desk: Desk, ending: str) -> None:
    told = await desk.pay(ending, amt=10)
    number = told.data["out_trade_no"]
    paid = ending in {"01", "06", "09", "10"}
    assert told.respcd == ("6000" if paid else "6002")
    payment = await desk.stored(number)
    assert (payment.state is PaymentState.PAID) is paid
    assert await desk.net_fen(number) == (900 if ending == "10" else 1000 * paid)
    assert desk.panel.stages[-1] is (Stage.DONE if paid else Stage.REFUSED)
    # Nothing that comes later makes it untrue.
    await desk.world.pass_s(3_600)
    assert (await desk.inquire(number)).inner == ("0000" if paid else payment_inner(payment))
    assert (await desk.stored(number)).state is payment.state
    assert list(await desk.world.store.audit()) == []


def payment_inner(payment: Payment) -> str:
    return {PaymentState.FAILED: "1205", PaymentState.CLOSED: "1181", PaymentState.CANCELLED: "1142"}[payment.state]


@pytest.mark.parametrize("fen", [100_004, 100_006, 100_007, 100_008, 100_009])
async def test_likewise_for_a_card(desk: Desk, fen: int) -> None:
    desk.panel.holds_out(card(pin="1234"))
    trade = desk.trade("card_payment", f"{fen // 100}.{fen % 100:02d}")
    told = await desk.call(trade)
    paid = fen % 100 in {6, 9}
    assert told.respcd == ("6000" if paid else "6002")
    assert await desk.net_fen(trade["out_trade_no"]) == fen * paid
    await desk.world.pass_s(3_600)
    assert (await desk.inquire(trade["out_trade_no"])).inner == told.inner
    assert await desk.net_fen(trade["out_trade_no"]) == fen * paid


async def test_a_payer_who_never_confirms(desk: Desk) -> None:
    began_ms = desk.world.clock.now_ms()
    told = await desk.pay("03", payment_timeout=40)
    assert told.codes == CANCELLED
    assert 40_000 <= desk.world.clock.now_ms() - began_ms <= 60_000
    assert desk.panel.stages == [Stage.ASKING, Stage.SENDING, Stage.CONFIRMING, Stage.REFUSED]
    assert (await desk.stored(told.data["out_trade_no"])).state is PaymentState.CANCELLED


async def test_payme_waits_two_minutes_at_most(desk: Desk) -> None:
    told = await desk.call(desk.trade("payme", scan_type="QRCODE_PAY", payment_timeout=600))
    assert told.respcd == "6002"
    payment = await desk.stored(told.data["out_trade_no"])
    assert payment.deadline_at_ms - payment.created_at_ms == 120_000


@pytest.mark.parametrize("who", ["red key", "5001"])
@pytest.mark.parametrize("qr", [True, False])
async def test_somebody_stops_it_while_the_payer_confirms(desk: Desk, who: str, qr: bool) -> None:
    heard: list[Said] = []

    async def register() -> None:
        heard.append(await desk.cancel())

    desk.panel.pausing(None, Left.CANCELLED if who == "red key" else register)
    desk.code("03")
    trade = desk.trade(scan_type="QRCODE_PAY" if qr else "SCAN_PAY")
    told = await desk.call(trade)
    assert told.codes == USER_CANCELLED
    assert [each.respcd for each in heard] == (["6000"] if who == "5001" else [])
    assert (await desk.stored(trade["out_trade_no"])).state is PaymentState.CANCELLED
    assert await desk.net_fen(trade["out_trade_no"]) == 0


@on_both_stores
@pytest.mark.parametrize("who", ["red key", "5001", "the clock"])
async def test_a_code_that_is_paid_at_the_last_moment_is_told_as_paid(desk: Desk, who: str) -> None:
    trade = desk.trade(scan_type="QRCODE_PAY", payment_timeout=3)
    heard: list[Said] = []

    async def pays() -> Left | None:
        await desk.world.wallet.payer_pays(merchant_order=trade["out_trade_no"])
        if who == "5001":
            heard.append(await desk.cancel())
        return Left.CANCELLED if who == "red key" else None

    desk.panel.pausing(None, None, pays)
    told = await desk.call(trade)
    assert told.codes == PAID
    assert [each.codes for each in heard] == ([("6002", "9012")] if who == "5001" else [])
    assert await desk.net_fen(trade["out_trade_no"]) == 150


async def test_what_is_paid_while_it_is_being_cancelled_goes_back_and_is_not_told_as_paid(desk: Desk) -> None:
    """Between the last look and the channel's cancel the payer is quicker: the gateway has promised the way back."""
    meddler = await meddled(desk.world)
    desk.start()
    trade = desk.trade(scan_type="QRCODE_PAY")
    desk.panel.pausing(None, Left.CANCELLED)
    cancel = meddler.cancel

    async def overtaken(payment: Payment) -> Answer:
        if not meddler.calls.count("cancel"):
            await desk.world.wallet.payer_pays(merchant_order=trade["out_trade_no"])
        return await cancel(payment)

    meddler.cancel = overtaken  # type: ignore[method-assign]
    told = await desk.call(trade)
    assert told.codes == USER_CANCELLED
    assert "given back" in told.resperr
    assert await desk.net_fen(trade["out_trade_no"]) == 0
    payment = await desk.stored(trade["out_trade_no"])
    assert payment.state is PaymentState.CANCELLED


async def test_a_channel_that_never_speaks_again(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    desk.code("06")
    trade = desk.trade(payment_timeout=20)

    async def silent() -> None:
        meddler.is_silent = True

    desk.panel.pausing(silent)
    told = await desk.call(trade)
    assert told.codes == UNKNOWN
    assert "inquire by out_trade_no before charging again" in told.resperr
    assert told.data["syssn"] == (await desk.stored(trade["out_trade_no"])).payment_id
    assert told.data["out_trade_no"] == trade["out_trade_no"]
    assert desk.panel.stages[-1] is Stage.UNCERTAIN
    assert (await desk.inquire(trade["out_trade_no"])).codes == ("6000", "1145")
    meddler.is_silent = False
    await desk.world.pass_s(3_600)
    inquiry = await desk.inquire(trade["out_trade_no"])
    assert inquiry.codes == ("6000", "1142")
    assert await desk.net_fen(trade["out_trade_no"]) == 0


async def test_the_register_takes_it_back_while_the_channel_is_asked(desk: Desk) -> None:
    """Nobody knows then whether it will be paid, so "cancelled" is not said."""
    heard: list[Said] = []
    meddler = await meddled(desk.world)
    desk.start()

    async def pay_says(answer: Awaitable[Answer]) -> Answer:
        heard.append(await desk.cancel())
        return await answer

    meddler.pay_says = pay_says
    assert (await desk.pay()).codes == PAID
    assert heard[0].codes == UNKNOWN
    # What waits for its payer then is taken back as soon as it can be.
    told = await desk.pay("03")
    assert told.codes == USER_CANCELLED
    assert heard[1].codes == UNKNOWN
