"""A text that must not be seen: keys, secrets and payers' codes.

The type exists so that a log line, a traceback or an f-string that happens to hold one shows a mask instead of the
text. `reveal` is the only way back, and its name is easy to search for.
"""

from __future__ import annotations

import hmac


class Secret:
    """A text whose `repr` and `str` are masked; equal to another Secret of the same text, in constant time."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for signing and ciphering only."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))
