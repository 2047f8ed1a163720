"""HTTP going out: to servers the operator named (`ports.Send`) and to addresses merchants named (`ports.Post`).

Strategy: the connection layer (httpcore2) is used without the client on top of it. So the target goes out byte for byte
as it was signed, nothing follows redirects, nothing reads proxies from the environment, nothing unpacks answers, and
nothing is ever sent twice: a payment that was sent again by a library would be a second payment.

The receiver of a notice is chosen by somebody we do not trust. Its address is checked as text, the name is resolved
once, every address it resolves to is checked as a number, and the connection is made to one of exactly those, while
the Host header and the certificate stay those of the name. One bad address among good ones refuses all: a name that
points both outside and inside is not an honest name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore2

from anytill.ports import Letter, NeverSent, Unreachable
from anytill.wire.addresses import address_allowed, check_url
from anytill.wire.errors import WireError
from anytill.wire.http import HttpRequest, HttpResponse

_SEND_MOST_BYTES: Final = 1024 * 1024
_POST_MOST_BYTES: Final = 4 * 1024
_POSTS_PER_HOST: Final = 8
_CONNECTIONS: Final = 100
_KEPT_ALIVE_S: Final = 20.0
_MOST_ADDRESSES: Final = 4
# A name server that never answers holds a thread long after the post has given up; the pool is wide so that others
# still get theirs, and apart from the event loop's own so that nothing else waits for it.
_RESOLVER_THREADS: Final = 32

# Set here and nowhere else, or belonging to one connection and not to the message.
_OWN_HEADERS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding"}
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class OriginSend:
    """Requests to one origin over connections that are kept. Implements `ports.Send`."""

    def __init__(self, origin: str, *, timeout_ms: int, tls: ssl.SSLContext | None = None) -> None:
        """`origin` is scheme://host[:port], else ValueError. `timeout_ms` covers a whole exchange."""
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            raise ValueError("an origin is http://host or https://host, with a port or without")
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError("an origin has no path")
        self._server = _Target(parts.scheme, parts.hostname, parts.port or _default_port(parts.scheme))
        self._timeout_s = timeout_ms / 1000
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=_CONNECTIONS, keepalive_expiry=_KEPT_ALIVE_S
        )

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer, whatever its status. Raises Unreachable; the request may have arrived all the same."""
        target = f"{request.path}?{request.query}" if request.query else request.path
        headers = [(name, value) for name, value in request.headers.items() if name not in _OWN_HEADERS]
        outgoing = self._server.request(request.method, target, headers, request.body)
        async with _faults_as_unreachable(self._timeout_s):
            response = await self._pool.handle_async_request(outgoing)
            return await _read(response, _SEND_MOST_BYTES, cut=False)

    async def aclose(self) -> None:
        """Let go of all connections."""
        await self._pool.aclose()


class NoticePost:
    """Notices to addresses that merchants named, a connection each. Implements `ports.Post`."""

    def __init__(
        self,
        *,
        allow_loopback: bool,
        own: Collection[str] = (),
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        posts_per_host: int = _POSTS_PER_HOST,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._own = tuple(own)
        self._threads = ThreadPoolExecutor(max_workers=_RESOLVER_THREADS, thread_name_prefix="resolve")
        self._resolve = resolve or self._ask_resolver
        self._tls = tls or httpcore2.default_ssl_context()
        self._turns = _Turns(posts_per_host)

    async def __call__(self, url: str, letter: Letter, timeout_ms: int) -> HttpResponse:
        """The answer, its body cut at 4 KiB. Raises Unreachable.

        `timeout_ms` covers everything: waiting for a turn at a busy receiver, its name, its connection, its answer.
        """
        try:
            where = check_url(url, allow_loopback=self._allow_loopback)
        except WireError as refused:
            raise Unreachable("address refused") from refused
        target = _Target(where.scheme, where.host, where.port)
        extra = [(name, value) for name, value in letter.headers.items() if name.lower() not in _OWN_HEADERS]
        headers = [("content-type", letter.content_type), *extra, ("connection", "close")]
        outgoing = target.request("POST", where.target, headers, letter.body)
        async with _faults_as_unreachable(timeout_ms / 1000), self._turns.one(where.host):
            connection = httpcore2.AsyncHTTPConnection(
                target.origin, ssl_context=self._tls, network_backend=_CheckedAddresses(self._checked)
            )
            try:
                return await _read(await connection.handle_async_request(outgoing), _POST_MOST_BYTES, cut=True)
            finally:
                await connection.aclose()

    async def aclose(self) -> None:
        """Start no more look-ups."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        addresses = await self._resolve(host, port)
        for address in addresses:
            if not address_allowed(address, allow_loopback=self._allow_loopback, own=self._own):
                raise Unreachable("address refused")
        return addresses[:_MOST_ADDRESSES]

    async def _ask_resolver(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def open_send(origin: str, *, timeout_ms: int, tls: ssl.SSLContext | None = None) -> OriginSend:
    """How a client reaches the server at `origin`. `tls` replaces the machine's own list of authorities."""
    return OriginSend(origin, timeout_ms=timeout_ms, tls=tls)


def open_post(*, allow_loopback: bool, own: Collection[str] = ()) -> NoticePost:
    """How notices go out. `own` are addresses refused whatever else is allowed: ours and the database's."""
    return NoticePost(allow_loopback=allow_loopback, own=own)


class _CheckedAddresses(httpcore2.AsyncNetworkBackend):
    """Connects to an address that `checked` returned for the name, and to no other."""

    def __init__(self, checked: Resolve) -> None:
        self._checked = checked
        self._sockets = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        last = httpcore2.ConnectError("the name has no address")
        for address in await self._checked(host, port):
            try:
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError as fault:
                last = fault
        raise last


class _Target:
    """Scheme, host and port of a server, in the pieces the connection layer wants."""

    __slots__ = ("_host_header", "origin")

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self.origin = httpcore2.Origin(scheme.encode(), host.encode("ascii"), port)
        shown = f"[{host}]".encode() if ":" in host else self.origin.host
        self._host_header = shown if port == _default_port(scheme) else b"%b:%d" % (shown, port)

    def request(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> httpcore2.Request:
        url = httpcore2.URL(
            scheme=self.origin.scheme, host=self.origin.host, port=self.origin.port, target=target.encode("ascii")
        )
        sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
        sent += [(b"host", self._host_header), (b"accept-encoding", b"identity")]
        if body or method not in {"GET", "HEAD"}:
            sent.append((b"content-length", b"%d" % len(body)))
        return httpcore2.Request(method.encode("ascii"), url, headers=sent, content=body)


class _Turns:
    """At most so many at a time for one name; a name nobody waits for is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def one(self, name: str) -> AsyncIterator[None]:
        turns, users = self._taken.setdefault(name, (asyncio.Semaphore(self._most), []))
        users.append(None)
        try:
            async with turns:
                yield
        finally:
            users.pop()
            if not users:
                del self._taken[name]


@asynccontextmanager
async def _faults_as_unreachable(timeout_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as fault:
        raise Unreachable("no answer in time") from fault
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as fault:
        raise NeverSent(f"no connection: {type(fault).__name__}") from fault
    except (
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.TimeoutException,
        httpcore2.ConnectionNotAvailable,
        OSError,
        UnicodeError,
    ) as fault:
        raise Unreachable(f"no answer: {type(fault).__name__}") from fault


async def _read(response: httpcore2.Response, most_bytes: int, *, cut: bool) -> HttpResponse:
    try:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers]
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > most_bytes:
                if not cut:
                    raise Unreachable("the answer is too long")
                break
    finally:
        await response.aclose()
    named = dict(headers)
    if named.get("content-encoding", "identity") != "identity":
        raise Unreachable("the answer is packed although that was not asked for")
    content_type = named.get("content-type", "")
    kept = tuple(pair for pair in headers if pair[0] not in _OWN_HEADERS and pair[0] != "content-type")
    return HttpResponse(response.status, bytes(body[:most_bytes]), content_type, kept)


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _look_up(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
