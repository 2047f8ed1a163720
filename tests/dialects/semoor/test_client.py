"""The client half beyond the law: strict about answers, and never sure of what it was not told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from anytill.core.errors import (
    InvalidPayCode,
    NotSupported,
    OrderConflict,
    PayCodeInUse,
    PaymentNotFound,
    Refusal,
    UnknownCredential,
)
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.money import CNY
from anytill.core.payment import PaymentRef, RefundOrder, RefundRef, Verdict
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.semoor import words
from anytill.dialects.semoor.client import Client
from anytill.dialects.semoor.sandbox import sandbox_settings
from anytill.ports import Unreachable
from anytill.wire.errors import WireError
from anytill.wire.http import HttpRequest, HttpResponse
from tests.dialects.semoor.desk import DEVICE, KEY, Desk
from tests.world import BASE_URL, World

pytestmark = pytest.mark.anyio

PAID = (
    'ok="1" total="1.00" pay_type="4" pay_time="2018-04-22 09:29:39" info="x" dm_id="dm2034085636" remark="42"'
    ' openid="o1" pay_id="42" no="{no}"'
)


def told(body: str, status: int = 200) -> Client:
    """A client whose gateway says just this."""

    async def send(request: HttpRequest) -> HttpResponse:
        assert (request.method, request.query) == ("POST", "")
        return HttpResponse(status, body.encode(), "text/xml")

    return Client(sandbox_settings(BASE_URL), send)


def paid(no: str, **changes: tuple[str, str]) -> str:
    body = PAID.format(no=no)
    for old, new in changes.values():
        assert old in body
        body = body.replace(old, new)
    return f"<dm {body}></dm>"


async def test_what_is_told_of_a_paid_order(world: World) -> None:
    order = world.order()
    payment = await told(paid(order.order_no)).pay(order)
    assert (payment.state, payment.amount_fen, payment.paid_fen) == (PaymentState.PAID, 100, 100)
    assert (payment.payment_id, payment.channel_trade_no, payment.payer_id) == ("2034085636", "42", "o1")
    assert payment.paid_at_ms == 1_524_360_579_000
    assert payment.currency == CNY


async def test_a_sum_that_is_told_in_another_currency_is_not_yuan(world: World) -> None:
    order = world.order()
    for info, currency in ((words.paid_info("1.00", "HKD"), "HKD"), (words.paid_info("1.00"), CNY)):
        client = told(paid(order.order_no, info=('info="x"', f'info="{info}"')))
        assert (await client.query(PaymentRef(order.order_no))).currency == currency


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('ok="1"', 'ok="2"'),
        ('ok="1"', ""),
        ('total="1.00"', 'total="1e2"'),
        ('total="1.00"', ""),
        ('total="1.00"', 'total="-1.00"'),
        ('pay_type="4"', 'pay_type="99"'),
        ('pay_time="2018-04-22 09:29:39"', 'pay_time="yesterday"'),
        ('dm_id="dm2034085636"', 'dm_id="2034085636"'),
        ('dm_id="dm2034085636"', ""),
        ('no="T', 'no="U'),
        ('no="T', 'coupon="1.01" no="T'),
        ('no="T', 'coupon="x" no="T'),
    ],
)
async def test_an_answer_that_is_not_right_is_not_believed(world: World, old: str, new: str) -> None:
    order = world.order()
    assert order.order_no.startswith("T")
    with pytest.raises(WireError):
        await told(paid(order.order_no, change=(old, new))).pay(order)


@pytest.mark.parametrize("body", ["", "ok", "<html/>", '{"ok":"1"}'])
async def test_an_answer_that_is_none(world: World, body: str) -> None:
    with pytest.raises(WireError):
        await told(body).pay(world.order())


async def test_what_says_nothing_either_way_is_no_answer(world: World) -> None:
    for client in (told("", 500), told("<dm ok='1'/>", 404), told(f'<dm ok="-1" info="{words.SYSTEM_ERROR}"/>')):
        with pytest.raises(Unreachable):
            await client.pay(world.order())


async def test_an_open_answer_is_open_whatever_its_text(world: World) -> None:
    order = world.order()
    for info, state in [
        ("请稍候", PaymentState.UNKNOWN),
        (words.PAYMENT_WORDS[PaymentState.CANCELLED].info, PaymentState.UNKNOWN),
        (words.PAYMENT_WORDS[PaymentState.WAITING].info, PaymentState.WAITING),
    ]:
        body = f'<dm ok="-1" total="1.00" pay_type="4" info="{info}" dm_id="dm1" no="{order.order_no}"/>'
        payment = await told(body).pay(order)
        assert (payment.state, payment.verdict) == (state, Verdict.OPEN)
        assert payment.paid_fen == 0


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        (words.REFUSALS[OrderConflict], OrderConflict),
        (words.DEVICE_ERROR, UnknownCredential),
        (words.REFUSALS[PaymentNotFound], PaymentNotFound),
        ("今日休息", Refusal),
    ],
)
async def test_a_refusal_is_known_by_its_text(world: World, info: str, kind: type[Refusal]) -> None:
    with pytest.raises(Refusal) as raised:
        await told(f'<dm ok="0" info="{info}"/>').pay(world.order())
    assert type(raised.value) is kind
    assert str(raised.value) == info


async def test_what_cannot_be_said_is_not_sent(world: World) -> None:
    client = told(paid("x"))
    for changes in ({"currency": "USD"}, {"expires_in_s": 60}):
        with pytest.raises(NotSupported):
            await client.pay(world.order(**changes))
    for order in (
        world.order(wallet=Wallet.ALIPAY),
        world.order(pay_code=Secret("16")),
        world.order(pay_code=None),
    ):
        with pytest.raises(InvalidPayCode):
            await client.pay(order)
    with pytest.raises(NotSupported):
        client.hear(HttpRequest("POST", "/", "", {}, b"", ""))
    with pytest.raises(NotSupported):
        await client.query_refund(RefundRef("R1"))
    assert world.order().currency == CNY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('total="-0.10"', 'total="0.10"'),
        ('total="-0.10"', ""),
        ('dm_id="dm2034085636"', 'dm_id="dm2034085637"'),
        ('no="R1"', 'no="R2"'),
        ('pay_time="2018-04-21 19:47:15"', ""),
    ],
)
async def test_a_refunds_answer_that_is_not_right(old: str, new: str) -> None:
    good = (
        '<dm ok="1" info="x" dm_id="dm2034085636" pay_type="4" pay_time="2018-04-21 19:47:15" total="-0.10"'
        ' pay_id="42" no="R1" type_id="2"></dm>'
    )
    order = RefundOrder(PaymentRef(payment_id="2034085636"), "R1", 10)
    refund = await told(good).refund(order)
    assert (refund.state, refund.amount_fen, refund.refunded_fen) == (RefundState.DONE, 10, 10)
    assert old in good
    with pytest.raises(WireError):
        await told(good.replace(old, new)).refund(order)


async def test_orders_without_a_number_are_told_by_ours(world: World) -> None:
    client = world.client("semoor")
    order = world.order(order_no="")
    payment = await client.pay(order)
    assert payment.order_no == payment.payment_id
    for ref in (payment.ref, PaymentRef(payment_id=payment.payment_id), PaymentRef(payment.payment_id)):
        assert (await client.query(ref)).payment_id == payment.payment_id
    refund = await client.refund(RefundOrder(payment.ref, "", 10))
    assert (refund.state, refund.refunded_fen) == (RefundState.DONE, 10)


async def test_a_coupon_and_extras_travel(world: World) -> None:
    client = world.client("semoor")
    order = world.order("10", details={"operator_id": "小王", "infoaddo": "a\r\nb", "other": "x"})
    payment = await client.pay(order)
    assert (payment.amount_fen, payment.paid_fen, payment.coupon_fen) == (100, 90, 10)
    stored = await world.stored(order.order_no)
    assert stored.details == {"operator_id": "小王", "infoaddo": "a\r\nb", "device_id": "57206"}


async def test_a_code_at_another_device_is_no_retry(world: World) -> None:
    """The same code, amount and texts at two tills: the second must not be told that the first one was paid."""
    other = replace(await world.credential("semoor"), login="57207", secret=Secret("c" * 40))
    await world.store.put_credential(other)
    order = replace(world.order(), order_no="")
    first = await world.client("semoor").pay(order)
    again = await world.client("semoor").pay(order)
    assert again.payment_id == first.payment_id
    with pytest.raises(PayCodeInUse):
        await world.client("semoor", device_id="57207", key="c" * 40).pay(order)


async def test_a_device_activates_itself(desk: Desk) -> None:
    client = desk.world.client("semoor")
    assert isinstance(client, Client)
    given = await client.activate()
    assert (given.device_id, given.key.reveal()) == (DEVICE, KEY)
    with pytest.raises(Refusal) as raised:
        await client.activate()
    assert str(raised.value) == words.BAD_CODE


async def test_the_key_and_the_code_are_not_shown() -> None:
    client = told("<dm/>")
    shown: Callable[[object], str] = repr
    assert KEY not in shown(vars(client))
    assert "24901320180424" not in shown(vars(client))
