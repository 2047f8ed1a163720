"""A changed copy is what `dataclasses.replace` makes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund
from anytill.core.records import changed
from anytill.core.wallet import Wallet

PAYMENT = Payment(
    merchant_id="1001",
    payment_id="12611180000000000001",
    order_no="T1",
    method=Method.BARCODE,
    wallet=Wallet.WECHAT,
    state=PaymentState.SUBMITTED,
    amount_fen=1234,
    details={"device_id": "7"},
)
REFUND = Refund("1001", "2", "R1", "1", "T1", RefundState.SUBMITTED, 500)

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(PaymentState),
        "paid_fen": st.integers(0, 10**9),
        "due_at_ms": st.none() | st.integers(0),
        "reason": st.text(),
        "details": st.dictionaries(st.text(), st.text()),
        "version": st.integers(0),
    },
)


@given(CHANGES)
def test_a_changed_copy_is_a_replaced_one(changes: Mapping[str, Any]) -> None:
    before = replace(PAYMENT)
    after = changed(PAYMENT, **changes)
    assert after == replace(PAYMENT, **changes)
    assert type(after) is Payment
    assert before == PAYMENT


def test_each_class_has_fields_of_its_own() -> None:
    assert changed(REFUND, state=RefundState.DONE, refunded_fen=500) == replace(
        REFUND, state=RefundState.DONE, refunded_fen=500
    )
    assert changed(PAYMENT, version=3).version == 3


def test_a_copy_is_as_frozen_as_the_original() -> None:
    with pytest.raises(AttributeError):
        changed(PAYMENT, version=1).version = 2  # type: ignore[misc]


def test_a_name_that_is_no_field_is_refused() -> None:
    with pytest.raises(KeyError):
        changed(PAYMENT, colour="red")  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Even:
    """A class that looks at what it holds."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("odd")


def test_a_class_that_looks_at_what_it_holds_is_refused() -> None:
    with pytest.raises(TypeError):
        changed(Even(2), number=3)
