"""What a till gets wrong is told in the vendor's own words, names the field, and changes nothing anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.books import select
from tests.acceptance.harness import Demo
from tests.acceptance.tills import ChaoyingTill, TeegonTill, Told, Word, chaoying_sign, teegon_sign

#: Full-width one, as an input method leaves it in the field.
AMOUNTS = ["1e3", "0", "-1", "0.001", "１", "1.", "+1", "0x10", " 1"]
CODE = "139999990000000000"


@pytest.fixture(autouse=True)
def nothing_changes(demo: Demo) -> Iterator[None]:
    """The wallet's book and our tables are the same afterwards."""
    before = (demo.totals(), rows(demo))
    yield
    assert (demo.totals(), rows(demo)) == before


def rows(demo: Demo) -> list[object]:
    """All payments and refunds that have ended, so that work that is under way for other tests does not count."""
    ended = "SELECT payment_id, version FROM payment WHERE due_at_ms IS NULL ORDER BY payment_id"
    counts = "SELECT (SELECT COUNT(*) FROM payment) AS payments, (SELECT COUNT(*) FROM refund) AS refunds"
    return [*select(demo.store_url, ended), *select(demo.store_url, counts)]


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
