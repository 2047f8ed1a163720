"""1002: what goes back, what is a repeat of what, and what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import anyio
import pytest

from anytill.core.answer import RefundAnswer
from anytill.core.lifecycle import RefundState
from anytill.core.panel import Left, Stage, Way
from anytill.core.payment import Refund
from anytill.core.retry import SAME_REFUND_MS
from anytill.core.secret import Secret
from anytill.ports import RefundPlaced, StoreUnavailable
from tests.dialects.qfpay.desk import Desk, Said, card, on_both_stores
from tests.gateway.meddler import meddled

pytestmark = pytest.mark.anyio

DONE = ("6000", "0000")
UNKNOWN = ("4005", "1145")
EXCEEDS = ("6002", "1125")


async def paid(desk: Desk, amt: Any = 5, channel: str = "wx") -> str:
    """The register's number of a payment that was just made."""
    desk.code()
    if channel != "wx":
        desk.panel.holds_out(card())
    told = await desk.call(desk.trade(channel, amt))
    assert told.codes == ("6000", "0000")
    desk.panel.asked.clear()
    desk.panel.sights.clear()
    return str(told.data["out_trade_no"])


async def refunds(desk: Desk, number: str) -> list[Refund]:
    payment = await desk.stored(number)
    return list(await desk.world.store.refunds_of(payment.merchant_id, payment.payment_id))


@pytest.mark.parametrize("by", ["out_trade_no", "syssn"])
async def test_part_of_a_payment_goes_back(desk: Desk, by: str) -> None:
    number = await paid(desk)
    payment = await desk.stored(number)
    told = await desk.refund(number if by == "out_trade_no" else payment.payment_id, refund_amount="0.05")
    assert told.codes == DONE
    (refund,) = await refunds(desk, number)
    assert " ".join(told.data) == (
        "respcd resmsg reserr sysdtm paydtm txcurrcd txdtm orig_syssn out_trade_no syssn chnlsn txamt originTxamt"
        " terminalId"
    )
    assert (told.data["txamt"], told.data["originTxamt"], told.data["txcurrcd"]) == ("5", "500", "344")
    assert (told.data["syssn"], told.data["orig_syssn"]) == (refund.refund_id, payment.payment_id)
    assert told.data["out_trade_no"] == number
    assert await desk.net_fen(number) == 495
    assert desk.panel.stages == [Stage.SENDING, Stage.DONE]
    assert desk.panel.asked == []
    assert (await desk.inquire(refund.refund_id)).data["origssn"] == payment.payment_id


async def test_without_a_sum_all_that_is_left_goes_back(desk: Desk) -> None:
    number = await paid(desk)
    await desk.refund(number, refund_amount=1)
    told = await desk.refund(number)
    assert (told.codes, told.data["txamt"]) == (DONE, "400")
    assert await desk.net_fen(number) == 0


@on_both_stores
@pytest.mark.parametrize("amount", [{}, {"refund_amount": "5"}, {"refund_amount": "0.50"}])
async def test_a_refund_repeated_is_the_same_refund(desk: Desk, amount: dict[str, str]) -> None:
    number = await paid(desk)
    first = await desk.refund(number, **amount)
    await desk.world.pass_ms(SAME_REFUND_MS - 10_000)
    assert await desk.refund(number, **amount) == first
    await desk.restart()
    assert await desk.refund(number, **amount) == first
    assert len(await refunds(desk, number)) == 1
    await desk.world.pass_s(20)
    later = await desk.refund(number, **amount)
    if amount.get("refund_amount") == "0.50":
        assert (later.codes, await desk.net_fen(number)) == (DONE, 400)
    else:
        assert (later.codes, await desk.net_fen(number)) == (EXCEEDS, 0)


async def test_another_terminals_refund_is_another_refund(desk: Desk) -> None:
    number = await paid(desk)
    payment = await desk.stored(number)
    other = await Desk(desk.world).opened("80000078")
    assert (await other.refund(number, refund_amount=1)).codes == ("6002", "1136")
    assert (await desk.refund(payment.payment_id, refund_amount=1)).codes == DONE
    assert (await other.refund(payment.payment_id, refund_amount=1)).codes == DONE
    assert await desk.net_fen(number) == 300


async def test_more_than_is_left(desk: Desk) -> None:
    number = await paid(desk)
    assert (await desk.refund(number, refund_amount="5.01")).codes == EXCEEDS
    assert (await desk.refund(number, refund_amount=3)).codes == DONE
    assert (await desk.refund(number, refund_amount="2.01")).codes == EXCEEDS
    assert (await desk.refund(number)).codes == DONE
    assert (await desk.refund(number, refund_amount="0.01")).codes == EXCEEDS
    assert desk.panel.stages[-1] is Stage.REFUSED
    assert await desk.net_fen(number) == 0


@pytest.mark.parametrize("ending", ["04", "03"])
async def test_what_is_not_paid_is_not_given_back(desk: Desk, ending: str) -> None:
    told = await desk.pay(ending)
    answer = await desk.refund(told.data["out_trade_no"])
    assert answer.codes == ("6002", "9004")
    assert (await desk.refund(told.data["out_trade_no"], refund_amount=1)).codes == ("6002", "9004")


@pytest.mark.parametrize("order_id", ["NOSUCH", "12611181234560000000"])
async def test_a_payment_that_is_not_there(desk: Desk, order_id: str) -> None:
    assert (await desk.refund(order_id)).codes == ("6002", "1136")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"refund_amount": 0}, "refund_amount"),
        ({"refund_amount": "1.234"}, "refund_amount"),
        ({"refund_amount": "-1"}, "refund_amount"),
        ({"allow_modify_flag": 2}, "allow_modify_flag"),
        ({"orderId": "A'B"}, "orderId"),
        ({"orderId": ""}, "orderId"),
    ],
)
async def test_what_a_refund_may_not_say(desk: Desk, changes: dict[str, Any], named: str) -> None:
    number = await paid(desk)
    told = await desk.call({"func_type": 1002, "orderId": number, **changes})
    assert told.respcd == "4006"
    assert named in told.resperr
    assert await desk.net_fen(number) == 500


async def test_a_number_that_means_two_payments(desk: Desk) -> None:
    first = await desk.stored(await paid(desk))
    desk.code()
    await desk.call(desk.trade(amt=7, out_trade_no=first.payment_id))
    assert (await desk.refund(first.payment_id)).codes == ("4006", "1102")
    assert (await desk.inquire(first.payment_id)).codes == ("4006", "1102")


# Cards of the same day


async def test_a_card_payment_of_today_goes_back_whole_or_not_at_all(desk: Desk) -> None:
    number = await paid(desk, 100, "card_payment")
    told = await desk.refund(number, refund_amount="99.99")
    assert told.codes == ("4006", "9014")
    assert "whole" in told.resperr
    assert await refunds(desk, number) == []
    assert (await desk.refund(number, refund_amount=100)).codes == DONE
    assert await desk.net_fen(number) == 0


async def test_from_tomorrow_on_a_part_may_go_back(desk: Desk) -> None:
    number = await paid(desk, 100, "card_payment")
    # It is 19:06:40 in Hong Kong.
    await desk.world.pass_s(4 * 3600 + 53 * 60 + 19)
    assert (await desk.refund(number, refund_amount=1)).codes == ("4006", "9014")
    await desk.world.pass_s(1)
    assert (await desk.refund(number, refund_amount=1)).codes == DONE
    assert await desk.net_fen(number) == 9_900


async def test_an_octopus_is_no_card_of_a_bank(desk: Desk) -> None:
    desk.panel.holds_out(Secret("12345678=77"))
    told = await desk.call(desk.trade("octopus", 10))
    assert (await desk.refund(told.data["out_trade_no"], refund_amount=1)).codes == DONE


# The cashier may change the sum


async def test_the_cashier_changes_the_sum(desk: Desk) -> None:
    number = await paid(desk)
    desk.panel.will(Way.AMOUNT, Secret("9999"), Secret("abc"), Secret("120"))
    told = await desk.refund(number, refund_amount="1", allow_modify_flag=1, moveToBack=1)
    assert (told.codes, told.data["txamt"]) == (DONE, "120")
    assert [asked.sight.amount_fen for asked in desk.panel.asked] == [100] * 3
    assert [asked.sight.hint for asked in desk.panel.asked] == ["", *["Not accepted: try again"] * 2]
    assert desk.panel.homes == 1
    # The same request again is the same refund, whatever the cashier made of it, and nobody is asked again.
    again = await desk.refund(number, refund_amount="1", allow_modify_flag=1)
    assert again == told
    assert len(desk.panel.asked) == 3


async def test_the_cashier_sees_all_that_is_left(desk: Desk) -> None:
    number = await paid(desk)
    await desk.refund(number, refund_amount="1.50")
    desk.panel.will(Way.AMOUNT, Secret("350"))
    told = await desk.refund(number, allow_modify_flag=1)
    assert (told.data["txamt"], desk.panel.asked[0].sight.amount_fen) == ("350", 350)


@pytest.mark.parametrize(
    ("act", "codes"),
    [(Left.CANCELLED, ("6001", "1155")), (Left.TIMED_OUT, ("6002", "1155")), (Secret("0"), ("6001", "1155"))],
)
async def test_the_cashier_gives_nothing_back(desk: Desk, act: Secret | Left, codes: tuple[str, str]) -> None:
    number = await paid(desk)
    desk.panel.will(Way.AMOUNT, *[act] * 3)
    told = await desk.refund(number, allow_modify_flag=1)
    assert told.codes == codes
    assert "nothing was given back" in told.resperr
    assert (await refunds(desk, number), await desk.net_fen(number)) == ([], 500)


async def test_the_register_takes_it_back_while_the_cashier_thinks(desk: Desk) -> None:
    number = await paid(desk)
    heard: list[Said] = []

    async def register() -> Secret:
        heard.append(await desk.cancel())
        heard.append(await desk.call(desk.trade()))
        return Secret("500")

    desk.panel.will(Way.AMOUNT, register)
    told = await desk.refund(number, allow_modify_flag=1)
    assert told.codes == ("6001", "1155")
    assert [each.codes for each in heard] == [DONE, ("4005", "9010")]
    assert await desk.net_fen(number) == 500


async def test_a_refund_while_the_terminal_is_at_something_else(desk: Desk) -> None:
    number = await paid(desk)
    heard: list[Said] = []

    async def register() -> Secret:
        heard.append(await desk.refund(number))
        return Secret("100")

    desk.panel.will(Way.SCAN, register)
    assert (await desk.call(desk.trade())).respcd == "6002"  # what was held out is no payer's code
    desk.panel.will(Way.AMOUNT, register)
    assert (await desk.refund(number, allow_modify_flag=1)).data["txamt"] == "100"
    assert [each.codes for each in heard] == [("4005", "9010")] * 2
    assert await desk.net_fen(number) == 400


async def test_two_refunds_that_come_together(desk: Desk) -> None:
    """Whatever the order in which they go on: one is done, the other is told that the terminal is busy."""
    number = await paid(desk)
    heard: list[Said] = []

    async def one(amount: str) -> None:
        heard.append(await desk.refund(number, refund_amount=amount))

    async with anyio.create_task_group() as group:
        for amount in ("1", "2"):
            group.start_soon(one, amount)
    assert sorted(each.codes for each in heard) == [("4005", "9010"), DONE]
    assert len(await refunds(desk, number)) == 1


async def test_the_sum_of_a_card_of_today_cannot_be_changed(desk: Desk) -> None:
    number = await paid(desk, 100, "card_payment")
    desk.panel.will(Way.AMOUNT, Secret("500"))
    assert (await desk.refund(number, allow_modify_flag=1)).codes == ("4006", "9014")


# What the channel says


@pytest.mark.parametrize(
    ("fen", "codes", "back"),
    [
        (191, DONE, 191),
        (192, ("6002", "1155"), 0),
        (193, ("6002", "9020"), 193),
        (194, DONE, 194),
        (100, DONE, 100),
    ],
)
async def test_the_terminal_waits_for_the_end(desk: Desk, fen: int, codes: tuple[str, str], back: int) -> None:
    number = await paid(desk)
    told = await desk.refund(number, refund_amount=f"{fen / 100:.2f}")
    assert told.codes == codes
    assert told.data["txamt"] == str(fen)
    assert await desk.net_fen(number) == 500 - back
    assert list(await desk.world.store.audit()) == []


async def test_a_refund_whose_end_nobody_tells(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    number = await paid(desk)
    meddler.is_silent = True
    began_ms = desk.world.clock.now_ms()
    told = await desk.refund(number)
    assert told.codes == UNKNOWN
    assert "inquire" in told.resperr
    assert desk.world.clock.now_ms() - began_ms >= 120_000
    assert (desk.panel.sights[-1].stage, desk.panel.sights[-1].amount_fen) == (Stage.UNCERTAIN, 500)
    meddler.is_silent = False
    # However late: as long as its end is not known it is the same refund.
    again = await desk.refund(number)
    assert again.codes == DONE
    assert again.data["syssn"] == told.data["syssn"]
    assert await desk.net_fen(number) == 0


@on_both_stores
async def test_a_refund_that_ended_late_and_whose_answer_was_lost(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    number = await paid(desk)
    began_ms = desk.world.clock.now_ms()
    meddler.is_silent = True

    async def speaks() -> None:
        meddler.is_silent = False

    desk.panel.pausing(*[None] * 62, speaks)
    first = await desk.refund(number, refund_amount=1)
    assert first.codes == DONE
    assert desk.world.clock.now_ms() - began_ms > SAME_REFUND_MS
    assert await desk.refund(number, refund_amount=1) == first
    assert await desk.net_fen(number) == 400


@on_both_stores
async def test_a_repeated_refund_is_taken_back_while_it_is_looked_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither answer says that nothing was given back: the first one may have done it."""
    number = await paid(desk)
    first = await desk.refund(number, refund_amount=1)
    refunds_of = desk.world.store.refunds_of
    heard: list[Said] = []

    async def meanwhile(merchant_id: str, payment_id: str) -> Sequence[Refund]:
        found = await refunds_of(merchant_id, payment_id)
        heard.append(await desk.cancel())
        return found

    with monkeypatch.context() as patch:
        patch.setattr(desk.world.store, "refunds_of", meanwhile)
        assert await desk.refund(number, refund_amount=1) == first
        assert heard.pop().codes == UNKNOWN
        # A new one that is taken back so early is certain in its own answer.
        told = await desk.refund(number, refund_amount=2)
    assert (heard.pop().codes, told.codes) == (UNKNOWN, ("6001", "1155"))
    assert await desk.net_fen(number) == 400


async def test_the_same_refund_while_it_is_under_way(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    number = await paid(desk)
    heard: list[Said] = []

    async def refund_says(answer: Awaitable[RefundAnswer]) -> RefundAnswer:
        heard.append(await desk.refund(number, refund_amount=1))
        heard.append(await desk.refund(number, refund_amount=2))
        return await answer

    meddler.refund_says_of = refund_says
    assert (await desk.refund(number, refund_amount=1)).codes == DONE
    same, other = heard
    assert same.codes == UNKNOWN
    assert "under way" in same.resperr
    assert other.codes == ("4005", "9010")
    assert await desk.net_fen(number) == 400


async def test_a_refund_that_was_sent_is_not_taken_back(desk: Desk) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    number = await paid(desk)
    heard: list[Said] = []

    async def refund_says(answer: Awaitable[RefundAnswer]) -> RefundAnswer:
        heard.append(await desk.cancel())
        return await answer

    meddler.refund_says_of = refund_says
    assert (await desk.refund(number)).codes == DONE
    assert heard[0].codes == UNKNOWN
    assert await desk.net_fen(number) == 0


class Died(BaseException):
    """The process ends here."""


@on_both_stores
@pytest.mark.parametrize("reached", [True, False])
async def test_the_process_dies_at_the_channel(desk: Desk, reached: bool) -> None:
    meddler = await meddled(desk.world)
    desk.start()
    number = await paid(desk)

    async def refund_says(answer: Awaitable[RefundAnswer]) -> RefundAnswer:
        if reached:
            await answer
        else:
            answer.close()  # type: ignore[attr-defined]
        raise Died

    meddler.refund_says_of = refund_says
    with pytest.raises(Died):
        await desk.refund(number, refund_amount=2)
    await desk.restart()
    told = await desk.refund(number, refund_amount=2)
    assert told.codes == DONE
    assert (len(await refunds(desk, number)), await desk.net_fen(number)) == (1, 300)


@on_both_stores
async def test_the_store_does_not_answer_when_it_is_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await paid(desk)
    add = desk.world.store.add_refund

    async def lost(refund: Refund) -> RefundPlaced:
        await add(refund)
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(desk.world.store, "add_refund", lost)
        told = await desk.refund(number, refund_amount=2)
    assert told.codes == UNKNOWN
    assert (await desk.refund(number, refund_amount=2)).codes == DONE
    (refund,) = await refunds(desk, number)
    assert refund.state is RefundState.DONE
    assert await desk.net_fen(number) == 300
