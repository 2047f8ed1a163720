"""The client where the shared law does not look: what it believes, what it remembers, how it guesses the wallet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from anytill.core.errors import NotCancellable, NotSupported, PaymentNotFound, RefundNotFound, Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, PaymentRef, PayOrder, RefundOrder, RefundRef, Verdict
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.chaoying import client as client_module
from anytill.dialects.chaoying.client import Client
from anytill.dialects.chaoying.sandbox import SANDBOX, sandbox_settings
from anytill.dialects.chaoying.server import handle, system_error
from anytill.ports import Unreachable
from anytill.wire.errors import BadSignature, WireError
from anytill.wire.http import FORM, HttpRequest, HttpResponse
from tests.dialects.chaoying.desk import signed
from tests.world import BASE_URL, World

pytestmark = pytest.mark.anyio

ORDER = PayOrder("A10001", 100, subject="tea", pay_code=Secret("130000000000000000"))


class Line:
    """Between client and server: keeps what was asked, and may put something else for the answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked: list[dict[str, str]] = []
        self.instead: Callable[[HttpResponse], HttpResponse] = lambda response: response

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(dict(parse_qsl(request.body.decode())))
        return self.instead(await handle(request, self._world.gateway))

    def client(self) -> Client:
        return Client(sandbox_settings(BASE_URL), self)


@pytest.fixture
def line(world: World) -> Line:
    return Line(world)


def saying(answer: Mapping[str, Any], status: int = 200) -> Callable[[HttpResponse], HttpResponse]:
    return lambda _: HttpResponse(status, json.dumps(answer).encode(), "application/json")


PAID = {
    "state": "SUCCESS",
    "code": "10000",
    "trade_state": "SUCCESS",
    "msg": "SUCCESS",
    "mch_id": SANDBOX.number,
    "out_trade_no": "A10001",
    "transaction_id": "1",
    "base_fee": "100",
    "total_fee": "90",
}


async def test_what_is_told_of_a_payment(line: Line) -> None:
    told = await line.client().pay(PayOrder("A10001", 109, attach="桌 5", pay_code=Secret("130000000000000010")))
    stored = await line._world.stored("A10001")
    for name in (
        "payment_id",
        "order_no",
        "method",
        "wallet",
        "state",
        "amount_fen",
        "paid_fen",
        "coupon_fen",
        "payer_id",
        "channel_trade_no",
        "attach",
        "paid_at_ms",
    ):
        assert getattr(told, name) == getattr(stored, name), name


@pytest.mark.parametrize(
    "change",
    [
        {"total_fee": "101"},
        {"total_fee": "1e2"},
        {"total_fee": ""},
        {"base_fee": ""},
        {"out_trade_no": "A10002"},
        {"mch_id": "68500018"},
        {"state": "OK"},
        {"time_end": "yesterday"},
        {"paytype": "CASH"},
    ],
)
async def test_an_answer_that_cannot_be_true_is_not_believed(line: Line, change: dict[str, str]) -> None:
    line.instead = saying(signed({name: value for name, value in {**PAID, **change}.items() if value}))
    with pytest.raises(WireError):
        await line.client().pay(ORDER)


async def test_a_success_must_be_signed_by_the_key(line: Line) -> None:
    line.instead = saying(signed(PAID))
    assert (await line.client().pay(ORDER)).paid_fen == 90
    for forged in (PAID, signed(PAID, "0" * 32), {**signed(PAID), "total_fee": "100"}):
        line.instead = saying(forged)
        with pytest.raises(BadSignature):
            await line.client().pay(ORDER)


@pytest.mark.parametrize(
    "change",
    [
        # As if the answer had said attach=t and then another field, which the signed text also says.
        {"attach": "t&auth_code=130000000000000001"},
        {"msg": "SUCCESS&nonce_str=1", "mch_id": ""},
        {"base_fee": "100&coupon_fee=1"},
        {"key": "1"},
        {"Sign": "1"},
    ],
)
async def test_a_signed_answer_with_a_second_meaning_is_not_believed(line: Line, change: dict[str, str]) -> None:
    fields = {name: value for name, value in {**PAID, "mch_id": "", **change}.items() if value}
    line.instead = saying(signed(fields))
    with pytest.raises(WireError):
        await line.client().pay(ORDER)


async def test_ampersands_in_a_text_are_no_second_meaning(line: Line) -> None:
    line.instead = saying(signed({**PAID, "attach": "tea & cake=2&a=b", "msg": "&", "more": "x&mch_id=1"}))
    assert (await line.client().pay(ORDER)).attach == "tea & cake=2&a=b"


async def test_no_answer_of_ours_has_a_second_meaning(line: Line) -> None:
    client = line.client()
    for number, (attach, told) in enumerate(
        [("t&authinfo=1", "t＆authinfo=1"), ("a & b", "a & b"), ("a=1&c=2", "a=1&c=2"), ("t&zz=1", "t&zz=1")]
    ):
        code = Secret(f"1300000000000{number:03d}00")
        assert (await client.pay(PayOrder(f"A1000{number}", 100, attach=attach, pay_code=code))).attach == told


@pytest.mark.parametrize(
    ("code", "trade_state"),
    [("10000", "PROCESSING"), ("10001", "FAIL"), ("40000", "FAIL"), ("", ""), ("30001", "NEED_QUERY")],
)
async def test_what_is_not_a_clear_end_is_open(line: Line, code: str, trade_state: str) -> None:
    answer = {name: value for name, value in {**PAID, "code": code, "trade_state": trade_state}.items() if value}
    line.instead = saying(signed(answer))
    told = await line.client().pay(ORDER)
    assert (told.verdict, told.paid_fen) == (Verdict.OPEN, 0)


async def test_faults_of_the_other_side_are_no_answer(line: Line) -> None:
    fault = system_error(HttpRequest("POST", "/", "", {}, b"", ""))
    for instead in (lambda _: fault, saying({}, 502), saying({"state": "FAIL", "code": "30001", "msg": "?"})):
        line.instead = instead
        with pytest.raises(Unreachable):
            await line.client().pay(ORDER)


async def test_other_servers_texts_are_understood_by_their_code(line: Line) -> None:
    line.instead = saying({"state": "FAIL", "code": "20007", "msg": "no such order"})
    with pytest.raises(PaymentNotFound):
        await line.client().pay(ORDER)
    line.instead = saying({"state": "FAIL", "code": "20008", "msg": "?"})
    with pytest.raises(Refusal) as refusal:
        await line.client().pay(ORDER)
    assert type(refusal.value) is Refusal


async def test_the_wallet_is_remembered_or_found(line: Line) -> None:
    order = PayOrder("A10001", 100, subject="tea", pay_code=Secret("510000000000000000"))
    client = line.client()
    paid = await client.pay(order)
    await client.query(paid.ref)
    assert [asked.get("paytype") for asked in line.asked] == [None, "BESTPAY"]
    line.asked.clear()
    stranger = line.client()
    by_id = await stranger.query(PaymentRef(payment_id=paid.payment_id))
    assert (by_id.order_no, by_id.amount_fen, by_id.wallet) == ("A10001", 100, Wallet.BESTPAY)
    wallets = list(Wallet)
    assert [asked["paytype"] for asked in line.asked] == wallets[: wallets.index(Wallet.BESTPAY) + 1]
    with pytest.raises(PaymentNotFound):
        await stranger.query(PaymentRef("NOSUCH"))
    with pytest.raises(RefundNotFound):
        await stranger.query_refund(RefundRef(refund_id="1"))


async def test_a_wallet_that_nobody_knows_is_no_answer(line: Line) -> None:
    line.instead = saying(signed({**PAID, "paytype": "CASH"}))
    with pytest.raises(WireError):
        await line.client().query(PaymentRef("A10001"))


async def test_a_refund_and_a_cancel_by_a_client_that_knows_nothing(line: Line) -> None:
    paid = await line.client().pay(PayOrder("A10001", 1000, subject="tea", pay_code=Secret("280000000000000000")))
    ref = PaymentRef(payment_id=paid.payment_id)
    refund = await line.client().refund(RefundOrder(ref, "R1", 300))
    assert (refund.state, refund.refunded_fen, refund.order_no) == (RefundState.DONE, 300, "A10001")
    assert line.asked[-1]["total_fee"] == "1000"
    for found in (RefundRef("R1"), RefundRef(refund_id=refund.refund_id)):
        asked = await line.client().query_refund(found)
        assert (asked.state, asked.amount_fen, asked.refund_no) == (RefundState.DONE, 300, "R1")
    bounced = await line.client().refund(RefundOrder(ref, "R2", 93))
    assert bounced.state is RefundState.RETURNED_TO_CASH
    with pytest.raises(NotCancellable):
        await line.client().cancel(ref)
    other = await line.client().pay(PayOrder("A10002", 1000, subject="tea", pay_code=Secret("280000000000000100")))
    cancelled = await line.client().cancel(PaymentRef(payment_id=other.payment_id))
    assert (cancelled.state, cancelled.reversed_fen) == (PaymentState.CANCELLED, 1000)


async def test_a_preorder_that_was_paid_meanwhile(line: Line) -> None:
    order = PayOrder("N10001", 100, Method.QR, "tea", wallet=Wallet.WECHAT)
    client = line.client()
    assert (await client.pay(order)).invitation["code_url"]
    await line._world.wallet.payer_pays(merchant_order="N10001")
    line._world.clock.advance(1_000)
    assert (await client.query(PaymentRef("N10001"))).method is Method.QR
    assert (await client.pay(order)).verdict is Verdict.PAID


async def test_faces_and_codes(line: Line) -> None:
    client = line.client()
    ticket = await client.face_ticket(Wallet.WECHAT, "d1", "eNPJ")
    assert ticket.expires_in_s > 0
    face = PayOrder("F10001", 100, Method.FACE, "tea", pay_code=Secret(ticket.ticket), wallet=Wallet.WECHAT)
    with pytest.raises(Refusal):
        await client.pay(face)
    paid = await client.pay(PayOrder(**{name: getattr(face, name) for name in face.__slots__} | {"payer_id": "o1"}))
    assert (paid.verdict, paid.method) == (Verdict.PAID, Method.FACE)
    assert (await client.query(paid.ref)).method is Method.FACE
    payer = await client.identify(Secret("130000000000000000"))
    assert payer.wallet is Wallet.WECHAT


@pytest.mark.parametrize(
    "order",
    [
        PayOrder("A10001", 100, currency="USD", pay_code=ORDER.pay_code),
        PayOrder("A10001", 100, expires_in_s=60, pay_code=ORDER.pay_code),
        PayOrder("A10001", 100, Method.H5, wallet=Wallet.WECHAT),
        PayOrder("A10001", 100, Method.QR, wallet=Wallet.UNIONPAY),
        PayOrder("A10001", 100, Method.QR),
    ],
)
async def test_what_the_protocol_cannot_say(line: Line, order: PayOrder) -> None:
    with pytest.raises(NotSupported):
        await line.client().pay(order)
    assert not line.asked


async def test_memory_is_bounded(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "REMEMBERED", 4)
    client = line.client()
    for number in range(5):
        await client.pay(PayOrder(f"A1000{number}", 100, subject="tea", pay_code=Secret(f"13000000000000{number}000")))
    assert set(client._seen) == {
        name
        for number in (3, 4)
        for name in (f"no A1000{number}", f"id {client._seen[f'no A1000{number}'].payment_id}")
    }


@pytest.mark.parametrize(
    ("change", "believed"),
    [
        ({}, Verdict.PAID),
        ({"result_code": "FAIL"}, Verdict.OPEN),
        ({"pay_result": "1"}, Verdict.OPEN),
        ({"state": ""}, Verdict.OPEN),
        ({"mch_id": "1"}, None),
        ({"total_fee": "0"}, None),
        ({"coupon_fee": "100"}, None),
        ({"trade_type": "pay.cash.native"}, None),
        ({"time_end": "2026"}, None),
        ({"attach": "tea & cake"}, Verdict.PAID),
        ({"attach": "x&coupon_fee=50"}, None),
    ],
)
def test_notices_are_read_strictly(change: dict[str, str], believed: Verdict | None) -> None:
    async def nobody(request: HttpRequest) -> HttpResponse:
        raise AssertionError

    fields = {
        "state": "SUCCESS",
        "result_code": "SUCCESS",
        "pay_result": "0",
        "mch_id": SANDBOX.number,
        "out_trade_no": "N10001",
        "transaction_id": "1",
        "total_fee": "100",
        "time_end": "20261118190640",
        "trade_type": "pay.weixin.native",
        **change,
    }
    body = urlencode(signed(fields)).encode()
    request = HttpRequest("POST", "/notify", "", {"content-type": FORM}, body, "")
    client = Client(sandbox_settings(BASE_URL), nobody)
    if believed is None:
        with pytest.raises(WireError):
            client.hear(request)
    else:
        told, answer = client.hear(request)
        assert (told.verdict, told.paid_fen) == (believed, 100 if believed is Verdict.PAID else 0)
        assert answer.body == b"success"
