"""What may be shown of things that must not be shown (first six and last two of a payment code, nothing of a key)."""

from __future__ import annotations

_KEPT_AT_START = 6
_KEPT_AT_END = 2
_SHORTEST_PARTLY_SHOWN = 16
_MASKED = "********"


def mask_code(code: str) -> str:
    """Hide the middle of a payment code: `130258282169498444` becomes `130258**********44`.

    Payment codes have 16 digits or more; anything shorter is hidden whole, so that little is given away of a text
    that is no payment code.
    """
    if len(code) < _SHORTEST_PARTLY_SHOWN:
        return "*" * len(code)
    hidden = len(code) - _KEPT_AT_START - _KEPT_AT_END
    return code[:_KEPT_AT_START] + "*" * hidden + code[-_KEPT_AT_END:]


def mask_secret(secret: str) -> str:
    """Hide a secret whole, its length included; an empty one stays empty so that a missing key can be seen."""
    return _MASKED if secret else ""
