"""Cards at the reader: a presentation pays one order, the card may pay the next, and nobody else ever sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from anytill.bootstrap.demo import DEMO_MERCHANT_HK
from anytill.channels.upstream.channel import UpstreamChannel
from anytill.core.answer import SILENCE, Answer
from anytill.core.errors import AmountNotAllowed, InvalidPayCode, NotSupported, OrderConflict, PayCodeInUse
from anytill.core.money import HKD
from anytill.core.payment import Method, Payment, PayOrder, RefundOrder, Verdict, fingerprint
from anytill.core.receipt import Amount, Row
from anytill.core.receipt_text import payment_receipt
from anytill.core.secret import Secret
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet
from anytill.gateway import Gateway, GatewayTill
from anytill.ports import Channel
from anytill.receipts.layout import sum_text
from tests.gateway.meddler import meddled
from tests.world import World

pytestmark = pytest.mark.anyio

PAN = "5200000000001096"
OCTOPUS = "12345678"


def tapped(world: World, presented: str = f"{PAN}=1", **changes: Any) -> PayOrder:
    return world.order(**{"method": Method.CARD, "wallet": Wallet.CARD, "pay_code": Secret(presented), **changes})


async def test_a_card_is_kept_masked_and_shown_so_on_the_receipt(world: World) -> None:
    payment = await (await world.till()).pay(tapped(world))
    assert (payment.verdict, payment.method, payment.wallet) == (Verdict.PAID, Method.CARD, Wallet.CARD)
    stored = await world.stored(payment.order_no)
    assert stored.code_hint == "520000******1096"
    shown = [str(getattr(stored, name)) for name in Payment.__dataclass_fields__]
    assert not [each for each in shown if PAN in each]
    assert not {fingerprint("demo", PAN), fingerprint("demo", f"{PAN}=1")} & set(shown)
    rows = [each for each in payment_receipt(stored, shop="demo").elements if isinstance(each, Row)]
    assert Row("卡号", "520000******1096") in rows
    assert Row("支付方式", "银行卡") in rows
    assert stored.slip["scheme"] == "MASTERCARD"
    assert Row("授权码", stored.slip["auth_code"]) in rows


async def test_one_presentation_pays_one_order_and_the_next_one_of_the_same_card_another(world: World) -> None:
    till = await world.till()
    first = await till.pay(tapped(world))
    with pytest.raises(PayCodeInUse):
        await till.pay(tapped(world))
    with pytest.raises(PayCodeInUse):
        await till.pay(tapped(world, f"{PAN}=1=1234"))
    assert (await till.pay(tapped(world, f"{PAN}=2"))).verdict is Verdict.PAID
    assert first.code_digest != (await world.stored(first.order_no)).order_digest


async def test_the_same_order_again_is_the_same_payment(world: World) -> None:
    till = await world.till()
    order = tapped(world)
    first = await till.pay(order)
    assert await till.pay(order) == first
    with pytest.raises(OrderConflict):
        await till.pay(replace(order, pay_code=Secret(f"{PAN}=2")))
    unnumbered = tapped(world, f"{PAN}=3", order_no="")
    assert await till.pay(unnumbered) == await till.pay(unnumbered)


async def till_in_hkd(world: World) -> GatewayTill:
    credential = replace(await world.credential(), merchants={"": DEMO_MERCHANT_HK.merchant_id})
    return world.gateway.till(credential)


async def test_an_octopus_is_tapped_too_and_pays_in_hong_kong_dollars_alone(world: World) -> None:
    order = tapped(world, f"{OCTOPUS}=1", wallet=Wallet.OCTOPUS)
    with pytest.raises(NotSupported):
        await (await world.till()).pay(order)
    paid = await (await till_in_hkd(world)).pay(replace(order, currency=HKD))
    assert (paid.verdict, paid.currency, paid.code_hint) == (Verdict.PAID, HKD, "****5678")


@pytest.mark.parametrize(
    ("wallet", "changes"),
    [
        (Wallet.PAYME, {"pay_code": Secret("95000000000000000000")}),
        (Wallet.FPS, {"method": Method.QR, "wallet": Wallet.FPS, "pay_code": None}),
    ],
)
async def test_wallets_of_hong_kong_pay_no_other_merchant(
    world: World, wallet: Wallet, changes: Mapping[str, Any]
) -> None:
    order = world.order(**changes)
    with pytest.raises(NotSupported):
        await (await world.till()).pay(order)
    paid = await (await till_in_hkd(world)).pay(replace(order, currency=HKD))
    assert paid.wallet is wallet
    assert paid.verdict is (Verdict.PAID if order.pay_code else Verdict.OPEN)
    merchant = await world.gateway.merchant(await world.credential())
    assert {Wallet.PAYME, Wallet.FPS, Wallet.OCTOPUS}.isdisjoint(world.gateway.wallets(merchant))
    assert world.gateway.wallets(DEMO_MERCHANT_HK) == tuple(Wallet)


async def test_a_merchant_takes_one_currency_and_the_books_agree_in_it(world: World) -> None:
    till = await till_in_hkd(world)
    with pytest.raises(AmountNotAllowed, match="takes HKD, not CNY"):
        await till.pay(tapped(world))
    with pytest.raises(AmountNotAllowed, match="takes CNY, not HKD"):
        await (await world.till()).pay(tapped(world, currency=HKD))
    paid = await till.pay(tapped(world, currency=HKD, amount_fen=900))
    refund = await till.refund(RefundOrder(paid.ref, "R1", 300))
    assert (refund.currency, refund.refunded_fen) == (HKD, 300)
    await (await world.till()).pay(world.order(amount_fen=50))
    assert await world.store.audit() == []
    totals = await world.wallet.totals()
    assert (totals["net_fen"], totals["orders"]) == (50, 2)
    in_hkd = totals["HKD"]
    assert isinstance(in_hkd, dict)
    assert in_hkd["net_fen"] == 600
    (sale, *_) = [e for e in payment_receipt(paid, shop="demo").elements if isinstance(e, Amount)]
    assert sum_text(sale) == "9.00 HKD"


@pytest.mark.parametrize(
    "changes",
    [
        {"pay_code": None},
        {"pay_code": Secret("139999888877776666")},
        {"pay_code": Secret(f"{PAN[:-1]}7=1")},
        {"wallet": None},
        {"wallet": Wallet.WECHAT},
        {"wallet": Wallet.OCTOPUS},
        {"pay_code": Secret(f"{OCTOPUS}=1")},
        {"pay_code": Secret(f"{OCTOPUS}=1"), "order_no": ""},
        {"method": Method.BARCODE},
    ],
    ids=str,
)
async def test_what_is_no_card_is_refused_before_anything_is_kept(world: World, changes: Mapping[str, Any]) -> None:
    order = tapped(world, **changes)
    with pytest.raises(InvalidPayCode):
        await (await world.till()).pay(order)
    assert (await world.wallet.totals())["orders"] == 0


@pytest.mark.parametrize("method", [Method.QR, Method.FACE, Method.JSAPI])
@pytest.mark.parametrize("wallet", [Wallet.CARD, Wallet.OCTOPUS])
async def test_what_is_tapped_is_paid_in_no_other_way(world: World, method: Method, wallet: Wallet) -> None:
    with pytest.raises(NotSupported):
        await (await world.till()).pay(tapped(world, method=method, wallet=wallet))


async def test_a_channel_that_takes_no_cards_never_sees_one(world: World) -> None:
    class NeverAsked:
        async def pay(self, order: PayOrder) -> Payment:
            raise AssertionError(f"{order.method} was passed on")

    upstream: Channel = UpstreamChannel("sandbox", NeverAsked())  # type: ignore[arg-type]
    gateway = Gateway(replace(world.parts, channels={"sandbox": upstream}))
    credential = await world.credential()
    with pytest.raises(NotSupported):
        await gateway.till(credential).pay(tapped(world))
    merchant = await gateway.merchant(credential)
    assert {Wallet.CARD, Wallet.OCTOPUS}.isdisjoint(gateway.wallets(merchant))
    assert Wallet.CARD in world.gateway.wallets(merchant)


async def test_a_lost_answer_about_a_card_is_asked_for_again(world: World) -> None:
    channel = await meddled(world)

    async def lost(answer: Awaitable[Answer]) -> Answer:
        await answer
        return SILENCE

    channel.pay_says = lost
    order = tapped(world)
    till = await world.till()
    assert (await till.pay(order)).verdict is Verdict.OPEN
    await world.pass_s(10)
    assert (await till.query((await world.stored(order.order_no)).ref)).verdict is Verdict.PAID
    await world.check_books(order.order_no)


async def test_a_till_is_told_its_own_takings(world: World) -> None:
    till = await till_in_hkd(world)
    since_ms = world.clock.now_ms()
    paid = await till.pay(tapped(world, currency=HKD, amount_fen=900, details={"channel": "card_payment"}))
    await till.refund(RefundOrder(paid.ref, "R1", 300))
    await till.pay(tapped(world, f"{PAN}=2", currency=HKD, amount_fen=904))
    await (await world.till()).pay(world.order())
    (line,) = await till.takings(since_ms, since_ms + 1, "channel")
    assert line == Takings(Method.CARD, Wallet.CARD, "card_payment", 1, 900, 900, 1, 300)
    assert list(await till.takings(since_ms + 1, since_ms + 2)) == []
