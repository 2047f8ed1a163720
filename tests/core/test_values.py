"""Ids, secrets, wallets and digests."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.errors import InvalidPayCode, Refusal, refusal_classes
from anytill.core.ids import BEIJING, IdMaker, NoNode, beijing, beijing_ms
from anytill.core.money import MAX_AMOUNT_FEN, is_amount
from anytill.core.payment import PayOrder, fingerprint
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of


@given(st.lists(st.integers(1_600_000_000_000, 1_900_000_000_000), min_size=1, max_size=50), st.integers(0, 999))
def test_ids_rise_and_never_repeat_whatever_the_clock_does(times: list[int], node: int) -> None:
    maker = granted(node)
    ids = [maker.make(at) for at in times for _ in range(3)]
    assert ids == sorted(set(ids))
    assert all(len(i) == 20 and i.isdigit() and i.endswith(f"{node:03d}") for i in ids)


def test_an_id_reads_as_beijing_time() -> None:
    at = beijing_ms(datetime(2026, 11, 21, 9, 5, 30, tzinfo=BEIJING))
    assert granted(7).make(at) == "12611210905300000007"
    assert beijing(at).isoformat() == "2026-11-21T09:05:30+08:00"


@pytest.mark.parametrize("node", [-1, 1_000])
def test_a_node_is_three_digits(node: int) -> None:
    with pytest.raises(ValueError, match="node"):
        granted(node)


def test_no_id_is_made_without_a_node_or_past_its_lease() -> None:
    maker = IdMaker()
    with pytest.raises(NoNode):
        maker.make(1)
    maker.grant(0, 100)
    maker.make(99)
    for now_ms in (100, 101):
        with pytest.raises(NoNode):
            maker.make(now_ms)
    maker.grant(0, 200)
    assert maker.make(100)


def granted(node: int) -> IdMaker:
    maker = IdMaker()
    maker.grant(node, 2_000_000_000_000)
    return maker


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("topsecret")
    for shown in (repr(secret), str(secret), f"{secret}", repr({"k": secret})):
        assert "topsecret" not in shown
    assert secret.reveal() == "topsecret"
    assert secret == Secret("topsecret")
    assert secret != Secret("other")
    assert not Secret("")
    assert "1300" not in repr(PayOrder("A", 1, pay_code=Secret("1300000000000000")))


@pytest.mark.parametrize(
    ("prefix", "wallet"),
    [
        *[(str(p), Wallet.WECHAT) for p in range(10, 16)],
        *[(str(p), Wallet.ALIPAY) for p in range(25, 31)],
        ("62", Wallet.UNIONPAY),
        ("91", Wallet.QQ),
        ("18", Wallet.JDPAY),
        ("51", Wallet.BESTPAY),
    ],
)
def test_a_code_names_its_wallet(prefix: str, wallet: Wallet) -> None:
    for length in (16, 18, 24):
        assert wallet_of(Secret(prefix.ljust(length, "0"))) is wallet


@pytest.mark.parametrize(
    "code", ["", "13", "1" * 15, "1" * 25, "16" + "0" * 16, "24" + "0" * 16, "13" + "０" * 16, "13000000000000000\n"]
)
def test_anything_else_is_no_code(code: str) -> None:
    with pytest.raises(InvalidPayCode):
        wallet_of(Secret(code))


@pytest.mark.parametrize(("value", "expected"), [(1, True), (0, False), (-1, False), (True, False), (1.0, False)])
def test_what_is_an_amount(value: object, expected: bool) -> None:
    assert is_amount(value) is expected
    assert is_amount(MAX_AMOUNT_FEN)
    assert not is_amount(MAX_AMOUNT_FEN + 1)


def test_every_part_of_an_order_is_in_its_digest() -> None:
    order = PayOrder("A", 1, pay_code=Secret("13"), details={"x": "1"})
    changes = {
        "order_no": "B",
        "amount_fen": 2,
        "subject": "s",
        "currency": "HKD",
        "pay_code": Secret("14"),
        "wallet": Wallet.QQ,
        "payer_id": "p",
        "attach": "a",
        "notice_url": "u",
        "expires_in_s": 9,
        "details": {"x": "2"},
    }
    digests = {order.digest("d"), order.digest("e")}
    digests |= {replace(order, **{name: value}).digest("d") for name, value in changes.items()}  # type: ignore[arg-type]
    assert len(digests) == 2 + len(changes)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_fingerprints_of_different_parts_differ(left: list[str], right: list[str]) -> None:
    assert (fingerprint(*left) == fingerprint(*right)) == (left == right)


def test_every_refusal_says_what_to_do() -> None:
    for refusal in refusal_classes():
        assert str(refusal()).endswith(".")
        assert ":" in str(refusal()), f"{refusal.__name__} does not say what to do"
    assert str(Refusal("own text")) == "own text"
