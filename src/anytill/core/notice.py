"""A notice: the promise to tell a merchant that an order was paid, or that a refund was done, kept until the merchant
says it heard.

What the notice says is frozen with the fact it reports (`facts`); how it is written and signed is decided at each
try by the dialect, with the key that is then in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NoticeState(StrEnum):
    """Where a notice stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    WITHDRAWN = "WITHDRAWN"  # the payment was taken back before anybody heard that it was paid
    EXHAUSTED = "EXHAUSTED"  # the vendor's schedule is used up; shown, alarmed, and can be sent by hand


@dataclass(frozen=True, slots=True)
class Notice:
    """One event that one address must hear of: that the payment was made, or that a refund of it was done."""

    merchant_id: str
    notice_id: str
    payment_id: str
    dialect: str
    login: str
    url: str
    receiver: str = ""  # the host of the address: what is busy or dead is a host
    refund_id: str = ""  # of the refund that it is about; "": it is about the payment itself
    facts: Mapping[str, str] = field(default_factory=dict)
    state: NoticeState = NoticeState.PENDING
    tries: int = 0
    last_result: str = ""  # of the last try, for people: "HTTP 500", "timeout" …
    created_at_ms: int = 0
    due_at_ms: int | None = None
    version: int = 0
