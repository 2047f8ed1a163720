"""Requests over HTTP (section 7 of the source): six paths on the terminal's own port, POST, always status 200.

Path and `func_type` must say the same. Registers that run in a browser ask first whether they may: OPTIONS is answered
with 204 and leave for every origin, since what a request may do is for its digest to say and not for its origin.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from anytill.dialects.qfpay import answers, codec, words
from anytill.dialects.qfpay.codec import Reply
from anytill.dialects.qfpay.words import PATHS, FuncType, Word
from anytill.wire.http import JSON_UTF8, TEXT_UTF8, HttpRequest, HttpResponse

#: Every method reaches the terminal, which has a code for the wrong ones.
METHODS: Final = frozenset({"POST", "OPTIONS", "GET", "PUT", "PATCH", "DELETE"})
CORS: Final = (
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "POST, OPTIONS"),
    ("access-control-allow-headers", "content-type"),
    # Browsers ask this before a page from the internet may speak to a machine on the counter.
    ("access-control-allow-private-network", "true"),
    ("access-control-max-age", "86400"),
)
_CONTENT_TYPES: Final = {Reply.PLAIN: JSON_UTF8, Reply.AES: TEXT_UTF8}

#: Answers a body that came for this function, or for any, from this address.
Answer: TypeAlias = Callable[[bytes, FuncType | None, str], Awaitable[tuple[bytes, Reply]]]


async def handle(request: HttpRequest, answer: Answer) -> HttpResponse:
    """Answer one request."""
    if request.method == "OPTIONS":
        return HttpResponse(204, b"", TEXT_UTF8, CORS)
    func_type = PATHS.get(request.path)
    if func_type is None:
        return _in_the_open(words.NO_SUCH_PATH)
    if request.method != "POST":
        return _in_the_open(words.WRONG_METHOD)
    body, reply = await answer(request.body, func_type, request.peer)
    return HttpResponse(200, body, _CONTENT_TYPES[reply], CORS)


def system_error(_request: HttpRequest) -> HttpResponse:
    """What is answered when the fault is ours and nothing better can be said. Money may have moved."""
    return _in_the_open(words.SYSTEM_ERROR)


def _in_the_open(word: Word) -> HttpResponse:
    return HttpResponse(200, codec.plain_answer(answers.told(word)), JSON_UTF8, CORS)
