"""The client against answers of terminals, good and bad. The law of all dialects covers it against our own terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from anytill.core.errors import (
    NotSupported,
    OrderConflict,
    Overloaded,
    PaymentNotFound,
    RefundNotFound,
    Refusal,
    UnknownCredential,
)
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, PaymentRef, PayOrder, RefundOrder, RefundRef, Verdict
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay import codec
from anytill.dialects.qfpay.client import Client, Withdrawn
from anytill.dialects.qfpay.codec import Reply, Told
from anytill.ports import Unreachable
from anytill.wire.errors import BadField, WireError
from anytill.wire.jsontext import Json
from tests.dialects.qfpay.scripted import KEY, POS_KEY, SYSSN, Answers, Scripted, no_such, paid

pytestmark = pytest.mark.anyio

ORDER = PayOrder("N1", 100, currency="HKD", wallet=Wallet.WECHAT)


def client_of(send: Scripted, **settings: str) -> Client:
    return Client({"pos_key": POS_KEY, "notify_key": "notify-key", **settings}, send)


def answering(*script: Answers, **settings: str) -> Client:
    return client_of(Scripted(*script), **settings)


# Paying


async def test_a_payment_is_shown_to_the_terminal_and_told() -> None:
    terminal = Scripted(paid(out_trade_no="N1"))
    payment = await client_of(terminal).pay(ORDER)
    assert (payment.state, payment.verdict) == (PaymentState.PAID, Verdict.PAID)
    assert (payment.amount_fen, payment.paid_fen, payment.currency) == (100, 100, "HKD")
    assert (payment.payment_id, payment.order_no, payment.wallet) == (SYSSN, "N1", Wallet.WECHAT)
    assert (payment.channel_trade_no, payment.paid_at_ms) == ("4200001", 1_795_248_330_000)
    assert terminal.paths == ["/api/pos/trade"]
    assert terminal.asked == [
        {"amt": "1", "channel": "wx", "func_type": "1001", "out_trade_no": "N1", "scan_type": "SCAN_PAY"}
    ]


@pytest.mark.parametrize("form", ["raw", "quoted", "plain"])
@pytest.mark.parametrize("reply", [*Reply, None])
async def test_requests_in_each_form_and_answers_in_each(form: str, reply: Reply | None) -> None:
    terminal = Scripted(paid(), reply=reply)
    assert (await client_of(terminal, form=form).pay(ORDER)).state is PaymentState.PAID
    assert terminal.forms == [form]
    quoted = json.dumps(codec.seal_answer(paid(), KEY, Reply.AES).decode()).encode()
    assert (await answering(quoted, form=form).pay(ORDER)).state is PaymentState.PAID


CARD = Secret("5200000000001096=1")


@pytest.mark.parametrize(
    ("changes", "channel", "scan_type"),
    [
        ({"wallet": Wallet.ALIPAY}, "alipay", "SCAN_PAY"),
        ({"wallet": None, "pay_code": Secret("251234567890123456")}, "alipay", "SCAN_PAY"),
        ({"wallet": Wallet.UNIONPAY}, "union", "SCAN_PAY"),
        ({"wallet": Wallet.PAYME, "method": Method.QR}, "payme", "QRCODE_PAY"),
        ({"wallet": Wallet.FPS, "method": Method.QR}, "fps", "QRCODE_PAY"),
        ({"wallet": Wallet.CARD, "method": Method.CARD}, "card_payment", None),
        ({"wallet": None, "method": Method.CARD, "details": {"channel": "amex_card"}}, "amex_card", None),
        ({"wallet": Wallet.CARD, "method": Method.CARD, "pay_code": CARD}, "card_payment", None),
        ({"wallet": Wallet.CARD, "method": Method.CARD, "pay_code": Secret("6200000000000005=1")}, "unionpay_card",
         None),
        ({"wallet": Wallet.OCTOPUS, "method": Method.CARD}, "octopus", None),
    ],
)  # fmt: skip
async def test_the_channel_follows_from_the_order(
    changes: Mapping[str, object], channel: str, scan_type: str | None
) -> None:
    terminal = Scripted(Told("6001"))
    order = PayOrder(**{"order_no": "N1", "amount_fen": 1050, "currency": "HKD", **changes})  # type: ignore[arg-type]
    await client_of(terminal).pay(order)
    (asked,) = terminal.asked
    assert (asked["channel"], asked.get("scan_type"), asked["amt"]) == (channel, scan_type, "10.5")
    # What was scanned or tapped never passes through here.
    assert "5200000000001096" not in str(asked)
    assert "251234567890123456" not in str(asked)


async def test_extras_go_to_the_terminal() -> None:
    terminal = Scripted(paid())
    details = {"front_camera": "1", "move_to_back": "1", "subject": "x"}
    await client_of(terminal).pay(
        PayOrder("N1", 100, Method.CARD, "tea", "HKD", wallet=Wallet.CARD, expires_in_s=60, details=details)
    )
    assert terminal.asked[0] == {
        "amt": "1",
        "camera_id": "1",
        "channel": "card_payment",
        "func_type": "1001",
        "moveToBack": "1",
        "out_trade_no": "N1",
        "payment_timeout": "60",
        "wait_card_timeout": "60",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "CNY"},
        {"wallet": None},
        {"wallet": Wallet.QQ},
        {"wallet": Wallet.FPS},
        {"wallet": Wallet.OCTOPUS},
        {"wallet": Wallet.CARD},
        {"wallet": Wallet.WECHAT, "method": Method.JSAPI},
        {"wallet": Wallet.WECHAT, "method": Method.CARD},
        {"method": Method.CARD, "wallet": Wallet.CARD, "details": {"channel": "wx"}},
        {"order_no": "N'1"},
        {"order_no": "N" * 65},
        {"expires_in_s": 3601},
    ],
)
async def test_what_this_protocol_cannot_say_is_not_sent(changes: Mapping[str, object]) -> None:
    terminal = Scripted(paid())
    order = PayOrder(
        **{"order_no": "N1", "amount_fen": 100, "currency": "HKD", "wallet": Wallet.WECHAT, **changes}  # type: ignore[arg-type]
    )
    with pytest.raises(NotSupported):
        await client_of(terminal).pay(order)
    assert terminal.asked == []


@pytest.mark.parametrize(
    ("outer", "inner", "state"),
    [
        ("6000", "0000", PaymentState.PAID),
        ("6002", "0000", PaymentState.UNKNOWN),
        ("6001", "0000", PaymentState.UNKNOWN),
        ("4005", "1145", PaymentState.UNKNOWN),
        ("6000", "1145", PaymentState.UNKNOWN),
        ("6000", "1143", PaymentState.UNKNOWN),
        ("6001", "1145", PaymentState.UNKNOWN),
        ("6002", "1145", PaymentState.UNKNOWN),
        ("6000", "", PaymentState.UNKNOWN),
        ("6000", "9999", PaymentState.UNKNOWN),
        ("6001", "", PaymentState.CANCELLED),
        ("6001", "1142", PaymentState.CANCELLED),
        ("6002", "", PaymentState.FAILED),
        ("6002", "1205", PaymentState.FAILED),
        ("6002", "1201", PaymentState.FAILED),
        ("6002", "8888", PaymentState.FAILED),
        ("6002", "1181", PaymentState.CLOSED),
        ("6002", "1142", PaymentState.CANCELLED),
        ("6000", "1205", PaymentState.FAILED),
    ],
)
async def test_nothing_is_believed_without_a_clear_word(outer: str, inner: str, state: PaymentState) -> None:
    named = {"out_trade_no": "N1", "txamt": "100"} if outer == "6000" else {}
    told = Told(outer, {"respcd": inner, **named} if inner else None, "", "words")
    # Where success was said without a word about what, the inquiry is asked, and here it says no more.
    payment = await answering(told).pay(ORDER)
    assert (payment.state, payment.amount_fen) == (state, 100)
    assert payment.paid_fen == (100 if state is PaymentState.PAID else 0)
    assert payment.reason == ("words" if payment.verdict is Verdict.NOT_PAID else "")


@pytest.mark.parametrize(
    ("data", "state"),
    [
        # Receipts, summaries and withdrawals are answered like this.
        ({"respcd": "0000"}, PaymentState.UNKNOWN),
        ({"respcd": "1205"}, PaymentState.UNKNOWN),
        ({"respcd": "0000", "out_trade_no": "N1"}, PaymentState.UNKNOWN),
        ({"respcd": "0000", "out_trade_no": "N1", "txamt": "0"}, PaymentState.UNKNOWN),
        ({"respcd": "0000", "txamt": "100"}, PaymentState.UNKNOWN),
        ({"respcd": "0000", "txamt": "100", "syssn": SYSSN}, PaymentState.UNKNOWN),
        ({"respcd": "0000", "txamt": "100", "out_trade_no": "N1"}, PaymentState.PAID),
    ],
)
async def test_a_success_that_does_not_say_what_was_paid_is_none(data: dict[str, Json], state: PaymentState) -> None:
    client = answering(Told("6000", data))
    assert (await client.pay(ORDER)).state is state
    assert (await client.query(PaymentRef("N1"))).state is state


async def test_a_payment_without_a_number_is_known_by_the_terminals() -> None:
    client = answering(paid(out_trade_no=None), Told("6000", {"respcd": "0000", "txamt": "100"}))
    assert (await client.pay(PayOrder("", 100, currency="HKD", wallet=Wallet.WECHAT))).state is PaymentState.PAID
    assert (await client.query(PaymentRef(payment_id=SYSSN))).state is PaymentState.UNKNOWN


async def test_success_without_data_is_asked_about() -> None:
    terminal = Scripted(Told("6000"), paid())
    payment = await client_of(terminal).pay(ORDER)
    assert (payment.state, payment.payment_id) == (PaymentState.PAID, SYSSN)
    assert terminal.functions == ["1001", "4001"]
    for answer in (None, b"rubbish", no_such()):
        assert (await answering(Told("6000"), answer).pay(ORDER)).state is PaymentState.UNKNOWN


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        (Told("4003"), UnknownCredential),
        (Told("5001", {"respcd": "1103"}), UnknownCredential),
        (Told("4007"), UnknownCredential),
        (Told("4006", {"respcd": "1102"}), OrderConflict),
        (Told("4006", {"respcd": "1104"}, "amt"), Refusal),
        (Told("4004"), Refusal),
        (Told("4005", {"respcd": "9010"}), Overloaded),
    ],
)
async def test_refusals(told: Told, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as caught:
        await answering(told).pay(ORDER)
    assert type(caught.value) is refusal


@pytest.mark.parametrize("told", [Told("4005"), Told("4005", {"respcd": "9999"}), Told("7777"), None])
async def test_what_leaves_the_end_open_is_not_sent_again(told: Told | None) -> None:
    terminal = Scripted(told)
    with pytest.raises(Unreachable):
        await client_of(terminal).pay(ORDER)
    assert terminal.functions == ["1001"]


async def test_another_status_is_no_answer() -> None:
    for status in (500, 302, 404):
        with pytest.raises(Unreachable):
            await client_of(Scripted(paid(), status=status)).pay(ORDER)


@pytest.mark.parametrize(
    "changes",
    [
        {"out_trade_no": "N2"},
        {"txamt": "1.00"},
        {"txamt": "-100"},
        {"txamt": []},
        {"syssn": {}},
        {"txcurrcd": "156"},
        {"paydtm": ["2026-11-21 16:05:30"]},
        {"txcurrcd": "840"},
        {"allow_refund_amt": "101"},
    ],
)
async def test_an_answer_that_cannot_be_is_no_answer(changes: dict[str, Json]) -> None:
    with pytest.raises(WireError):
        await answering(paid(**changes)).pay(ORDER)


@pytest.mark.parametrize("body", [b"", b"{}", b"AAAA", b"\xff", b'{"respcd":"6000","data":"paid"}', b'{"respcd":null}'])
async def test_an_unreadable_answer_is_no_answer(body: bytes) -> None:
    with pytest.raises(WireError):
        await answering(body).pay(ORDER)


async def test_another_amount_is_told_as_it_is() -> None:
    payment = await answering(paid(txamt="90")).pay(ORDER)
    assert (payment.amount_fen, payment.paid_fen) == (90, 90)


# Asking


async def test_a_query_by_either_number() -> None:
    terminal = Scripted(paid(out_trade_no="N1", busicd="806708", cardno="620000******0005"))
    client = client_of(terminal)
    by_order = await client.query(PaymentRef("N1", "ignored"))
    by_syssn = await client.query(PaymentRef(payment_id=SYSSN))
    assert by_order == by_syssn
    assert (by_order.method, by_order.wallet, by_order.code_hint) == (Method.CARD, Wallet.CARD, "620000******0005")
    assert terminal.paths == ["/api/pos/query_transaction"] * 2
    assert terminal.asked == [
        {"func_type": "4001", "out_trade_no": "N1"},
        {"func_type": "4001", "orderId": SYSSN},
    ]
    with pytest.raises(BadField):
        await client.query(PaymentRef(payment_id="12611211605300000002"))


async def test_a_query_remembers_what_is_not_told() -> None:
    terminal = Scripted(paid(), Told("6000", {"respcd": "0000", "txamt": "100", "syssn": SYSSN}))
    client = client_of(terminal)
    payment = await client.pay(ORDER)
    assert await client.query(PaymentRef("N1")) == payment


@pytest.mark.parametrize("told", [no_such(), Told("6000", {"respcd": "1136"}), Told("4006", {"respcd": "1268"})])
async def test_an_unknown_number(told: Told) -> None:
    with pytest.raises(PaymentNotFound):
        await answering(told).query(PaymentRef("N1"))
    with pytest.raises(RefundNotFound):
        await answering(told).query_refund(RefundRef(refund_id="1"))


@pytest.mark.parametrize(
    ("changes", "state", "reserved_fen", "refunded_fen"),
    [
        ({"cancel": "0", "allow_refund_amt": "100"}, PaymentState.PAID, 0, 0),
        ({"cancel": "0", "allow_refund_amt": "60"}, PaymentState.PAID, 40, 0),
        ({"cancel": "5", "allow_refund_amt": "60"}, PaymentState.PAID, 40, 40),
        ({"cancel": "3", "allow_refund_amt": "0"}, PaymentState.PAID, 100, 100),
        ({"cancel": "1", "allow_refund_amt": "0"}, PaymentState.CANCELLED, 0, 0),
        ({"cancel": "2"}, PaymentState.CANCELLED, 0, 0),
    ],
)
async def test_what_went_back(
    changes: dict[str, Json], state: PaymentState, reserved_fen: int, refunded_fen: int
) -> None:
    payment = await answering(paid(**changes)).query(PaymentRef("N1"))
    assert (payment.state, payment.reserved_fen, payment.refunded_fen) == (state, reserved_fen, refunded_fen)


async def test_no_terminals_card_number_is_kept_whole() -> None:
    for told, kept in (
        ("4111111111111111", "411111******1111"),
        ("4111 1111-1111 1111", "411111******1111"),
        ("411111******1111", "411111******1111"),
        ("411111xxxxxx1111", "411111xxxxxx1111"),
        ("123456789", "*****6789"),
    ):
        for name in ("cardno", "cardNo"):
            assert (await answering(paid(**{name: told})).pay(ORDER)).code_hint == kept


# Taking back


REFUNDED: dict[str, Json] = {"respcd": "0000", "syssn": "R1", "orig_syssn": SYSSN, "txamt": "40", "originTxamt": "100"}
GIVE_BACK = RefundOrder(PaymentRef(payment_id=SYSSN), "", 40)


async def test_a_refund() -> None:
    terminal = Scripted(Told("6000", REFUNDED))
    refund = await client_of(terminal).refund(GIVE_BACK)
    assert (refund.state, refund.refund_id, refund.payment_id) == (RefundState.DONE, "R1", SYSSN)
    assert (refund.amount_fen, refund.refunded_fen) == (40, 40)
    assert terminal.asked == [{"func_type": "1002", "orderId": SYSSN, "refund_amount": "0.40"}]
    assert terminal.paths == ["/api/pos/cancel"]


async def test_a_refund_names_the_terminals_number_where_it_is_known() -> None:
    terminal = Scripted(paid(), Told("6000", REFUNDED), Told("6000", REFUNDED))
    client = client_of(terminal)
    await client.pay(ORDER)
    await client.refund(RefundOrder(PaymentRef("N1"), "", 40))
    await client.refund(RefundOrder(PaymentRef("N2"), "", 40))
    assert [asked["orderId"] for asked in terminal.asked[1:]] == [SYSSN, "N2"]


@pytest.mark.parametrize(
    ("outer", "inner", "state"),
    [
        ("6000", "0000", RefundState.DONE),
        ("6000", "", RefundState.UNKNOWN),
        ("6000", "1145", RefundState.UNKNOWN),
        ("4005", "1145", RefundState.UNKNOWN),
        ("6002", "1145", RefundState.UNKNOWN),
        ("6002", "0000", RefundState.UNKNOWN),
        ("6001", "1155", RefundState.FAILED),
        ("6001", "", RefundState.FAILED),
        ("6002", "1155", RefundState.FAILED),
        ("6002", "8888", RefundState.FAILED),
        ("6002", "9020", RefundState.RETURNED_TO_CASH),
    ],
)
async def test_how_a_refund_stands(outer: str, inner: str, state: RefundState) -> None:
    named = {"orig_syssn": SYSSN, "txamt": "40"} if outer == "6000" else {}
    refund = await answering(Told(outer, {"respcd": inner, **named} if inner else None, "", "words")).refund(GIVE_BACK)
    assert (refund.state, refund.amount_fen) == (state, 40)
    assert refund.refunded_fen == (40 if state is RefundState.DONE else 0)


@pytest.mark.parametrize(
    "data", [{}, {"orig_syssn": SYSSN}, {"txamt": "40"}, {"txamt": "40", "syssn": "R1", "out_trade_no": "N1"}]
)
async def test_a_success_that_does_not_say_what_went_back_is_none(data: dict[str, Json]) -> None:
    refund = await answering(Told("6000", {"respcd": "0000", **data})).refund(GIVE_BACK)
    assert (refund.state, refund.refunded_fen) == (RefundState.UNKNOWN, 0)


async def test_a_refund_of_another_payment_is_no_answer() -> None:
    with pytest.raises(BadField):
        await answering(Told("6000", {**REFUNDED, "orig_syssn": "other"})).refund(GIVE_BACK)


async def test_on_a_line_a_refunds_answer_is_no_inquirys_and_is_not_remembered() -> None:
    late = Told("6000", {**REFUNDED, "out_trade_no": "N1"})
    terminal = Scripted(late, paid(allow_refund_amt="60"))
    client = client_of(terminal)
    with pytest.raises(BadField):
        await client.query(PaymentRef("N1"))
    payment = await client.query(PaymentRef("N1"))
    assert (payment.payment_id, payment.paid_fen, payment.reserved_fen) == (SYSSN, 100, 40)


async def test_on_a_line_a_payments_answer_is_no_refunds() -> None:
    refund = await answering(paid()).refund(RefundOrder(PaymentRef("N1"), "", 40))
    assert (refund.state, refund.refunded_fen) == (RefundState.UNKNOWN, 0)


async def test_a_numbered_refund_could_be_made_twice_and_is_not_sent() -> None:
    terminal = Scripted(Told("6000", REFUNDED))
    client = client_of(terminal)
    with pytest.raises(NotSupported):
        await client.refund(RefundOrder(PaymentRef(payment_id=SYSSN), "R1000", 40))
    with pytest.raises(NotSupported):
        await client.query_refund(RefundRef("R1000"))
    with pytest.raises(NotSupported):
        await client.cancel(PaymentRef("N1"))
    assert terminal.asked == []


async def test_a_refund_is_asked_about_by_the_terminals_number() -> None:
    terminal = Scripted(Told("6000", {"respcd": "0000", "syssn": "R1", "origssn": SYSSN, "txamt": "40"}))
    refund = await client_of(terminal).query_refund(RefundRef(refund_id="R1"))
    assert (refund.state, refund.payment_id, refund.refunded_fen) == (RefundState.DONE, SYSSN, 40)
    assert terminal.asked == [{"func_type": "4001", "orderId": "R1"}]


async def test_the_number_of_the_one_is_not_the_others() -> None:
    refund = Told("6000", {"respcd": "0000", "syssn": "R1", "origssn": SYSSN, "txamt": "40"})
    with pytest.raises(PaymentNotFound):
        await answering(refund).query(PaymentRef(payment_id="R1"))
    with pytest.raises(RefundNotFound):
        await answering(paid(origssn="")).query_refund(RefundRef(refund_id=SYSSN))


@pytest.mark.parametrize(
    ("told", "withdrawn"),
    [
        (Told("6000"), Withdrawn.DONE),
        (Told("6002", {"respcd": "9011"}), Withdrawn.NOTHING),
        (Told("6002"), Withdrawn.NOTHING),
        (Told("6002", {"respcd": "9012"}), Withdrawn.TOO_LATE),
        (Told("4005", {"respcd": "1145"}), Withdrawn.UNSURE),
    ],
)
async def test_withdrawing(told: Told, withdrawn: Withdrawn) -> None:
    terminal = Scripted(told)
    assert await client_of(terminal).withdraw() is withdrawn
    assert terminal.asked == [{"func_type": "5001"}]
    assert terminal.paths == ["/api/pos/cancel_request"]
    with pytest.raises(Unreachable):
        await answering(Told("4005")).withdraw()
    with pytest.raises(UnknownCredential):
        await answering(Told("4003")).withdraw()
    # A trade's own answer, which came now: that nothing was charged is the last thing it says.
    with pytest.raises(BadField):
        await answering(paid()).withdraw()


async def test_printing() -> None:
    terminal = Scripted(Told("6000"))
    client = client_of(terminal)
    await client.receipt(PaymentRef("N1", SYSSN))
    await client.receipt(PaymentRef(payment_id=SYSSN))
    await client.summary()
    assert terminal.asked == [
        {"func_type": "3001", "orderId": "N1"},
        {"func_type": "3001", "orderId": SYSSN},
        {"func_type": "3002"},
    ]
    with pytest.raises(Refusal):
        await answering(Told("6002", {"respcd": "9013"}, "", "Not printed")).summary()
    with pytest.raises(Unreachable):
        await answering(Told("4005", {"respcd": "1145"})).summary()


def test_settings_that_cannot_be() -> None:
    for settings in ({"pos_key": "short"}, {"pos_key": POS_KEY, "form": "xml"}, {"pos_key": POS_KEY, "key_bytes": "x"}):
        with pytest.raises(ValueError, match=r"POS-KEY|not a valid"):
            Client(settings, Scripted(None))


async def test_what_a_client_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anytill.dialects.qfpay.client.REMEMBERED", 6)
    client = answering(lambda content: paid(syssn=f"S{content['out_trade_no']}", out_trade_no=content["out_trade_no"]))
    for nth in range(10):
        await client.pay(PayOrder(f"N{nth}", 100, currency="HKD", wallet=Wallet.WECHAT))
    assert len(client._payments) == 6
