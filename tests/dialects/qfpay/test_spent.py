"""Which numbers are used up though nothing was charged under them."""

from __future__ import annotations

import pytest

from anytill.core.panel import Left, Way
from anytill.core.secret import Secret
from anytill.dialects.qfpay.spent import AT_MOST, SpentNumbers
from tests.dialects.qfpay.desk import PAID, TIMED_OUT, USER_CANCELLED, Desk, Said

SPENT = ("6002", "1181")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("act", "codes"), [(Left.CANCELLED, USER_CANCELLED), (Left.TIMED_OUT, TIMED_OUT), (Secret("no code"), TIMED_OUT)]
)
async def test_a_trade_that_ended_before_it_was_sent_stays_ended(
    desk: Desk, act: Secret | Left, codes: tuple[str, str]
) -> None:
    trade = desk.trade()
    desk.panel.will(Way.SCAN, *[act] * (3 if isinstance(act, Secret) else 1))
    assert (await desk.call(trade)).codes == codes
    desk.panel.asked.clear()
    desk.code()
    told = await desk.call(trade)
    assert (told.codes, told.data["out_trade_no"]) == (SPENT, trade["out_trade_no"])
    assert "new number" in told.resperr
    assert (desk.panel.asked, await desk.orders()) == ([], 0)
    # Nobody else's number, and no trade without one, has anything to do with it.
    assert (await desk.call(desk.trade(out_trade_no=None))).codes == PAID


@pytest.mark.anyio
async def test_the_register_hears_that_nothing_is_charged_though_its_trade_is_cut_off(desk: Desk) -> None:
    trade = desk.trade()

    class CutOffError(BaseException):
        """The connection on which the trade came is gone."""

    async def register() -> None:
        assert (await desk.cancel()).codes == ("6000", "0000")
        raise CutOffError

    desk.panel.will(Way.SCAN, register)
    with pytest.raises(CutOffError):
        await desk.call(trade)
    desk.code()
    assert (await desk.call(trade)).codes == SPENT


@pytest.mark.anyio
async def test_a_trade_that_was_lost_comes_after_the_register_gave_it_up(desk: Desk) -> None:
    trade = desk.trade()
    desk.code()
    assert (await desk.inquire(trade["out_trade_no"])).inner == "1136"
    assert (await desk.cancel()).inner == "9011"
    assert (await desk.call(trade)).codes == SPENT
    assert await desk.orders() == 0


@pytest.mark.anyio
async def test_who_only_asked_may_still_charge(desk: Desk) -> None:
    trade = desk.trade()
    desk.code()
    assert (await desk.inquire(trade["out_trade_no"])).inner == "1136"
    paid = await desk.call(trade)
    assert paid.codes == PAID
    # What was charged is told as charged, whatever was taken back since.
    assert (await desk.cancel()).inner == "9011"
    assert await desk.call(trade) == paid


@pytest.mark.anyio
async def test_another_request_meanwhile_uses_up_no_number(desk: Desk) -> None:
    other = desk.trade()
    heard: list[Said] = []

    async def register() -> Left:
        heard.append(await desk.call(other))
        return Left.CANCELLED

    desk.panel.will(Way.SCAN, register)
    assert (await desk.call(desk.trade())).codes == USER_CANCELLED
    assert heard[0].codes == ("4005", "9010")
    desk.code()
    assert (await desk.call(other)).codes == PAID


def test_the_oldest_are_forgotten() -> None:
    spent = SpentNumbers()
    for number in range(AT_MOST + 1):
        spent.not_found(str(number))
    spent.take_back()
    assert [str(number) in spent for number in (0, 1, AT_MOST)] == [False, True, True]
    spent.spend("another")
    spent.spend("")
    assert [number in spent for number in ("", "1", "2", "another")] == [False, False, True, True]
