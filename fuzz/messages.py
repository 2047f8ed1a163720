"""A message as the fuzzer sees it: a request, a notice or an answer, as bytes that can be changed, kept and sent again.

An answer has a status and no address; apart from that all three are alike, so one set of changes serves them all.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from anytill.wire.http import HttpRequest, HttpResponse

PEER: Final = "127.0.0.1"
#: The transport hands over headers as text of these bytes and a path and a query of ASCII; more cannot reach a dialect.
_HEADER_BYTES: Final = "latin-1"


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP exchange's half. `query` is bytes here, because it is changed as bodies are."""

    body: bytes
    content_type: str = ""
    method: str = "POST"
    path: str = ""
    query: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # but for the content type
    status: int = 200  # of an answer

    def request(self) -> HttpRequest:
        """As a dialect's server or a merchant's ear gets it."""
        headers = dict(self.headers)
        if self.content_type:
            headers["content-type"] = self.content_type
        query = self.query.decode(_HEADER_BYTES)
        return HttpRequest(self.method, self.path, query, headers, self.body, PEER)

    def response(self) -> HttpResponse:
        """As a dialect's client gets it."""
        return HttpResponse(self.status, self.body, self.content_type)

    def as_json(self) -> dict[str, Any]:
        """For a file: bytes as base64, and as text for people."""
        return {
            "method": self.method,
            "path": self.path,
            "query": b64encode(self.query).decode(),
            "content_type": self.content_type,
            "headers": dict(self.headers),
            "status": self.status,
            "body": b64encode(self.body).decode(),
            "shown": f"{self.query!r} {self.body!r}",
        }


def of_request(request: HttpRequest) -> Message:
    """A client's request."""
    headers = {name: value for name, value in request.headers.items() if name != "content-type"}
    content_type = request.headers.get("content-type", "")
    query = request.query.encode(_HEADER_BYTES)
    return Message(request.body, content_type, request.method, request.path, query, headers)


def of_response(response: HttpResponse) -> Message:
    """A server's answer."""
    return Message(response.body, response.content_type, status=response.status)


def of_json(kept: Mapping[str, Any]) -> Message:
    """What `as_json` wrote."""
    return Message(
        body=b64decode(kept["body"]),
        content_type=kept["content_type"],
        method=kept["method"],
        path=kept["path"],
        query=b64decode(kept["query"]),
        headers=kept["headers"],
        status=kept["status"],
    )
