"""What goes out and comes back: a client's question, a notice to a merchant, a short message to a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Payment, Refund
from anytill.wire.http import HttpRequest, HttpResponse


class Unreachable(Exception):
    """No answer came: it could not be sent, or nothing readable came back. It may have arrived all the same."""


class NeverSent(Unreachable):
    """No connection could be made, so nothing has gone out."""


class Send(Protocol):
    """How a client reaches its server: one origin, known to whoever made this."""

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer. Raises Unreachable."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice as it goes out."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)  # the vendor's own, such as a signature over the body


class Post(Protocol):
    """How notices go out, to addresses that merchants name. The address is checked again when it is connected."""

    async def __call__(self, url: str, letter: Letter, timeout_ms: int) -> HttpResponse:
        """The answer, its body cut at 4 KiB; redirects are not followed. Raises Unreachable."""


class Sms(Protocol):
    """How a short message reaches a person."""

    async def __call__(self, mobile: str, text: str) -> None:
        """Hand it over. Raises Unreachable when it may not have been taken."""


class NoticeForm(Protocol):
    """How a dialect tells a merchant that an order was paid, and, where the vendor does, that a refund was done."""

    @property
    def delays_ms(self) -> Sequence[int]:
        """How long to wait before each try; as many tries as there are delays."""

    @property
    def timeout_ms(self) -> int:
        """How long the merchant may take to acknowledge."""

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """What the notice of a payment will say, frozen when it is written."""

    @property
    def refund_facts(self) -> Callable[[Payment, Refund], Mapping[str, str]] | None:
        """The same for the notice of a refund that is done; None where the vendor tells of payments only. The payment's
        sums may have moved on: they are not told."""

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """The notice as it goes out now, signed with the credential's key of the moment, or with the one that the
        vendor keeps for notices alone: then it is the credential's password."""

    def acknowledged(self, response: HttpResponse) -> bool:
        """True when the merchant says it heard."""
