"""The client against answers of other gateways, good and bad. The law of all dialects covers it against our own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from anytill.core.errors import NotSupported, PaymentNotFound, RefundNotFound, Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, PaymentRef, PayOrder, RefundOrder, RefundRef, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.yst.client import Client
from anytill.dialects.yst.sandbox import sandbox_settings
from anytill.ports import Unreachable
from anytill.wire.errors import WireError
from anytill.wire.http import HttpRequest, HttpResponse
from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import DSN, VECTORS
from tests.world import BASE_URL, World

pytestmark = pytest.mark.anyio

PAID = {"code": "E11000", "status": "S", "total_fee": "100", "channel": "W", "trans_seq": "15060911165638124989"}


def answering(fields: Mapping[str, str], status: int = 200, dsn: str = DSN, signature: str = "") -> Client:
    """A client whose gateway says just this."""

    async def send(request: HttpRequest) -> HttpResponse:
        data = till.encrypted(f"<data>{till.elements(fields)}</data>".encode(), dsn[:16])
        texts = {"timestamp": "1", "data": data, "signature": signature or till.md5(f"{dsn}1{data}")}
        return HttpResponse(status, f"<response>{till.elements(texts)}</response>".encode(), "text/xml")

    return Client(sandbox_settings(BASE_URL), send)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        (PAID, PaymentState.PAID),
        ({**PAID, "code": "E99999"}, PaymentState.PAID),
        ({**PAID, "status": "W"}, PaymentState.UNKNOWN),
        ({**PAID, "status": "F"}, PaymentState.UNKNOWN),
        ({**PAID, "code": "E11100", "status": "W"}, PaymentState.WAITING),
        ({**PAID, "code": "E11001", "status": "S"}, PaymentState.UNKNOWN),
        ({**PAID, "code": "E11001", "status": "F"}, PaymentState.FAILED),
        ({**PAID, "code": "E99999", "status": "F"}, PaymentState.FAILED),
        ({**PAID, "code": "E99999", "status": "W"}, PaymentState.UNKNOWN),
        ({"code": "E99999", "result": "Y", "channel": "W"}, PaymentState.UNKNOWN),
    ],
)
async def test_anything_but_a_clear_word_is_open(world: World, fields: dict[str, str], state: PaymentState) -> None:
    payment = await answering(fields).pay(world.order())
    assert payment.state is state
    assert payment.amount_fen == 100
    assert payment.paid_fen == (100 if state is PaymentState.PAID else 0)


async def test_the_accounts_currency_is_a_setting() -> None:
    async def send(request: HttpRequest) -> HttpResponse:
        raise AssertionError(f"{request.path} was sent")

    answers = answering(PAID)
    hkd = Client({**sandbox_settings(BASE_URL), "currency": "HKD"}, answers._send)
    assert (await hkd.query(PaymentRef("N1"))).currency == "HKD"
    assert (await answers.query(PaymentRef("N1"))).currency == "CNY"
    for accounts, currency in (("HKD", "CNY"), ("", "HKD")):
        client = Client({**sandbox_settings(BASE_URL), "currency": accounts}, send)
        with pytest.raises(NotSupported):
            await client.pay(PayOrder("N1", 100, Method.QR, currency=currency, wallet=Wallet.WECHAT))


@pytest.mark.parametrize("section", ["4.1", "4.2", "5.2"])
async def test_the_documents_answers_are_understood(world: World, section: str) -> None:
    (sample,) = [each for each in VECTORS["source_answers"] if each["section"] == section]
    payment = await answering(sample["fields"]).pay(world.order(amount_fen=1))
    assert (payment.state, payment.paid_fen, payment.coupon_fen) == (PaymentState.PAID, 1, 0)
    assert payment.payment_id == "15060911165638124989"


async def test_the_documents_sloppy_native_answer_is_not_believed_to_be_paid(world: World) -> None:
    """Its code and text say paid, its status says waiting."""
    (sample,) = [each for each in VECTORS["source_answers"] if each["section"] == "5.1"]
    order = world.order(method=Method.QR, wallet=Wallet.WECHAT, pay_code=None)
    payment = await answering(sample["fields"]).pay(order)
    assert payment.verdict is Verdict.OPEN


@pytest.mark.parametrize(
    "change",
    [
        {"total_fee": "1e2"}, {"total_fee": ""}, {"cash_fee": "101"}, {"cash_fee": "99"}, {"coupon_fee": "100"},
        {"coupon_fee": "-1"}, {"pay_time": "yesterday"}, {"channel": "X"}, {"req_seq": "another"}, {"dsn": "0" * 32},
    ],
)  # fmt: skip
async def test_an_answer_that_cannot_be_is_no_answer(world: World, change: dict[str, str]) -> None:
    fields = {name: value for name, value in {**PAID, **change}.items() if value}
    with pytest.raises(WireError):
        await answering(fields).pay(world.order())


async def test_an_answer_must_be_signed_and_readable(world: World) -> None:
    for client in (answering(PAID, signature="0" * 32), answering(PAID, dsn="0" * 32)):
        with pytest.raises(WireError):
            await client.pay(world.order())
    for status in (500, 302, 404):
        with pytest.raises(Unreachable):
            await answering(PAID, status).pay(world.order())

    async def openly(request: HttpRequest) -> HttpResponse:
        body = b"<response><timestamp>1</timestamp><data><result>N</result><code>E11001</code></data></response>"
        return HttpResponse(200, body, "text/xml")

    # What anybody could have written is no "no".
    with pytest.raises(WireError):
        await Client(sandbox_settings(BASE_URL), openly).pay(world.order())


async def test_refusals_and_faults(world: World) -> None:
    with pytest.raises(PaymentNotFound):
        await answering({"result": "N", "code": "E11002"}).query(PaymentRef("1"))
    with pytest.raises(Unreachable):
        await answering({"result": "N", "code": "E10008"}).query(PaymentRef("1"))
    with pytest.raises(Refusal) as caught:
        await answering({"result": "N", "code": "E55555", "msg": "奇怪"}).pay(world.order())
    assert type(caught.value) is Refusal
    assert str(caught.value) == "E55555 奇怪"


async def test_what_this_protocol_cannot_say_is_not_sent(world: World) -> None:
    client = world.client("yst")
    with pytest.raises(NotSupported):
        await client.query(PaymentRef(payment_id="12611181234560000000"))
    with pytest.raises(NotSupported):
        await client.query_refund(RefundRef(refund_id="12611181234560000000"))
    h5 = world.order(method=Method.H5, wallet=Wallet.WECHAT, pay_code=None)
    for order in (
        h5,
        world.order(expires_in_s=60),
        world.order(currency="USD"),
        world.order(method=Method.QR, pay_code=None, wallet=Wallet.QQ),
        world.order(method=Method.QR, pay_code=None, wallet=Wallet.WECHAT, expires_in_s=299),
    ):
        with pytest.raises(NotSupported):
            await client.pay(order)
    assert not world.watch.notes


async def test_a_new_client_knows_refunds_by_their_payment(world: World) -> None:
    first = world.client("yst")
    payment = await first.pay(world.order(amount_fen=500))
    await first.refund(RefundOrder(payment.ref, "R1000", 100))
    await first.refund(RefundOrder(payment.ref, "R2000", 91))
    told = await world.client("yst").query_refund(RefundRef("R1000", payment_id=payment.payment_id))
    assert (told.state, told.refunded_fen, told.amount_fen) == (RefundState.DONE, 100, 100)
    waiting = await world.client("yst").query_refund(RefundRef("R2000", payment_id=payment.payment_id))
    assert waiting.state is RefundState.PROCESSING
    # Without the payment the answer is neither "there is none" nor a state.
    with pytest.raises(Refusal) as caught:
        await world.client("yst").query_refund(RefundRef("R1000"))
    assert type(caught.value) is Refusal
    with pytest.raises(RefundNotFound):
        await world.client("yst").query_refund(RefundRef("R3000"))


async def test_a_new_client_refunds_and_revokes_by_the_order_number(world: World) -> None:
    order = world.order(amount_fen=500)
    await world.client("yst").pay(order)
    refund = await world.client("yst").refund(RefundOrder(PaymentRef(order.order_no), "R1000", 100))
    assert refund.state is RefundState.DONE
    other = world.order()
    await world.client("yst").pay(other)
    revoked = await world.client("yst").cancel(PaymentRef(other.order_no))
    assert (revoked.state, revoked.reversed_fen) == (PaymentState.CANCELLED, 100)


async def test_a_subject_travels_as_a_goods_list(world: World) -> None:
    order = world.order(subject='茶 & "酒" <2>')
    await world.client("yst").pay(order)
    assert (await world.stored(order.order_no)).subject == '茶 & "酒" <2>'


async def test_an_unsigned_notice_is_heard_only_where_that_was_asked_for(world: World) -> None:
    fields = {**VECTORS["source_notice"], "req_seq": "1"}
    body = f"<data>{till.elements(fields)}</data>".encode()
    request = HttpRequest("POST", "/n", "", {"content-type": "text/xml"}, body, "127.0.0.1")
    with pytest.raises(WireError):
        world.client("yst").hear(request)
    payment, answer = world.client("yst", notice_sign="off").hear(request)
    assert (payment.order_no, payment.state, payment.amount_fen) == ("1", PaymentState.PAID, 1)
    assert b"<result>Y</result>" in answer.body


async def test_what_a_client_remembers_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anytill.dialects.yst.client.REMEMBERED", 6)
    client = answering(PAID)
    for _ in range(10):
        await client.pay(world.order())
    assert isinstance(client, Client)
    assert len(client._payments) == 6
