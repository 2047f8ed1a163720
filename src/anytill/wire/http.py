"""One HTTP exchange as two values.

The web framework is met in a single file of `transports`; everything else is a function from `HttpRequest` to
`HttpResponse` and needs no server to be tested. Bodies are bytes: what they mean is a codec's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TEXT_UTF8 = "text/plain; charset=utf-8"
JSON_UTF8 = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request whose body has been read whole, within the transport's limits.

    `path` and `query` are as sent, still percent-encoded; `query` has no question mark. Header names are in lower
    case. `peer` is the address of the other end as text, for limits and logs.
    """

    method: str
    path: str
    # A query string and a body may hold payment codes and signatures: neither is ever part of a repr.
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    peer: str

    @property
    def media_type(self) -> str:
        """The content type in lower case without its parameters, or an empty text."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, complete: the transport adds only the length and the connection's own headers."""

    status: int
    body: bytes = field(repr=False)
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


def text(body: str, *, status: int = 200) -> HttpResponse:
    """A plain text answer in UTF-8."""
    return HttpResponse(status, body.encode(), TEXT_UTF8)


def json(body: bytes, *, status: int = 200) -> HttpResponse:
    """An answer of JSON bytes that are already encoded."""
    return HttpResponse(status, body, JSON_UTF8)
