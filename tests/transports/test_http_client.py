"""The HTTP clients: what goes out byte for byte, what counts as no answer, and where a notice must never go."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from anytill.ports import Letter, NeverSent, Post, Send, Unreachable
from anytill.transports.http_client import NoticePost, OriginSend, open_post, open_send
from anytill.wire.http import HttpRequest
from tests.transports.fakes import hang_up, kept_port, turns

MINUTE_MS = 60_000
OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nsuccess"

Talk = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Canary:
    """A listener that keeps the heads and bodies it was sent, and answers with canned bytes or a small program."""

    def __init__(self, answer: bytes | Talk) -> None:
        self._answer = answer
        self.connections = 0
        self.heard: list[bytes] = []
        self._talks: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                self.heard.append(head + body)
                if isinstance(self._answer, bytes):
                    writer.write(self._answer)
                else:
                    await self._answer(head + body, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # asyncio's stream server takes a cancelled talk for a fault, so it ends like any other
        finally:
            await hang_up(writer)

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await turns()  # a talk that was cancelled before it began would leave its connection open
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)


def request(
    method: str = "POST", path: str = "/pay", query: str = "", body: bytes = b"", **headers: str
) -> HttpRequest:
    return HttpRequest(
        method, path, query, {name.replace("_", "-"): value for name, value in headers.items()}, body, ""
    )


@contextlib.asynccontextmanager
async def sending(port: int, timeout_ms: int = MINUTE_MS) -> AsyncIterator[OriginSend]:
    send = open_send(f"http://127.0.0.1:{port}", timeout_ms=timeout_ms)
    try:
        yield send
    finally:
        await send.aclose()


async def hang(_heard: bytes, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def close(_heard: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def half_an_answer(_heard: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-3])
    writer.close()


# --- Send -------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_request_goes_out_byte_for_byte_over_one_connection() -> None:
    canary = Canary(OK)
    async with canary.listening() as port, sending(port) as opened:
        send: Send = opened
        sent = request(path="/a%2fb%20c", query="x=%e4%bd&y=+", body=b"\x00k=v", content_type="x/y", host="other")
        assert await send(sent) == await send(sent)
        answer = await send(sent)
    assert (answer.status, answer.body, answer.content_type, answer.headers) == (200, b"success", "text/plain", ())
    assert canary.connections == 1
    head, _, body = canary.heard[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a%2fb%20c?x=%e4%bd&y=+ HTTP/1.1"
    assert {line.lower() for line in lines[1:]} == {
        b"content-type: x/y",
        b"host: 127.0.0.1:%d" % port,
        b"accept-encoding: identity",
        b"content-length: 4",
    }
    assert body == b"\x00k=v"


@pytest.mark.anyio
@pytest.mark.parametrize("code", [201, 302, 400, 404, 500, 503])
async def test_an_answer_of_any_status_is_an_answer_and_nothing_is_followed(code: int) -> None:
    canary = Canary(b"HTTP/1.1 %d X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nhm" % code)
    async with canary.listening() as port, sending(port) as send:
        answer = await send(request())
    assert (answer.status, answer.body) == (code, b"hm")
    assert answer.headers == (("location", "http://127.0.0.1:1/"),)
    assert len(canary.heard) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n" + b"x" * 1_048_577,
        b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 50_000,
        close,
        half_an_answer,
    ],
    ids=["nonsense", "two lengths", "packed", "too long", "endless head", "closed", "cut short"],
)
async def test_what_cannot_be_read_is_no_answer_and_is_not_sent_again(answer: bytes | Talk) -> None:
    canary = Canary(answer)
    async with canary.listening() as port, sending(port) as send:
        with pytest.raises(Unreachable):
            await send(request(body=b"pay"))
    assert len(canary.heard) == 1


@pytest.mark.anyio
async def test_the_longest_answer_is_read_whole() -> None:
    canary = Canary(b"HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n" + b"x" * 1_048_576)
    async with canary.listening() as port, sending(port) as send:
        assert len((await send(request())).body) == 1_048_576


@pytest.mark.anyio
async def test_silence_is_no_answer() -> None:
    canary = Canary(hang)
    async with canary.listening() as port, sending(port, timeout_ms=10) as send:
        with pytest.raises(Unreachable, match="in time"):
            await send(request())


@pytest.mark.anyio
async def test_nobody_there_is_no_answer() -> None:
    with kept_port() as port:
        async with sending(port) as send:
            with pytest.raises(NeverSent, match="ConnectError"):
                await send(request())


@pytest.mark.anyio
async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = Canary(OK), Canary(OK)
    async with proxy.listening() as proxy_port, server.listening() as port:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy_port}")
        async with sending(port) as send:
            await send(request())
        await posting(allow_loopback=True)(f"http://127.0.0.1:{port}/", EMPTY, MINUTE_MS)
    assert (len(server.heard), proxy.connections) == (2, 0)


@pytest.mark.parametrize(
    "origin",
    [
        "ftp://a",
        "a.example",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://a#b",
        "http://u@a",
        "http://a:port",
        "http://ä",
    ],
)
def test_an_origin_is_scheme_host_and_port(origin: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several places find the several mistakes
        open_send(origin, timeout_ms=1)


# --- Post -------------------------------------------------------------------------------------------------------------


EMPTY = Letter(b"", "x/y")
LETTER = Letter(b"a=b", "application/x-www-form-urlencoded")


def resolver(**addresses: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        return addresses.get(host.replace(".", "_"), [host])

    return resolve


def posting(*, allow_loopback: bool = False, own: Sequence[str] = (), **addresses: Sequence[str]) -> NoticePost:
    return NoticePost(allow_loopback=allow_loopback, own=own, resolve=resolver(**addresses) if addresses else None)


@pytest.mark.anyio
async def test_a_notice_goes_to_the_checked_address_under_the_name() -> None:
    canary = Canary(OK)
    async with canary.listening() as port:
        post: Post = posting(allow_loopback=True, shop_example=["127.0.0.1"])
        answer = await post(f"http://shop.example:{port}/n?x=1", LETTER, MINUTE_MS)
    assert (answer.status, answer.body) == (200, b"success")
    head, _, body = canary.heard[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /n?x=1 HTTP/1.1"
    assert {line.lower() for line in lines[1:]} == {
        b"content-type: application/x-www-form-urlencoded",
        b"connection: close",
        b"host: shop.example:%d" % port,
        b"accept-encoding: identity",
        b"content-length: 3",
    }
    assert body == b"a=b"


@pytest.mark.anyio
async def test_a_vendors_own_headers_go_along_and_bend_nothing_of_the_message() -> None:
    canary = Canary(OK)
    letter = replace(LETTER, headers={"X-QF-SIGN": "0AF1", "Host": "other", "Content-Length": "0"})
    async with canary.listening() as port:
        await posting(allow_loopback=True)(f"http://127.0.0.1:{port}/", letter, MINUTE_MS)
    head, _, body = canary.heard[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"x-qf-sign: 0af1" in lines
    assert b"content-length: 3" in lines
    assert [line for line in lines if line.startswith(b"host:")] == [b"host: 127.0.0.1:%d" % port]
    assert body == b"a=b"


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["a\r\nx: 1", "a\nb", "\0"])
async def test_a_header_that_is_none_goes_nowhere(value: str) -> None:
    canary = Canary(OK)
    letter = replace(LETTER, headers={"x-sign": value})
    async with canary.listening() as port:
        with pytest.raises(Unreachable):
            await posting(allow_loopback=True)(f"http://127.0.0.1:{port}/", letter, MINUTE_MS)
    assert canary.heard == []


@pytest.mark.anyio
async def test_each_notice_has_a_connection_of_its_own() -> None:
    canary = Canary(OK)
    async with canary.listening() as port:
        for _ in range(3):
            await posting(allow_loopback=True)(f"http://127.0.0.1:{port}/", EMPTY, MINUTE_MS)
    assert canary.connections == 3


REFUSED_ADDRESSES = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "nonsense",
]


@pytest.mark.anyio
@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
@pytest.mark.parametrize("others", [[], ["93.184.216.34"]], ids=["alone", "behind a public one"])
async def test_a_name_with_an_inner_address_is_refused_before_any_packet(
    address: str, others: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("it connected")

    monkeypatch.setattr("httpcore2.AnyIOBackend.connect_tcp", no_socket)
    post = posting(shop_example=[*others, address])
    with pytest.raises(Unreachable, match="address refused"):
        await post("http://shop.example/", EMPTY, MINUTE_MS)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://LOCALHOST:{port}/",
        "http://a.localhost:{port}/",
        "http://localhost.:{port}/",
        "http://2130706433:{port}/",
        "http://0177.1:{port}/",
        "http://0x7f.1:{port}/",
        "http://127.1:{port}/",
        "http://127。0。0。1:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://ok@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/#fragment",
        "http://127.0.0.1:{port}/\r\nx: y",
        "gopher://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/",
        "",
    ],
)
async def test_an_inner_address_is_refused_however_it_is_written(url: str) -> None:
    canary = Canary(OK)
    async with canary.listening() as port:
        with pytest.raises(Unreachable, match="address refused"):
            await open_post(allow_loopback=False)(url.format(port=port), EMPTY, MINUTE_MS)
    assert canary.connections == 0


@pytest.mark.anyio
async def test_a_name_that_turns_inward_after_it_was_accepted_is_refused() -> None:
    canary = Canary(OK)
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers[len(asked)]  # the first answer was given when the address was accepted

    async with canary.listening() as port:
        with pytest.raises(Unreachable, match="address refused"):
            await NoticePost(allow_loopback=False, resolve=rebinding)(f"http://shop.example:{port}/", EMPTY, MINUTE_MS)
    assert (canary.connections, asked) == (0, ["shop.example"])


@pytest.mark.anyio
async def test_the_name_is_resolved_once_and_that_answer_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.216.34", "93.184.216.35"]

    async def connect(_self: object, host: str, port: int, *_: object) -> None:
        connected.append((host, port))
        raise OSError

    monkeypatch.setattr("httpcore2.AnyIOBackend.connect_tcp", connect)
    with pytest.raises(Unreachable):
        await NoticePost(allow_loopback=False, resolve=resolve)("http://shop.example/", EMPTY, MINUTE_MS)
    assert asked == ["shop.example"]
    assert connected == [("93.184.216.34", 80)]


@pytest.mark.anyio
async def test_the_next_address_is_tried_when_one_does_not_accept() -> None:
    canary = Canary(OK)
    async with canary.listening() as port:
        post = posting(allow_loopback=True, shop_example=["127.0.0.9", "127.0.0.1"])
        assert (await post(f"http://shop.example:{port}/", EMPTY, MINUTE_MS)).body == b"success"


@pytest.mark.anyio
async def test_our_own_addresses_are_refused_whatever_else_is_allowed() -> None:
    canary = Canary(OK)
    async with canary.listening() as port:
        post = posting(allow_loopback=True, own=["127.0.0.1"], shop_example=["127.0.0.1"])
        for host in ("shop.example", "127.0.0.1"):
            with pytest.raises(Unreachable, match="address refused"):
                await post(f"http://{host}:{port}/", EMPTY, MINUTE_MS)
    assert canary.connections == 0


@pytest.mark.anyio
async def test_a_name_without_addresses_is_no_answer() -> None:
    with pytest.raises(NeverSent, match="no connection"):
        await posting(shop_example=[])("http://shop.example/", EMPTY, MINUTE_MS)


@pytest.mark.anyio
async def test_a_resolver_that_fails_or_hangs_is_no_answer() -> None:
    async def fails(_host: str, _port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    async def hangs(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    for resolve, timeout_ms in ((fails, MINUTE_MS), (hangs, 10)):
        with pytest.raises(Unreachable):
            await NoticePost(allow_loopback=False, resolve=resolve)("http://shop.example/", EMPTY, timeout_ms)


@pytest.mark.anyio
async def test_the_machines_own_resolver_is_asked() -> None:
    canary = Canary(OK)
    async with canary.listening() as port:
        post = open_post(allow_loopback=True)
        assert (await post(f"http://localhost:{port}/", EMPTY, MINUTE_MS)).body == b"success"
        await post.aclose()


@pytest.mark.anyio
async def test_a_redirect_to_an_inner_address_is_an_answer_that_nobody_follows() -> None:
    inner = Canary(OK)
    async with inner.listening() as inner_port:
        outer = Canary(
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n" % inner_port
        )
        async with outer.listening() as port:
            answer = await posting(allow_loopback=True)(f"http://127.0.0.1:{port}/", EMPTY, MINUTE_MS)
    assert answer.status == 302
    assert inner.connections == 0


@pytest.mark.anyio
async def test_an_answer_is_cut_at_4_kib_and_the_rest_is_not_waited_for() -> None:
    async def long_answer(_heard: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n" + b"x" * 5_000)
        await asyncio.Event().wait()

    async with Canary(long_answer).listening() as port:
        answer = await posting(allow_loopback=True)(f"http://127.0.0.1:{port}/", EMPTY, MINUTE_MS)
    assert answer.body == b"x" * 4_096


@pytest.mark.anyio
async def test_a_receiver_that_is_silent_or_drips_is_given_up() -> None:
    async def drip(_heard: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsucc")
        await asyncio.Event().wait()

    for talk in (hang, drip):
        async with Canary(talk).listening() as port:
            with pytest.raises(Unreachable, match="in time"):
                await posting(allow_loopback=True)(f"http://127.0.0.1:{port}/", EMPTY, 20)


@pytest.mark.anyio
async def test_a_slow_receiver_holds_only_so_many_posts_and_others_go_on() -> None:
    slow, quick = Canary(hang), Canary(OK)
    async with slow.listening() as slow_port, quick.listening() as port:
        post = NoticePost(
            allow_loopback=True,
            resolve=resolver(slow_example=["127.0.0.1"], quick_example=["127.0.0.1"]),
            posts_per_host=2,
        )
        stuck = [asyncio.ensure_future(post(f"http://slow.example:{slow_port}/", EMPTY, MINUTE_MS)) for _ in range(5)]
        while len(slow.heard) < 2:
            await asyncio.sleep(0)
        assert (await post(f"http://quick.example:{port}/", EMPTY, MINUTE_MS)).status == 200
        await turns(50)
        assert slow.connections == 2
        with pytest.raises(Unreachable, match="in time"):
            await post(f"http://slow.example:{slow_port}/", EMPTY, 10)
        for each in stuck:
            each.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        assert not post._turns._taken


# --- TLS --------------------------------------------------------------------------------------------------------------


def authority(path: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(key_pem + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode())


@pytest.mark.anyio
async def test_the_certificate_and_the_asked_name_are_those_of_the_name_not_of_the_address(tmp_path: Path) -> None:
    canary = Canary(OK)
    server, client = authority(tmp_path / "pem", "shop.example")
    asked: list[str | None] = []

    def remember(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name)

    server.sni_callback = remember
    async with canary.listening(server) as port:
        post = NoticePost(allow_loopback=True, resolve=resolver(shop_example=["127.0.0.1"]), tls=client)
        assert (await post(f"https://shop.example:{port}/", EMPTY, MINUTE_MS)).body == b"success"
    assert asked == ["shop.example"]


@pytest.mark.anyio
async def test_a_certificate_of_another_name_or_of_a_stranger_is_no_answer(tmp_path: Path) -> None:
    canary = Canary(OK)
    server, client = authority(tmp_path / "pem", "shop.example")
    addresses = resolver(shop_example=["127.0.0.1"], other_example=["127.0.0.1"])
    async with canary.listening(server) as port:
        trusting = NoticePost(allow_loopback=True, resolve=addresses, tls=client)
        distrusting = NoticePost(allow_loopback=True, resolve=addresses)
        for post, host in ((trusting, "other.example"), (distrusting, "shop.example")):
            with pytest.raises(Unreachable):
                await post(f"https://{host}:{port}/", EMPTY, MINUTE_MS)
        send = open_send(f"https://127.0.0.1:{port}", timeout_ms=MINUTE_MS)
        with pytest.raises(Unreachable):
            await send(request())
        await send.aclose()
    assert canary.heard == []
