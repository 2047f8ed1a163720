"""Errors say which field and what was expected."""

import pytest

from anytill.wire.errors import (
    Ambiguous,
    BadField,
    BadSignature,
    Malformed,
    MissingField,
    TooLarge,
    WireError,
)


@pytest.mark.parametrize(
    ("error", "field", "text"),
    [
        (Malformed("not a form"), None, "not a form"),
        (Malformed("a field occurs twice", field="amount"), "amount", "a field occurs twice"),
        (MissingField("amount"), "amount", "amount is required"),
        (BadField("amount", "above zero"), "amount", "amount must be above zero"),
        (BadSignature(), None, "the signature does not match"),
        (TooLarge("more than 2 fields"), None, "more than 2 fields"),
        (Ambiguous(), None, "the signed text can be read in more than one way"),
    ],
)
def test_an_error_carries_its_field_and_its_text(error: WireError, field: str | None, text: str) -> None:
    assert (error.field, error.text, str(error)) == (field, text, text)
