"""Money as text, one strict parser for each notation (yuan with decimals, whole fen, yuan as a JSON number).

Python's own `int`, `Decimal` and `float` accept underscores, blanks, full-width digits, exponents and NaN, and binary
fractions lose fen (19.99 yuan becomes 1998 fen). So each notation has one regular expression of ASCII digits, and the
digits go straight into an integer. The largest amount any notation can write is below one hundred million yuan.
"""

from __future__ import annotations

import re

from anytill.wire.errors import BadField

_YUAN = re.compile(r"(0|[1-9][0-9]{0,7})(?:\.([0-9]{1,2}))?")
_FEN = re.compile(r"[1-9][0-9]{0,9}")

_YUAN_EXPECTED = "an amount in yuan above zero with at most two decimals"
_FEN_EXPECTED = "a whole number of fen above zero"
_NUMBER_EXPECTED = "a number of yuan with at most two decimals"


def parse_yuan(text: str, *, field: str = "amount") -> int:
    """Fen from yuan written as `0.01`, `1`, `1.5` or `1.50`; zero is refused. Raises BadField."""
    amount_fen = _fen_from_yuan(text)
    if not amount_fen:
        raise BadField(field, _YUAN_EXPECTED)
    return amount_fen


def parse_fen(text: str, *, field: str = "amount") -> int:
    """Fen written as a whole number without leading zeros; zero is refused. Raises BadField."""
    if not _FEN.fullmatch(text):
        raise BadField(field, _FEN_EXPECTED)
    return int(text)


def format_yuan(amount_fen: int) -> str:
    """Yuan with two decimals, as in `0.01`; a negative amount, as some vendors write refunds, keeps its sign."""
    yuan, fen = divmod(abs(amount_fen), 100)
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{yuan}.{fen:02d}"


def yuan_number(amount_fen: int) -> str:
    """The shortest JSON number for an amount in yuan: 1 gives `0.01`, 100 gives `1`, 110 gives `1.1`."""
    return format_yuan(amount_fen).rstrip("0").removesuffix(".") or "0"


def fen_from_number_text(text: str, *, field: str = "amount") -> int:
    """Fen from the literal text of a JSON number of yuan, zero included. Raises BadField."""
    amount_fen = _fen_from_yuan(text)
    if amount_fen is None:
        raise BadField(field, _NUMBER_EXPECTED)
    return amount_fen


def _fen_from_yuan(text: str) -> int | None:
    match = _YUAN.fullmatch(text)
    if match is None:
        return None
    yuan, decimals = match.groups()
    return int(yuan) * 100 + int((decimals or "").ljust(2, "0"))
