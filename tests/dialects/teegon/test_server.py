"""What the server answers to requests as they come over the wire, good and bad."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.bootstrap import DEMO_MERCHANT
from anytill.core.errors import UnknownCredential
from anytill.core.merchant import Credential, Merchant
from anytill.core.payment import PaymentRef, RefundOrder
from anytill.core.secret import Secret
from anytill.dialects.teegon import DIALECT, codec
from anytill.dialects.teegon.messages import CHARGE_FIELDS
from anytill.dialects.teegon.words import AMBIGUOUS_TEXT, NO_REASON, REFUSALS, SYSTEM_ERROR, UNREADABLE_TEXT
from anytill.wire import jsontext
from anytill.wire.errors import WireError
from anytill.wire.form import encode_form
from anytill.wire.http import FORM, HttpRequest
from tests.world import NOTICE_URL, World

CLIENT_ID, SECRET = DIALECT.sandbox.login, Secret(DIALECT.sandbox.secret)
CODE = "130258282169498444"
BASE = {
    "client_id": CLIENT_ID,
    "notify_url": NOTICE_URL,
    "order_no": "2016051232221122",
    "channel": "barcode_pay",
    "amount": "23.45",
    "subject": "高级钱包",
    "metadata": '{"table":"7"}',
    "client_ip": "192.168.1.1.1",
    "auth_code": CODE,
}
CHARGE, STATUS = "/v1/charge/", "/charge/barcode_pay_status"
BAD_CREDENTIAL = REFUSALS[UnknownCredential]


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """The dialect asks nothing of the store that the shared law does not ask of both."""
    return f"sqlite:///{tmp_path / 'world.db'}"


def request(body: bytes, path: str = CHARGE, **changes: Any) -> HttpRequest:
    parts: dict[str, Any] = {"query": "", "headers": {"content-type": FORM}, **changes}
    return HttpRequest("POST", path, body=body, peer="127.0.0.1", **parts)


async def answer_to(world: World, sent: HttpRequest) -> dict[str, Any]:
    assert DIALECT.handle is not None
    response = await DIALECT.handle(sent, world.gateway)
    assert response.status == 200
    return jsontext.decode(response.body)


async def post(
    world: World, fields: Mapping[str, str | None], path: str = CHARGE, secret: Secret = SECRET
) -> dict[str, Any]:
    given = {name: value for name, value in fields.items() if value is not None}
    return await answer_to(world, request(codec.encode_request(given, secret), path))


async def charge(world: World, **changes: str | None) -> dict[str, Any]:
    return await post(world, {**BASE, **changes})


async def status_of(world: World, charge_id: str) -> str:
    answer = await post(world, {"charge_id": charge_id, "client_id": CLIENT_ID}, STATUS)
    assert answer["error"] is None
    word: str = answer["result"]["trade_status"]
    return word


async def assert_refused(world: World, answer: dict[str, Any], *parts: str) -> None:
    """The failure form with these parts in its text, and nothing has happened."""
    assert list(answer) == ["error", "result"]
    assert answer["result"] == ""
    assert all(part in answer["error"] for part in parts), answer["error"]
    assert world.watch.notes == []
    assert world.watch.alarms == []
    assert (await world.wallet.totals())["orders"] == 0


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/v1/charge/", "/v1/charge"])
async def test_a_charge_that_is_paid_at_once(world: World, path: str) -> None:
    result = (await post(world, BASE, path))["result"]
    assert (result["paid"], result["amount"], result["real_amount"]) == (True, "23.45", "23.45")
    assert result["metadata"] == BASE["metadata"]
    assert result["auth_code"] == "130258**********44"
    assert result["client_ip"] == BASE["client_ip"]
    for query_path in (STATUS, f"{STATUS}/"):
        query = {"charge_id": result["id"], "client_id": CLIENT_ID}
        answer = await post(world, query, query_path)
        assert answer == {
            "result": {
                "charge_id": result["id"],
                "order_no": BASE["order_no"],
                "pay_channel": "wxbarcodepay_pinganpay",
                "trade_status": "SUCCESS",
            },
            "error": None,
        }


@pytest.mark.anyio
async def test_a_payer_who_does_not_confirm_is_taken_back_after_a_minute(world: World) -> None:
    fields = {**BASE, "auth_code": "280258282169498403"}
    result = (await post(world, fields))["result"]
    assert (result["paid"], result["real_amount"], result["time_paid"]) == (False, "0", "0")
    assert int(result["time_expire"]) - int(result["created"]) == 60
    assert await status_of(world, result["id"]) == "WAIT_BUYER_PAY"
    await world.pass_s(59)
    assert await status_of(world, result["id"]) == "WAIT_BUYER_PAY"
    await world.pass_s(31)
    assert await status_of(world, result["id"]) == "TRADE_CLOSED"
    again = await post(world, fields)
    assert again["result"] == ""
    assert again["error"].startswith("订单已撤销：")
    await world.check_books(BASE["order_no"])


@pytest.mark.anyio
async def test_a_refused_payment_is_told_as_failed_with_the_reason(world: World) -> None:
    answer = await charge(world, auth_code="130258282169498404")
    assert answer["result"] == ""
    assert answer["error"].startswith("支付失败：")
    assert answer["error"] != f"支付失败：{NO_REASON}"
    stored = await world.stored(BASE["order_no"])
    assert await status_of(world, stored.payment_id) == "PAYERROR"


@pytest.mark.anyio
async def test_a_silent_channel_is_told_as_waiting_and_settles(world: World) -> None:
    result = (await charge(world, auth_code="130258282169498406"))["result"]
    assert result["paid"] is False
    await world.pass_s(10)
    assert await status_of(world, result["id"]) == "SUCCESS"


@pytest.mark.anyio
async def test_a_lost_answer_can_be_asked_for_again(world: World) -> None:
    first = await charge(world)
    assert await charge(world) == first
    assert len(await world.wallet.statement(merchant_order=BASE["order_no"])) == 1
    for change in ({"amount": "23.46"}, {"subject": "other"}, {"metadata": "{}"}, {"client_ip": "10.0.0.1"}):
        answer = await charge(world, **change)
        assert answer["result"] == ""
        assert "order_no" in answer["error"]
    assert len(await world.wallet.statement(merchant_order=BASE["order_no"])) == 1


@pytest.mark.anyio
async def test_money_given_back_shows(world: World) -> None:
    result = (await charge(world, amount="10.00"))["result"]
    till = await world.till("teegon")
    await till.refund(RefundOrder(PaymentRef(payment_id=result["id"]), "R1", 110))
    again = (await charge(world, amount="10.00"))["result"]
    assert (again["paid"], again["refunded"], again["amount_refunded"]) == (True, True, "1.1")
    assert await status_of(world, result["id"]) == "REFUND"


@pytest.mark.anyio
@pytest.mark.parametrize("field", [row.name for row in CHARGE_FIELDS if row.required] + ["sign"])
@pytest.mark.parametrize("absent", [True, False])
async def test_a_field_that_must_be_there(world: World, field: str, absent: bool) -> None:
    fields = {name: value for name, value in BASE.items() if name != field}
    if not absent:
        fields[field] = ""
    signed = {**fields, "sign": codec.sign(fields, SECRET)} if field != "sign" else fields
    await assert_refused(world, await answer_to(world, request(encode_form(signed))), "缺少参数", field)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "row", [row for row in CHARGE_FIELDS if row.name not in ("sign", "client_id")], ids=lambda row: str(row.name)
)
async def test_a_field_that_is_too_long(world: World, row: Any) -> None:
    await assert_refused(world, await charge(world, **{row.name: "9" * (row.length + 1)}), "超过长度", row.name)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "amount",
    [
        *[
            "1e3",
            "0",
            "0.00",
            "-1",
            "0.001",
            "１.00",
            "+1",
            "1_0",
            "01.00",
            ".5",
            "5.",
            "NaN",
            "100000000",
            "1,000",
            "0x10",
            "٣",
        ],
        " 1",
        "1 ",
        "1.0\n",
    ],
)
async def test_amounts_are_strict(world: World, amount: str) -> None:
    await assert_refused(world, await charge(world, amount=amount), "amount")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"channel": "wxpay"}, "channel"),
        ({"channel": "barcode_pay\n"}, "channel"),
        ({"auth_code": "12345"}, "auth_code"),
        ({"auth_code": "9" * 18}, "auth_code"),
        ({"auth_code": "13025828216949844é"}, "auth_code"),
        ({"auth_code": "１３０２５８２８２１６９４９８４４４"}, "auth_code"),
        ({"notify_url": "ftp://shop.example/"}, "notify_url"),
        ({"notify_url": "http://10.0.0.1/"}, "notify_url"),
        ({"notify_url": "http://shop.example/通知"}, "notify_url"),
        ({"order_no": "订单1"}, "order_no"),
        ({"order_no": "1 2"}, "order_no"),
        ({"client_ip": "localhost"}, "client_ip"),
        ({"ip": "10"}, "ip"),
        ({"surprise": "1"}, "surprise"),
        ({"amount1": "1"}, "amount1"),
        ({"charge_id": "1"}, "charge_id"),
        ({"metadata": "Xnotify_urlhttp://evil.example/"}, AMBIGUOUS_TEXT),
    ],
)
async def test_values_that_are_not_allowed(world: World, changes: dict[str, str], text: str) -> None:
    answer = await charge(world, **changes)
    await assert_refused(world, answer, text)
    assert not any(len(value) > 4 and value in answer["error"] for value in changes.values())


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sent",
    [
        request(b""),
        request(b"\xff\xfe=1"),
        request(b"client_id=%zz"),
        request(encode_form({"client_id": CLIENT_ID, "subject": "a\x00b", "sign": "x"})),
        request(encode_form(BASE) + b"&amount=0.01&sign=x"),
        request(encode_form(BASE), query="amount=1"),
        request(encode_form(BASE), headers={"content-type": "application/json"}),
        request(b"subject=" + b"a" * codec.MAX_BODY_BYTES),
        request(b"&".join(b"f%d=" % n for n in range(300))),
    ],
    ids=range(9),
)
async def test_requests_that_cannot_be_read(world: World, sent: HttpRequest) -> None:
    answer = await answer_to(world, sent)
    await assert_refused(world, answer, "缺少参数 client_id" if not sent.body else UNREADABLE_TEXT)


@pytest.mark.anyio
async def test_a_wrong_signature_and_an_unknown_client_read_the_same(world: World) -> None:
    wrong = await post(world, BASE, secret=Secret("another"))
    unknown = await post(world, {**BASE, "client_id": "x6k7oaqey98uddkl4r4233aq"})
    await assert_refused(world, wrong, BAD_CREDENTIAL)
    assert unknown == wrong
    changed = {**BASE, "sign": codec.sign(BASE, SECRET), "amount": "0.01"}
    assert await answer_to(world, request(encode_form(changed))) == wrong
    assert await answer_to(world, request(encode_form({**BASE, "sign": "é"}))) == wrong


@pytest.mark.anyio
async def test_bad_contents_are_not_discussed_before_the_signature_fits(world: World) -> None:
    answer = await post(world, {**BASE, "amount": "x", "surprise": "1"}, secret=Secret("another"))
    await assert_refused(world, answer, BAD_CREDENTIAL)


async def other_client(world: World, merchant_id: str = DEMO_MERCHANT.merchant_id, **parts: Any) -> str:
    """A second credential."""
    login = "second0client0of0test001"
    credential = Credential("teegon", login, SECRET, {"": merchant_id}, **parts)
    await world.store.put_credential(credential)
    return login


@pytest.mark.anyio
async def test_another_merchants_charge_is_not_found(world: World) -> None:
    result = (await charge(world))["result"]
    await world.store.put_merchant(Merchant("M-OTHER", "另一家"))
    login = await other_client(world, "M-OTHER")
    theirs = await post(world, {"charge_id": result["id"], "client_id": login}, STATUS)
    nobodys = await post(world, {"charge_id": "12611181234560000000", "client_id": login}, STATUS)
    assert theirs == nobodys
    assert theirs["result"] == ""
    assert "charge_id" in theirs["error"]


@pytest.mark.anyio
async def test_while_a_key_is_changed_the_previous_one_is_accepted(world: World) -> None:
    login = await other_client(world, previous=Secret("previous"))
    for number, secret in enumerate((SECRET, Secret("previous"))):
        fields = {**BASE, "client_id": login, "order_no": f"K{number}", "auth_code": f"1300000000000000{number}0"}
        assert (await post(world, fields, secret=secret))["result"]["paid"] is True
    await assert_text(world, {**BASE, "client_id": login}, BAD_CREDENTIAL, Secret("older"))


async def assert_text(world: World, fields: Mapping[str, str], text: str, secret: Secret) -> None:
    assert (await post(world, fields, secret=secret))["error"] == text


@pytest.mark.anyio
async def test_the_credentials_switches(world: World) -> None:
    bare = {**BASE, "client_secret": SECRET.reveal()}
    dropped = {name: value for name, value in {**BASE, "metadata": ""}.items() if value}
    empty = {**BASE, "metadata": "", "sign": codec.sign(dropped, SECRET)}
    for refused in (bare, empty):
        await assert_refused(world, await answer_to(world, request(encode_form(refused))), BAD_CREDENTIAL)
    options = {"secret_instead_of_sign": "on", "drop_empty": "on", "echo_auth_code": "on"}
    login = await other_client(world, options=options)
    answer = await answer_to(world, request(encode_form({**bare, "client_id": login})))
    assert answer["result"]["auth_code"] == CODE
    assert SECRET.reveal() not in str(answer)
    wrong = await answer_to(world, request(encode_form({**bare, "client_id": login, "client_secret": "guess"})))
    assert wrong["error"] == BAD_CREDENTIAL
    ours = {**dropped, "client_id": login, "order_no": "D1", "auth_code": "130000000000000055"}
    sent = {**ours, "metadata": "", "sign": codec.sign(ours, SECRET)}
    assert (await answer_to(world, request(encode_form(sent))))["result"]["paid"] is True


@pytest.mark.anyio
async def test_names_that_clients_add_are_signed_and_not_read(world: World) -> None:
    extras = {
        "return_url": "http://shop.example/back",
        "out_order_no": "OTHER",
        "pay_channel": "wx",
        "ip": "10.0.0.7",
        "device_id": "till-7",
        "charge_type": "pay",
        "account_id": "acc",
        "client_secret": SECRET.reveal(),
    }
    result = (await charge(world, **extras))["result"]
    assert (result["paid"], result["orderno"], result["amount"]) == (True, BASE["order_no"], "23.45")
    assert {name: result[name] for name in ("return_url", "device_id", "charge_type", "account_id")} == {
        name: extras[name] for name in ("return_url", "device_id", "charge_type", "account_id")
    }
    assert SECRET.reveal() not in str(result)


@pytest.mark.anyio
async def test_the_sample_forms_blanks_are_accepted(world: World) -> None:
    result = (await charge(world, channel=" barcode_pay "))["result"]
    assert await status_of(world, f" {result['id']} ") == "SUCCESS"


@pytest.mark.anyio
async def test_each_try_of_a_notice_has_a_fresh_time_and_the_same_contents(world: World) -> None:
    world.receiver.answer = lambda _nth: None
    await charge(world)
    await world.pass_s(20)
    first, second = (dict(pair.split("=") for pair in p.body.decode().split("&")) for p in world.receiver.posted)
    assert int(second["timestamp"]) - int(first["timestamp"]) == 15
    assert {name for name in first if first[name] != second[name]} == {"timestamp", "sign"}


def test_a_fault_of_ours_is_no_business_answer() -> None:
    response = DIALECT.system_error(request(b""))
    assert response.status == 500
    assert jsontext.decode(response.body) == {"error": SYSTEM_ERROR, "result": ""}


@given(st.binary(max_size=400))
def test_any_bytes_are_fields_or_a_wire_error(body: bytes) -> None:
    try:
        fields = codec.decode_request(request(body))
    except WireError as fault:
        text = codec.fault_text(fault)
    else:
        text = fields["client_id"]
    assert text
