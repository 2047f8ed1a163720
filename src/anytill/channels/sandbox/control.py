"""The sandbox's control calls over HTTP, for demo mode: the clock, the payer's hand, the wallet's own book.

    POST /sandbox/clock   {"advance_s": 60}              moves the clock on
    GET  /sandbox/clock
    POST /sandbox/pay     {"merchant_order": "A-1"}      the payer confirms; or {"channel_order": "1…"}
    POST /sandbox/cancel  {"merchant_order": "A-1"}      the payer turns away
    GET  /sandbox/book?merchant_order=A-1                or ?channel_order=…
    GET  /sandbox/totals                                 sums in yuan, those of other currencies under their names
    GET  /sandbox/sms?mobile=13800000000                 short messages, the newest first; without mobile, all

A body is a JSON object or a form. Errors are `{"error": "...", "field": "..."}` with 400 (the request), 404 (no such
order or path), 405 (method), 409 (the order does not wait), 503 (the book cannot be written: try again).
These calls are for demo mode alone: whoever reaches them can move the clock and decide for every payer.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from anytill.channels.sandbox.channel import NoSuchOrder, SandboxChannel
from anytill.channels.sandbox.outbox import Outbox
from anytill.channels.sandbox.wallet import NotWaiting
from anytill.core.ids import beijing
from anytill.ports import Clock
from anytill.wire.errors import BadField, MissingField, WireError
from anytill.wire.form import decode_form, decode_query
from anytill.wire.http import JSON_UTF8, HttpRequest, HttpResponse, json
from anytill.wire.jsontext import Json, Number, decode, encode

MAX_ADVANCE_S = 31_536_000
#: All moves together: beyond it calendars end before the wallet does.
MAX_OFFSET_S = 100 * MAX_ADVANCE_S

_WHOLE = re.compile(r"[1-9][0-9]{0,7}")
_LONGEST_NUMBER = 128
_ADVANCE_EXPECTED = f"a whole number from 1 to {MAX_ADVANCE_S}"


class SandboxControl:
    """A handler for the paths in `PATHS`. `advance` moves the clock on by milliseconds."""

    PATHS = ("/sandbox/clock", "/sandbox/pay", "/sandbox/cancel", "/sandbox/book", "/sandbox/totals", "/sandbox/sms")

    def __init__(
        self, channel: SandboxChannel, clock: Clock, advance: Callable[[int], None], outbox: Outbox | None = None
    ) -> None:
        self._channel = channel
        self._clock = clock
        self._advance = advance
        self._outbox = outbox or Outbox(clock)
        self._calls: Mapping[str, Mapping[str, Callable[[HttpRequest], Awaitable[Json]]]] = {
            "/sandbox/clock": {"GET": self._clock_now, "POST": self._move_clock},
            "/sandbox/pay": {"POST": self._pay},
            "/sandbox/cancel": {"POST": self._cancel},
            "/sandbox/book": {"GET": self._book},
            "/sandbox/totals": {"GET": self._totals},
            "/sandbox/sms": {"GET": self._sms},
        }

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; only a bug raises."""
        methods = self._calls.get(request.path)
        if methods is None:
            return _error(404, "there is no such control call")
        call = methods.get(request.method)
        if call is None:
            allowed = ", ".join(methods)
            return HttpResponse(405, _error_body(f"use {allowed}"), JSON_UTF8, (("allow", allowed),))
        try:
            return json(encode(await call(request)))
        except WireError as fault:
            return _error(400, fault.text, fault.field)
        except NoSuchOrder as fault:
            return _error(404, str(fault))
        except NotWaiting as fault:
            return _error(409, str(fault))
        except OSError:
            return _error(503, "the sandbox's book cannot be written: try again")

    async def _clock_now(self, _request: HttpRequest) -> Json:
        now_ms = self._clock.now_ms()
        return {
            "now_ms": now_ms,
            "now": beijing(now_ms).isoformat(timespec="milliseconds"),
            "offset_s": self._channel.offset_ms // 1_000,
        }

    async def _move_clock(self, request: HttpRequest) -> Json:
        fields = _body(request, {"advance_s"})
        advance_s = _whole(fields, "advance_s")
        if self._channel.offset_ms // 1_000 + advance_s > MAX_OFFSET_S:
            raise BadField("advance_s", f"less: the clock goes no further than {MAX_OFFSET_S} s ahead")
        # Kept before the clock moves: after a crash it may be ahead of what was told, never behind.
        await self._channel.move_clock(advance_s * 1_000)
        self._advance(advance_s * 1_000)
        return await self._clock_now(request)

    async def _pay(self, request: HttpRequest) -> Json:
        merchant_order, channel_order = _order_number(_body(request, {"merchant_order", "channel_order"}))
        return await self._channel.payer_pays(merchant_order=merchant_order, channel_order=channel_order)

    async def _cancel(self, request: HttpRequest) -> Json:
        merchant_order, channel_order = _order_number(_body(request, {"merchant_order", "channel_order"}))
        return await self._channel.payer_declines(merchant_order=merchant_order, channel_order=channel_order)

    async def _book(self, request: HttpRequest) -> Json:
        fields: dict[str, Json] = {**decode_query(request.query)}
        _refuse_unknown(fields, {"merchant_order", "channel_order"})
        merchant_order, channel_order = _order_number(fields)
        rows = await self._channel.statement(merchant_order=merchant_order, channel_order=channel_order)
        return {"orders": list(rows)}

    async def _totals(self, _request: HttpRequest) -> Json:
        return await self._channel.totals()

    async def _sms(self, request: HttpRequest) -> Json:
        fields = decode_query(request.query)
        _refuse_unknown(fields, {"mobile"})
        messages: list[Json] = [
            {"at_ms": each.at_ms, "mobile": each.mobile, "text": each.text}
            for each in self._outbox.to(fields.get("mobile", ""))
        ]
        return {"messages": messages}


def _body(request: HttpRequest, known: set[str]) -> dict[str, Json]:
    """The members of a JSON body, or the fields of a form. Raises WireError, also for a field nobody knows."""
    # By its first byte, not by its media type: `curl -d '{…}'` claims to send a form.
    if request.body.lstrip()[:1] == b"{":
        fields = decode(request.body)
    else:
        fields = {**decode_form(request.body)}
        advance_s = fields.get("advance_s")
        # A form has no types: there alone a text may stand for a number.
        if isinstance(advance_s, str) and _WHOLE.fullmatch(advance_s):
            fields["advance_s"] = Number(advance_s)
    _refuse_unknown(fields, known)
    return fields


def _refuse_unknown(fields: Mapping[str, object], known: set[str]) -> None:
    for name in fields:
        if name not in known:
            raise BadField(name, f"left out; known here: {', '.join(sorted(known))}")


def _whole(fields: Mapping[str, Json], name: str) -> int:
    value = fields.get(name)
    if value is None:
        raise MissingField(name)
    if not isinstance(value, Number) or not _WHOLE.fullmatch(value) or int(value) > MAX_ADVANCE_S:
        raise BadField(name, _ADVANCE_EXPECTED)
    return int(value)


def _order_number(fields: Mapping[str, Json]) -> tuple[str, str]:
    """The merchant's number and the channel's: one is given, the other empty."""
    given = [name for name in ("merchant_order", "channel_order") if fields.get(name) is not None]
    if not given:
        raise MissingField("merchant_order")
    if len(given) > 1:
        raise BadField("channel_order", "left out when merchant_order is given")
    value = fields[given[0]]
    if not isinstance(value, str) or isinstance(value, Number) or not 0 < len(value) <= _LONGEST_NUMBER:
        raise BadField(given[0], f"a text of 1 to {_LONGEST_NUMBER} characters")
    return (value, "") if given[0] == "merchant_order" else ("", value)


def _error(status: int, text: str, field: str | None = None) -> HttpResponse:
    return json(_error_body(text, field), status=status)


def _error_body(text: str, field: str | None = None) -> bytes:
    body: dict[str, Json] = {"error": text}
    if field is not None:
        body["field"] = field
    return encode(body)
