"""HTTP coming in: with `http_connection` the only file that knows uvicorn, and the only one that knows ASGI.

Strategy: a plain ASGI application with a router that is a dictionary lookup or two; a request is read whole within
limits, then handed over as a value; the answer is a value. Whatever is refused here is refused before anybody could
have acted on it: too many at once, no such path, too large, too slow, packed. A handler that raises is our bug: it is
told to the watch without a word of the request, and answered as the route says.

A client that goes away does not stop its handler: the payment is being made, and the next query must find its end.

How much may come is limited here, how long it may take and how many connections there may be in `http_connection`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import uvicorn

from anytill.ports import Watch
from anytill.transports.faults import fault_fields
from anytill.transports.http_connection import ConnectionLimits, Guard, GuardedProtocol
from anytill.wire.http import HttpRequest, HttpResponse, text

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]

_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 30
_GRACE_S: Final = 30
_LONGEST_LENGTH: Final = 12  # digits of a content-length; what has more is too large whatever the limit

_Scope = Mapping[str, Any]
_Receive = Callable[[], Awaitable[Mapping[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one path, which is compared as sent, still percent-encoded. With `prefix` the path ends in a slash,
    and stands for all that add one name to it.

    `on_error` makes the answer when the handler raised; without it the answer is a plain 500. `max_body_bytes`
    replaces the application's limit. A route for GET also answers HEAD.
    """

    method: str
    path: str
    ignore_case: bool = False
    max_body_bytes: int | None = None
    on_error: Callable[[HttpRequest], HttpResponse] | None = None
    prefix: bool = False

    def __post_init__(self) -> None:
        if self.prefix and not self.path.endswith("/"):
            raise ValueError("what a name is added to ends in a slash")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much the application takes."""

    max_body_bytes: int = 64 * 1024
    max_in_flight: int = 2_000


class _Refused(Exception):
    """The request is not handed to its handler; `answer` says why."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _Gone(Exception):
    """The client went away before its request was complete."""


class Application:
    """A raw ASGI application: router, limits, and the one wrapper around every handler."""

    def __init__(
        self,
        routes: Iterable[tuple[Route, Handler]],
        *,
        watch: Watch,
        limits: RequestLimits | None = None,
    ) -> None:
        """Raises ValueError when two routes claim the same method and path."""
        self._watch = watch
        self._limits = limits or RequestLimits()
        self._exact: dict[str, dict[str, tuple[Route, Handler]]] = {}  # path -> method
        self._any_case: dict[str, dict[str, tuple[Route, Handler]]] = {}
        self._exact_prefix: dict[str, dict[str, tuple[Route, Handler]]] = {}
        self._any_case_prefix: dict[str, dict[str, tuple[Route, Handler]]] = {}
        self._in_flight = 0
        for route, handler in routes:
            exact, any_case = (
                (self._exact_prefix, self._any_case_prefix) if route.prefix else (self._exact, self._any_case)
            )
            table, path = (any_case, route.path.lower()) if route.ignore_case else (exact, route.path)
            by_method = table.setdefault(path, {})
            if route.method in by_method:
                raise ValueError(f"two routes for {route.method} {route.path}")
            by_method[route.method] = (route, handler)

    @property
    def in_flight(self) -> int:
        """Requests being read or handled now."""
        return self._in_flight

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """The ASGI entry point."""
        assert scope["type"] == "http", "started without lifespan and websockets"
        if self._in_flight >= self._limits.max_in_flight:
            self._watch.note("http busy")
            await _answer(send, text("busy\n", status=503), close=True)
            return
        self._in_flight += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self._in_flight -= 1

    async def _serve(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        try:
            route, handler = self._find(scope["method"], _raw_path(scope))
            request = await self._read(scope, receive, route)
        except _Refused as refused:
            self._watch.note("http refused", status=refused.answer.status)
            # What is left of the body would otherwise be read for nothing.
            await _answer(send, refused.answer, close=True)
        except _Gone:
            self._watch.note("http client gone")
        else:
            await _answer(send, await self._handle(route, handler, request))

    def _find(self, method: str, path: str) -> tuple[Route, Handler]:
        found = self._at(method, path)
        if found is None and method == "HEAD":
            found = self._at("GET", path)
        if found is not None:
            return found
        allowed = self._methods_at(path)
        if not allowed:
            raise _Refused(text("not found\n", status=404))
        allow = (("allow", ", ".join(allowed)),)
        if method == "OPTIONS":
            raise _Refused(HttpResponse(204, b"", "", allow))
        raise _Refused(HttpResponse(405, b"method not allowed\n", "text/plain; charset=utf-8", allow))

    def _at(self, method: str, path: str) -> tuple[Route, Handler] | None:
        for by_method in self._tables_at(path):
            if method in by_method:
                return by_method[method]
        return None

    def _tables_at(self, path: str) -> Iterator[Mapping[str, tuple[Route, Handler]]]:
        """What there is at this path, method by method, the closest first."""
        yield self._exact.get(path, {})
        yield self._any_case.get(path.lower(), {})
        parent = path[: path.rfind("/") + 1]
        if parent != path:
            yield self._exact_prefix.get(parent, {})
            yield self._any_case_prefix.get(parent.lower(), {})

    def _methods_at(self, path: str) -> list[str]:
        methods = {method for by_method in self._tables_at(path) for method in by_method}
        if methods:
            methods.add("OPTIONS")
        if "GET" in methods:
            methods.add("HEAD")
        return sorted(methods)

    async def _read(self, scope: _Scope, receive: _Receive, route: Route) -> HttpRequest:
        headers = _headers(scope["headers"])
        try:
            query = scope["query_string"].decode()
        except UnicodeDecodeError:
            raise _Refused(text("the query is not UTF-8\n", status=400)) from None
        body = b""
        if "content-length" in headers or "transfer-encoding" in headers:
            limit = self._limits.max_body_bytes if route.max_body_bytes is None else route.max_body_bytes
            _check_announced(headers, limit)
            body = await _read_body(receive, limit)
        peer = scope["client"]
        return HttpRequest(scope["method"], _raw_path(scope), query, headers, body, peer[0] if peer else "")

    async def _handle(self, route: Route, handler: Handler, request: HttpRequest) -> HttpResponse:
        try:
            return await handler(request)
        except Exception as fault:  # noqa: BLE001 - the one wrapper: our bug, told to a person and answered
            self._watch.alarm("bug", route=f"{route.method} {route.path}", **fault_fields(fault))
        if route.on_error is not None:
            try:
                return route.on_error(request)
            except Exception as fault:  # noqa: BLE001 - and so is a bug in the answer to a bug
                self._watch.alarm("bug", route=f"{route.method} {route.path}", **fault_fields(fault))
        return text("internal error\n", status=500)


async def serve(
    app: Application,
    host: str,
    port: int,
    *,
    started: Callable[[int], Awaitable[None] | None],
    stop: asyncio.Event,
    limits: ConnectionLimits | None = None,
    grace_s: int = _GRACE_S,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until `stop` is set; then accept nothing more and return when the requests in flight are answered.

    `started` hears the real port once connections are accepted; port 0 takes a free one. After `grace_s` handlers that
    still run are cancelled, which must be as safe as a crash. With `tls` it is https. Signals are the caller's. Raises
    OSError when the address cannot be had.
    """
    listener = _listen(host, port)
    guard = Guard(limits or ConnectionLimits())
    config = uvicorn.Config(
        app,
        # The class takes one argument more than uvicorn gives.
        http=cast("type[asyncio.Protocol]", functools.partial(GuardedProtocol, guard)),
        loop="none", ws="none", lifespan="off", interface="asgi3",
        log_config=None, log_level="critical", access_log=False, server_header=False, proxy_headers=False,
        backlog=_BACKLOG, timeout_keep_alive=_KEEP_ALIVE_S, timeout_graceful_shutdown=grace_s,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )  # fmt: skip
    server = _Server(config)
    watcher = asyncio.ensure_future(_stop_with(stop, server))
    try:
        await server.serve_on(listener, started)
    finally:
        watcher.cancel()
        listener.close()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop where there is one, for `asyncio.Runner(loop_factory=...)`."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone and tells when it accepts."""

    _announce: Callable[[], Awaitable[None]]

    async def serve_on(self, listener: socket.socket, started: Callable[[int], Awaitable[None] | None]) -> None:
        async def announce() -> None:
            told = started(listener.getsockname()[1])
            if inspect.isawaitable(told):
                await told

        self._announce = announce
        try:
            await self.serve(sockets=[listener])
        finally:
            for each in getattr(self, "servers", ()):
                each.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop_with(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def _raw_path(scope: _Scope) -> str:
    return cast("bytes", scope["raw_path"]).decode("ascii")


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    headers = dict(pairs)
    if len(headers) != len(pairs):
        # One list, as RFC 9110 5.3 has it. Where only one value makes sense, two make none, as they should.
        headers = {}
        for name, value in pairs:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _check_announced(headers: Mapping[str, str], limit: int) -> None:
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _Refused(text("packed bodies are not accepted\n", status=415))
    length = headers.get("content-length", "0")
    if len(length) > _LONGEST_LENGTH or (length.isdecimal() and int(length) > limit):
        raise _Refused(text("the body is too large\n", status=413))


async def _read_body(receive: _Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False) and len(message["body"]) <= limit:
        return cast("bytes", message["body"])
    body = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > limit:
            raise _Refused(text("the body is too large\n", status=413))
        if not message.get("more_body", False):
            return bytes(body)
        message = await receive()


async def _answer(send: _Send, answer: HttpResponse, *, close: bool = False) -> None:
    headers = [(b"content-length", b"%d" % len(answer.body))] if answer.status not in {204, 304} else []
    if answer.content_type:
        headers.append((b"content-type", answer.content_type.encode("latin-1")))
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
