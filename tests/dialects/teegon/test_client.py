"""The client's side: what it makes of answers, and that honest messages always have one meaning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.errors import InvalidPayCode, NotSupported, Refusal
from anytill.core.lifecycle import PaymentState
from anytill.core.payment import Method, PaymentRef, PayOrder
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.teegon import DIALECT, codec
from anytill.dialects.teegon.client import Client
from anytill.dialects.teegon.messages import Charge, ChargeResult, StatusResult
from anytill.dialects.teegon.words import REFUSALS, STATUS_WORDS, UNPAID_TEXTS
from anytill.ports import Unreachable
from anytill.wire.errors import BadField, WireError
from anytill.wire.http import FORM, HttpRequest, HttpResponse

SETTINGS = DIALECT.sandbox_settings("http://gateway.example")
ORDER = PayOrder(
    order_no="A1",
    amount_fen=100,
    subject="tea",
    pay_code=Secret("130258282169498444"),
    notice_url="http://shop.example/notify",
)
RESULT = ChargeResult(
    charge_id="P1",
    domain_id="12345678",
    order_no="A1",
    channel="wxbarcodepay_pinganpay",
    amount_fen=100,
    real_amount_fen=90,
    subject="tea",
    notify_url=ORDER.notice_url,
    auth_code="",
    metadata="",
    created_s=1,
    time_expire_s=61,
    time_paid_s=2,
    paid=True,
    amount_refunded_fen=0,
    transaction_no="42",
    buyer_account="",
    buyer_openid="",
)


def client(*answers: HttpResponse) -> Client:
    """A client whose server gives these answers in turn."""
    left = list(answers)

    async def send(request: HttpRequest) -> HttpResponse:
        return left.pop(0)

    return Client(SETTINGS, send)


@pytest.mark.anyio
async def test_a_paid_charge_and_the_amount_remembered_for_its_status() -> None:
    status = codec.status_answer(StatusResult("P1", "A1", "alibarcodipay_pinganpay", "TRADE_SUCCESS"))
    till = client(codec.charge_answer(RESULT), status)
    paid = await till.pay(ORDER)
    assert (paid.state, paid.amount_fen, paid.paid_fen, paid.coupon_fen) == (PaymentState.PAID, 100, 90, 10)
    assert (paid.payment_id, paid.channel_trade_no, paid.paid_at_ms) == ("P1", "42", 2_000)
    asked = await till.query(paid.ref)
    assert (asked.state, asked.amount_fen, asked.wallet) == (PaymentState.PAID, 100, Wallet.ALIPAY)


@pytest.mark.anyio
@pytest.mark.parametrize(("word", "state"), STATUS_WORDS.items())
async def test_status_words_are_understood(word: str, state: PaymentState) -> None:
    answer = codec.status_answer(StatusResult("P9", "A9", "wxbarcodepay_other_bank", word))
    told = await client(answer).query(PaymentRef(payment_id="P9"))
    assert (told.state, told.order_no, told.amount_fen) == (state, "A9", 0)


@pytest.mark.anyio
@pytest.mark.parametrize(("state", "prefix"), UNPAID_TEXTS.items())
async def test_a_payment_that_ended_unpaid_is_a_value(state: PaymentState, prefix: str) -> None:
    told = await client(codec.failure_answer(f"{prefix}余额不足")).pay(ORDER)
    assert (told.state, told.reason, told.order_no, told.amount_fen) == (state, "余额不足", "A1", 100)


def test_texts_of_refusals_are_told_apart() -> None:
    assert len(set(REFUSALS.values())) == len(REFUSALS)
    assert not any(text.startswith(tuple(UNPAID_TEXTS.values())) for text in REFUSALS.values())


@pytest.mark.anyio
@pytest.mark.parametrize(("refusal", "text"), REFUSALS.items())
async def test_each_refusal_comes_back_as_itself(refusal: type[Refusal], text: str) -> None:
    with pytest.raises(refusal):
        await client(codec.failure_answer(text)).pay(ORDER)


@pytest.mark.anyio
async def test_other_words_are_a_refusal_without_a_name() -> None:
    with pytest.raises(Refusal, match="打烊") as caught:
        await client(codec.failure_answer("打烊了")).query(PaymentRef(payment_id="P1"))
    assert type(caught.value) is Refusal


@pytest.mark.anyio
async def test_a_fault_of_the_server_is_no_answer() -> None:
    request = HttpRequest("POST", "/v1/charge/", "", {}, b"", "")
    with pytest.raises(Unreachable):
        await client(DIALECT.system_error(request)).pay(ORDER)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "changes",
    [{"order_no": "A2"}, {"amount_fen": 101}, {"real_amount_fen": 101}, {"channel": "cash"}],
    ids=str,
)
async def test_an_answer_about_something_else_is_not_believed(changes: dict[str, Any]) -> None:
    told = {name: getattr(RESULT, name) for name in RESULT.__dataclass_fields__} | changes
    with pytest.raises(BadField):
        await client(codec.charge_answer(ChargeResult(**told))).pay(ORDER)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"method": Method.QR}, NotSupported),
        ({"currency": "HKD"}, NotSupported),
        ({"expires_in_s": 300}, NotSupported),
        ({"notice_url": ""}, NotSupported),
        ({"pay_code": None}, InvalidPayCode),
        ({"pay_code": Secret("1234")}, InvalidPayCode),
        ({"wallet": Wallet.ALIPAY}, InvalidPayCode),
    ],
    ids=str,
)
async def test_what_the_vendor_cannot_say_is_not_sent(changes: dict[str, Any], refusal: type[Refusal]) -> None:
    order = {name: getattr(ORDER, name) for name in ORDER.__dataclass_fields__} | changes
    with pytest.raises(refusal):
        await client().pay(PayOrder(**order))


@pytest.mark.anyio
async def test_a_charge_is_asked_about_by_its_own_number_only() -> None:
    with pytest.raises(NotSupported):
        await client().query(PaymentRef(order_no="A1"))


@pytest.mark.anyio
@given(st.binary(max_size=300))
async def test_any_answer_is_a_message_or_a_wire_error(body: bytes) -> None:
    try:
        told = codec.decode_answer(HttpResponse(200, body, ""))
    except WireError:
        return
    assert told is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from(["id", "amount", "paid", "created", "metadata"]), JSON)
def test_any_result_is_a_charge_or_a_wire_error_about_its_field(name: str, value: Any) -> None:
    told = codec.decode_answer(codec.charge_answer(RESULT))
    assert isinstance(told, dict)
    try:
        codec.read_charge_result({**told, name: value})
    except WireError as fault:
        blamed = fault.field
    else:
        blamed = name
    assert blamed == name


@given(st.binary(max_size=300))
def test_any_notice_that_nobody_signed_is_a_wire_error(body: bytes) -> None:
    with pytest.raises(WireError):
        client().hear(HttpRequest("POST", "/", "", {"content-type": FORM}, body, ""))


# Letters that tills use, in texts that look like what tills send; free text is any text at all.
WORD = st.from_regex(r"[0-9A-Za-z_.:/#-]{1,40}", fullmatch=True)
HOST = st.from_regex(r"https?://[a-z0-9]{1,20}\.example(:[0-9]{4})?(/[a-z0-9_./?&=%-]{0,60})?", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=128)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    echoed = {
        "client_ip": draw(st.ip_addresses(v=4).map(str) | st.just("")),
        "return_url": draw(HOST | st.just("")),
        # "ip10.0.0.1" at the end of a device's name would be the field `ip`, and is refused.
        "device_id": draw(WORD.filter(lambda word: "ip" not in word) | st.just("")),
        "charge_type": draw(WORD | st.just("")),
        "account_id": draw(WORD | st.just("")),
    }
    return Charge(
        client_id=draw(st.from_regex(r"[0-9a-z]{1,24}", fullmatch=True)),
        notify_url=draw(HOST),
        order_no=draw(WORD),
        amount_fen=draw(st.integers(1, 9_999_999_999)),
        subject=draw(TEXT.filter(bool)),
        metadata=draw(TEXT),
        auth_code=Secret(draw(st.from_regex(r"[0-9]{16,20}", fullmatch=True))),
        echoed={name: value for name, value in echoed.items() if value},
    )


@given(charges())
def test_honest_charges_have_one_meaning(charge: Charge) -> None:
    assert codec.read_charge(codec.charge_fields(charge)) == charge
