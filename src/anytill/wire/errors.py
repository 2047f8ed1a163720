"""What can be wrong with somebody else's bytes.

One root class, so that a caller who only wants to answer "your message is bad" needs one `except`; one child for each
thing a dialect may want to answer differently. A message says which field and what was expected there, never the value
itself and never a secret: these texts end up in logs and in answers.
"""

from __future__ import annotations


class WireError(Exception):
    """Bytes from outside that cannot be accepted; `field` names the culprit where there is a single one."""

    def __init__(self, text: str, *, field: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.field = field


class Malformed(WireError):
    """The bytes cannot be read as what they claim to be."""


class MissingField(WireError):
    """A field that must be there is not."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is required", field=field)


class BadField(WireError):
    """A field is there, but its value is not one of those allowed."""

    field: str

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field} must be {expected}", field=field)


class BadSignature(WireError):
    """The signature is absent, of another key, or of another text."""

    def __init__(self, text: str = "the signature does not match") -> None:
        super().__init__(text)


class TooLarge(WireError):
    """Longer, deeper or more numerous than the limits allow."""


class Ambiguous(WireError):
    """The signed text has a second reading, so the signature does not say which of the two was meant."""

    def __init__(self, text: str = "the signed text can be read in more than one way") -> None:
        super().__init__(text)
