"""What a till gets wrong is told in the vendor's own words, names the field, and changes nothing anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

import pytest

from tests.acceptance.books import select
from tests.acceptance.harness import Demo, running
from tests.acceptance.semoor_till import OP, SemoorTill, activate, semoor_sign
from tests.acceptance.semoor_till import told as semoor_told
from tests.acceptance.tills import FORM, ChaoyingTill, TeegonTill, Told, Word, chaoying_sign, teegon_sign
from tests.acceptance.yst_till import XML, YstTill, children, document, encrypted, yst_sign

#: Full-width one, as an input method leaves it in the field.
AMOUNTS = ["1e3", "0", "-1", "0.001", "１", "1.", "+1", "0x10", " 1"]
CODE = "139999990000000000"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo for these tests alone: of what others began something may come at any moment."""
    gateway = Demo(tmp_path_factory.mktemp("faults"))
    with running(gateway):
        yield gateway


@pytest.fixture(autouse=True)
def nothing_changes(demo: Demo) -> Iterator[None]:
    """The wallet's book and our tables are the same afterwards."""
    before = (demo.totals(), rows(demo))
    yield
    assert (demo.totals(), rows(demo)) == before


def rows(demo: Demo) -> list[object]:
    """All payments and refunds."""
    tables = (("payment", "payment_id"), ("refund", "refund_id"))
    asked = (f"SELECT {number}, version FROM {table} ORDER BY {number}" for table, number in tables)  # noqa: S608
    return [row for each in asked for row in select(demo.store_url, each)]


class TestTeegon:
    """The failure form: HTTP 200, a text in `error`, an empty `result`."""

    @pytest.fixture
    def till(self, demo: Demo) -> TeegonTill:
        return demo.teegon()

    def refused(self, told: Told, *parts: str) -> None:
        assert (told.word, told.status) == (Word.REFUSED, 200)
        for part in parts:
            assert part in told.text

    def test_a_wrong_signature(self, till: TeegonTill) -> None:
        fields = till.pay_fields("BADT0001", "1.00", CODE)
        self.refused(till.send("/v1/charge/", {**fields, "sign": "0" * 32}), "sign")
        self.refused(till.send("/v1/charge/", fields), "sign")

    def test_a_field_that_was_changed_on_its_way(self, till: TeegonTill) -> None:
        fields = till.pay_fields("BADT0002", "1.00", CODE)
        fields["sign"] = teegon_sign(fields, till.secret)
        for name, value in (("amount", "0.01"), ("order_no", "BADT9999"), ("notify_url", "http://127.0.0.1:9/other")):
            self.refused(till.send("/v1/charge/", fields | {name: value}), "sign")
        self.refused(till.send("/v1/charge/", fields | {"device_id": "7"}), "sign")

    def test_an_unknown_till_hears_the_same_as_one_with_a_wrong_signature(self, till: TeegonTill) -> None:
        fields = till.pay_fields("BADT0003", "1.00", CODE)
        stranger = fields | {"client_id": "nobody000000000000000001"}
        unknown = till.charge(stranger)
        self.refused(unknown, "client_id")
        assert unknown == till.send("/v1/charge/", {**fields, "sign": "F" * 32})

    @pytest.mark.parametrize(
        "name", ["client_id", "notify_url", "order_no", "channel", "amount", "subject", "auth_code"]
    )
    def test_a_missing_field_is_named(self, till: TeegonTill, name: str) -> None:
        fields = till.pay_fields("BADT0004", "1.00", CODE)
        for value in (None, ""):
            sent = {key: text for key, text in fields.items() if key != name}
            self.refused(till.charge(sent if value is None else sent | {name: value}), name)

    @pytest.mark.parametrize("amount", [*AMOUNTS, "1.001", "01", "100000000"])
    def test_an_amount_that_is_none(self, till: TeegonTill, amount: str) -> None:
        self.refused(till.charge(till.pay_fields("BADT0005", amount, CODE)), "amount")

    def test_a_code_that_is_none(self, till: TeegonTill) -> None:
        for code in ("990000000000000000", "1300", "13000000000000000x"):
            self.refused(till.charge(till.pay_fields("BADT0006", "1.00", code)), "auth_code")

    def test_an_unknown_charge(self, till: TeegonTill) -> None:
        self.refused(till.query("10000000000000000000"), "charge_id")

    def test_a_notice_address_inside_our_network(self, till: TeegonTill) -> None:
        fields = till.pay_fields("BADT0007", "1.00", CODE) | {"notify_url": "http://10.1.2.3/notify"}
        self.refused(till.charge(fields), "notify_url")


class TestChaoying:
    """`state` FAIL with a code of the table and a text that says what to do."""

    @pytest.fixture
    def till(self, demo: Demo) -> ChaoyingTill:
        return demo.chaoying()

    def refused(self, told: Told, code: str, *parts: str) -> None:
        assert (told.word, told.code, told.status) == (Word.REFUSED, code, 200), told
        for part in parts:
            assert part in told.text

    def test_a_wrong_signature(self, till: ChaoyingTill) -> None:
        fields = till.pay_fields("BADC0001", "100", CODE)
        self.refused(till.send({**fields, "sign": "0" * 32}), "20002")
        self.refused(till.send(fields), "20002")

    def test_a_field_that_was_changed_on_its_way(self, till: ChaoyingTill) -> None:
        fields = till.pay_fields("BADC0002", "100", CODE)
        fields["sign"] = chaoying_sign(fields, till.key)
        for name, value in (("total_fee", "1"), ("out_trade_no", "BADC9999"), ("mch_id", "1"), ("attach", "x")):
            self.refused(till.send(fields | {name: value}), "20002")

    def test_an_unknown_agent_hears_the_same_as_one_with_a_wrong_signature(self, till: ChaoyingTill) -> None:
        fields = till.pay_fields("BADC0003", "100", CODE)
        unknown = till.call(fields | {"agent_id": "99999999999"})
        self.refused(unknown, "20002")
        assert unknown.text == till.send({**fields, "sign": "F" * 32}).text

    def test_a_merchant_that_is_not_this_agents(self, till: ChaoyingTill) -> None:
        self.refused(till.call(till.pay_fields("BADC0004", "100", CODE) | {"mch_id": "68500099"}), "20005", "mch_id")

    @pytest.mark.parametrize("name", ["pid", "version", "mch_id", "out_trade_no", "body", "total_fee", "auth_code"])
    def test_a_missing_field_is_named(self, till: ChaoyingTill, name: str) -> None:
        fields = till.pay_fields("BADC0005", "100", CODE)
        sent = {key: text for key, text in fields.items() if key != name}
        self.refused(till.call(sent), "20004", name)
        self.refused(till.call(sent | {name: ""}), "20004", name)

    @pytest.mark.parametrize("amount", [*AMOUNTS, "1.00", "01", "10000000000"])
    def test_an_amount_that_is_none(self, till: ChaoyingTill, amount: str) -> None:
        self.refused(till.call(till.pay_fields("BADC0006", amount, CODE)), "20004", "total_fee")

    def test_a_code_that_is_none(self, till: ChaoyingTill) -> None:
        for code in ("990000000000000000", "1300", "13000000000000000x"):
            self.refused(till.call(till.pay_fields("BADC0007", "100", code)), "20004")

    def test_unknown_numbers(self, till: ChaoyingTill) -> None:
        self.refused(till.query("NOSUCH01"), "20007")
        assert till.cancel("NOSUCH01").code == "20007"
        self.refused(till.refund("NOSUCH01", "NOSUCH01R", 100, 1), "20007")
        self.refused(till.query_refund("NOSUCH01R"), "20010")


class TestSemoor:
    """`ok` 0 without a `dm_id`, and a text in `info`."""

    @pytest.fixture(params=["POST", "GET"])
    def till(self, demo: Demo, request: pytest.FixtureRequest) -> SemoorTill:
        return demo.semoor(request.param)

    def refused(self, told: Told, *parts: str) -> None:
        assert (told.word, told.status) == (Word.REFUSED, 200), told
        for part in parts:
            assert part in told.text

    def test_a_wrong_signature(self, till: SemoorTill) -> None:
        fields = till.pay_fields("1.00", CODE, "BADS0001")
        self.refused(till.send({**fields, "sign": "0" * 40}), "设备")
        self.refused(till.send(fields), "设备")

    def test_a_field_that_was_changed_on_its_way(self, till: SemoorTill) -> None:
        fields = till.pay_fields("1.00", CODE, "BADS0002")
        fields["sign"] = semoor_sign(fields, till.key)
        for name, value in (("total", "0.01"), ("no", "BADS9999"), ("info", "other"), ("dic_amount", "0.99")):
            self.refused(till.send(fields | {name: value}), "设备")

    def test_a_text_that_hides_fields(self, till: SemoorTill) -> None:
        """Signed as `info=tea&infoaddo=x`, it could be read as two fields: refused, whichever was meant."""
        whole = till.pay_fields("1.00", CODE, "BADS0003", "tea&infoaddo=x&no=BADS9998")
        self.refused(till.call(whole), "&")

    def test_an_unknown_device_hears_the_same_as_one_with_a_wrong_signature(self, till: SemoorTill) -> None:
        fields = till.pay_fields("1.00", CODE, "BADS0004")
        unknown = till.call(fields | {"device_id": "999999"})
        self.refused(unknown)
        assert unknown == till.send({**fields, "sign": "F" * 40})

    @pytest.mark.parametrize("name", ["action", "authcode", "paytype", "total"])
    def test_a_missing_field_is_named(self, till: SemoorTill, name: str) -> None:
        fields = till.pay_fields("1.00", CODE, "BADS0005")
        sent = {key: text for key, text in fields.items() if key != name}
        self.refused(till.call(sent), name)
        self.refused(till.call(sent | {name: ""}), name)

    @pytest.mark.parametrize("total", [*AMOUNTS, "1.001", "01", "100000000"])
    def test_an_amount_that_is_none(self, till: SemoorTill, total: str) -> None:
        self.refused(till.call(till.pay_fields(total, CODE, "BADS0006")), "total")

    def test_a_code_that_is_none(self, till: SemoorTill) -> None:
        for code in ("990000000000000000", "1300", "13000000000000000x"):
            self.refused(till.call(till.pay_fields("1.00", code, "BADS0007")), "付款码")
        self.refused(till.call(till.pay_fields("1.00", CODE) | {"paytype": "alipay"}), "paytype")

    def test_fields_in_the_address_and_in_the_body(self, till: SemoorTill) -> None:
        fields = till.pay_fields("1.00", CODE, "BADS0008")
        both = urlencode({**fields, "sign": semoor_sign(fields, till.key)})
        self.refused(semoor_told(till.line.exchange("POST", f"{OP}?{both}", both.encode(), FORM)))
        self.refused(semoor_told(till.line.exchange("POST", OP, f"{both}&total=1.00".encode(), FORM)), "total")

    def test_unknown_numbers(self, till: SemoorTill) -> None:
        for told in (
            till.query("dm10000000000000000000"),
            till.query_lost(order_no="NOSUCH01"),
            till.query_lost(code=CODE),
            till.read("dm10000000000000000000"),
            till.refund("dm10000000000000000000", 1),
        ):
            self.refused(told, "账单不存在")
        answer = till.reprint("dm10000000000000000000")
        assert answer is not None
        assert b"\\x1b" not in answer[1]

    def test_an_activation_code_that_is_none(self, till: SemoorTill) -> None:
        assert activate(till.line, "99999999999999") == activate(till.line, "99999999999998")
        assert "secretkey" not in activate(till.line, "99999999999999")


class TestYst:
    """`result` N with a code; every answer, a refusal too, is encrypted and signed, which the till checks."""

    @pytest.fixture
    def till(self, demo: Demo) -> YstTill:
        return demo.yst()

    def refused(self, told: Told, code: str, *parts: str) -> None:
        assert (told.word, told.code, told.status) == (Word.REFUSED, code, 200), told
        for part in parts:
            assert part in told.text

    def data(self, till: YstTill, order_no: str, **changed: str) -> str:
        inner = {"request_type": "unitive_pay_request", "dsn": till.dsn}
        inner |= till.pay_fields(order_no, "100", CODE) | changed
        return encrypted(document("data", inner), till.private_key)

    def test_a_wrong_signature(self, till: YstTill) -> None:
        data = self.data(till, "BADY0001")
        for signature in ("0" * 32, till.dsn):
            self.refused(till.send_data("unitive_pay_request", data, signature=signature), "E10001")
        self.refused(till.send_data("unitive_pay_request", data, signature=""), "E10003", "signature")

    def test_what_was_changed_on_its_way(self, till: YstTill) -> None:
        data = self.data(till, "BADY0002")
        other = self.data(till, "BADY9999")
        sign = yst_sign(till.private_key, till.dsn, data)
        self.refused(till.send_data("unitive_pay_request", other, signature=sign), "E10001")
        swapped = f"{data[:32]}{other[32:]}"
        self.refused(till.send_data("unitive_pay_request", swapped, signature=sign), "E10001")
        assert till.send_data("unitive_refund_request", data).word is Word.REFUSED, "the two types must be the same"
        self.refused(till.send_data("unitive_pay_request", self.data(till, "BADY0003", dsn="0" * 32)), "E10003", "dsn")

    def test_an_unknown_account_hears_the_same_as_one_with_a_wrong_signature(self, till: YstTill) -> None:
        stranger = replace(till, account="nobody01")
        unknown = stranger.pay("BADY0004", 100, CODE)
        self.refused(unknown, "E10001")
        wrong = till.send_data("unitive_pay_request", self.data(till, "BADY0004"), signature="F" * 32)
        assert (unknown.code, unknown.text) == (wrong.code, wrong.text)
        self.refused(replace(till, password="another-1").pay("BADY0004", 100, CODE), "E10001")
        assert unknown.fields.get("trans_seq") is None

    @pytest.mark.parametrize("name", ["req_seq", "total_fee", "auth_code"])
    def test_a_missing_field_is_named(self, till: YstTill, name: str) -> None:
        fields = till.pay_fields("BADY0005", "100", CODE)
        sent = {key: text for key, text in fields.items() if key != name}
        self.refused(till.call(sent), "E10003", name)
        self.refused(till.call(sent | {name: ""}), "E10003", name)

    @pytest.mark.parametrize("amount", [*AMOUNTS, "1.00", "01", "10000000000"])
    def test_an_amount_that_is_none(self, till: YstTill, amount: str) -> None:
        self.refused(till.call(till.pay_fields("BADY0006", amount, CODE)), "E10003", "total_fee")

    def test_a_code_that_is_none(self, till: YstTill) -> None:
        for code in ("990000000000000000", "1300", "13000000000000000x"):
            assert till.pay("BADY0007", 100, code).word is Word.REFUSED

    def test_unknown_numbers(self, till: YstTill) -> None:
        self.refused(till.query("NOSUCH01"), "E11002")
        self.refused(till.query_native("NOSUCH01"), "E11002")
        self.refused(till.revoke("NOSUCH01"), "E11002")
        self.refused(till.refund("10000000000000000000", "NOSUCH01R", 1), "E11002")
        self.refused(till.query_refund("10000000000000000000", "NOSUCH01R"), "E13005")

    def test_documents_that_are_none(self, till: YstTill) -> None:
        """What cannot be read has no `dsn` to answer under, so the answer is one that anybody can read."""
        bomb = b'<!DOCTYPE r [<!ENTITY a "aaaa">]><request><account>&a;</account></request>'
        for body in (b"", b"<request>", bomb, b"<request/>", urlencode({"a": "b"}).encode(), b"\xff\xfe<request/>"):
            answer = till.line.exchange("POST", urlsplit(till.url).path, body, XML)
            assert answer is not None
            assert answer[0] == 200
            assert "E10003" in answer[1].decode() or children(answer[1], "response")


def test_a_repeated_number_with_other_content(demo: Demo, sold: tuple[TeegonTill, ChaoyingTill]) -> None:
    teegon, chaoying = sold
    for fen, code_of_one, code_of_other in (
        (101, "139999990000001000", "139999990000001500"),  # another amount
        (100, "139999990000001100", "139999990000001600"),  # another payer
    ):
        told = teegon.pay("SOLDT001", fen, code_of_one)
        assert (told.word, "order_no" in told.text) == (Word.REFUSED, True)
        told = chaoying.pay("SOLDC001", fen, code_of_other)
        assert (told.word, told.code, "out_trade_no" in told.text) == (Word.REFUSED, "20004", True)
    # The other till of the same merchant cannot take the number either.
    assert chaoying.pay("SOLDT001", 100, "139999990000001000").word is Word.REFUSED
    told = chaoying.refund("SOLDC001", "SOLDC001R", 100, 31)
    assert (told.word, told.code, "out_refund_no" in told.text) == (Word.REFUSED, "20008", True)


def test_the_very_same_again_is_answered_the_same(demo: Demo, sold: tuple[TeegonTill, ChaoyingTill]) -> None:
    teegon, chaoying = sold
    assert teegon.pay("SOLDT001", 100, "139999990000001000").word is Word.YES
    assert chaoying.pay("SOLDC001", 100, "139999990000001500").word is Word.YES
    assert chaoying.refund("SOLDC001", "SOLDC001R", 100, 30).word is Word.YES


def test_a_paid_code_pays_no_second_order(demo: Demo, sold: tuple[TeegonTill, ChaoyingTill]) -> None:
    teegon, chaoying = sold
    told = teegon.pay("SOLDT002", 100, "139999990000001000")
    assert (told.word, "auth_code" in told.text) == (Word.REFUSED, True)
    told = chaoying.pay("SOLDC002", 100, "139999990000001500")
    assert (told.word, told.code) == (Word.REFUSED, "20004")


@pytest.fixture(scope="module")
def sold(demo: Demo) -> tuple[TeegonTill, ChaoyingTill]:
    """Two tills with a paid order each, the second with a refund of thirty fen."""
    teegon, chaoying = demo.teegon(), demo.chaoying()
    steps: list[Callable[[], Told]] = [
        lambda: teegon.pay("SOLDT001", 100, "139999990000001000"),
        lambda: chaoying.pay("SOLDC001", 100, "139999990000001500"),
        lambda: chaoying.refund("SOLDC001", "SOLDC001R", 100, 30),
    ]
    assert [step().word for step in steps] == [Word.YES] * 3
    return teegon, chaoying
