"""Money is an integer number of the currency's smallest unit (fen, cents), and its currency.

No float ever holds an amount. Texts such as "0.01" become integers in a codec, once (`wire.amounts`); from there on
only integers travel. This module says which integers are amounts at all.
"""

from __future__ import annotations

CNY = "CNY"
HKD = "HKD"
#: What a merchant can keep its book in; each has a hundred of its smallest unit.
CURRENCIES = (CNY, HKD)

#: Ten digits is the widest amount any of the vendors' formats can carry (99,999,999.99).
MAX_AMOUNT_FEN = 9_999_999_999


def is_amount(fen: object) -> bool:
    """True for an integer that may be asked, paid or given back: 1 … MAX_AMOUNT_FEN. A bool is not an amount."""
    return type(fen) is int and 0 < fen <= MAX_AMOUNT_FEN


def coupon_of_a_tenth(amount_fen: int) -> int:
    """One tenth of the amount, rounded down to a fen."""
    return amount_fen // 10
