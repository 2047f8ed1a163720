"""The HTTP server: what reaches a handler, what is refused before, and what a bug or a stop does to a request."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.transports import http_connection
from anytill.transports.http_connection import ConnectionLimits, Guard
from anytill.transports.http_server import (
    Application,
    Handler,
    RequestLimits,
    Route,
    new_event_loop,
    serve,
)
from anytill.wire.http import HttpRequest, HttpResponse, text
from tests.transports.fakes import Remembered, Served, hang_up, kept_port, turns

CLOSE = b"connection: close\r\n"


async def echo(request: HttpRequest) -> HttpResponse:
    return text(f"{request.method} {request.path}?{request.query} {len(request.body)} {request.body[:40]!r}")


def app(
    *routes: tuple[Route, Handler],
    watch: Remembered | None = None,
    max_body_bytes: int = 64 * 1024,
    max_in_flight: int = 2_000,
) -> Application:
    standard = [(Route("POST", "/pay"), echo), (Route("GET", "/pay"), echo)]
    limits = RequestLimits(max_body_bytes, max_in_flight)
    return Application(list(routes) or standard, watch=watch or Remembered(), limits=limits)


def post(body: bytes, *, path: str = "/pay", more: bytes = b"", length: int | None = None) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: till\r\ncontent-length: {len(body) if length is None else length}\r\n"
    return head.encode() + more + b"\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.anyio
async def test_a_handler_sees_the_request_as_it_was_sent() -> None:
    seen: list[HttpRequest] = []

    async def keep(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse(201, "好".encode(), "text/xml", (("x-mark", "1"),))

    async with Served(app((Route("POST", "/a%20b"), keep))) as server:
        answer = await server.exchange(
            b"POST /a%20b?x=%31&y HTTP/1.1\r\nHost: till\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 3\r\n"
            + CLOSE
            + b"\r\n\x00\xffz"
        )
    assert seen == [
        HttpRequest(
            "POST",
            "/a%20b",
            "x=%31&y",
            {"host": "till", "x-a": "1, 2", "content-length": "3", "connection": "close"},
            b"\x00\xffz",
            "127.0.0.1",
        )
    ]
    head = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert head[0] == b"http/1.1 201 created"
    assert {b"content-length: 3", b"content-type: text/xml", b"x-mark: 1"} <= set(head)
    assert not any(line.startswith(b"server:") for line in head)
    assert body_of(answer) == "好".encode()


@pytest.mark.anyio
async def test_one_connection_carries_many_requests() -> None:
    async with Served(app()) as server:
        answer = await server.exchange(post(b"one") + post(b"two") + post(b"three", more=CLOSE))
    assert [status(b"HTTP/1.1 " + part) for part in answer.split(b"HTTP/1.1 ")[1:]] == [200] * 3
    assert answer.index(b"b'one'") < answer.index(b"b'two'") < answer.index(b"b'three'")


ANSWERED_AT_THE_EDGE = [
    (b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n", 404),
    (b"GET /PAY HTTP/1.1\r\nhost: a\r\n\r\n", 404),
    (b"GET /pay/ HTTP/1.1\r\nhost: a\r\n\r\n", 404),
    (b"GET //pay HTTP/1.1\r\nhost: a\r\n\r\n", 404),
    (b"GET /p%61y HTTP/1.1\r\nhost: a\r\n\r\n", 404),
    (b"DELETE /pay HTTP/1.1\r\nhost: a\r\n\r\n", 405),
    (b"OPTIONS /pay HTTP/1.1\r\nhost: a\r\n\r\n", 204),
    (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 404),
    (b"GET /pay?x=\xff HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET /p\xc3\xa4y HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"nonsense\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (post(b"x", more=b"content-encoding: gzip\r\n"), 415),
    (post(b"", length=64 * 1024 + 1), 413),
    (post(b"", length=10**13), 413),
    (post(b"x" * (64 * 1024 + 1)), 413),
    (post(b"x" * 64 * 1024, more=CLOSE), 200),
    (post(b"", more=CLOSE), 200),
    (post(b"x", more=b"content-encoding: Identity\r\n" + CLOSE), 200),
    (b"POST /pay HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n" + CLOSE + b"\r\n2\r\nab\r\n0\r\n\r\n", 200),
    (b"POST /pay HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
    (b"POST /pay HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
]


@pytest.mark.anyio
async def test_what_is_answered_at_the_edge() -> None:
    async with Served(app()) as server:
        answers = [(sent, status(await server.exchange(sent))) for sent, _ in ANSWERED_AT_THE_EDGE]
    assert answers == ANSWERED_AT_THE_EDGE


@pytest.mark.anyio
async def test_a_chunked_body_without_end_is_cut_off() -> None:
    async with Served(app(max_body_bytes=1_000)) as server:
        sent = b"POST /pay HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + b"a\r\n0123456789\r\n" * 101
        assert status(await server.exchange(sent)) == 413


@pytest.mark.anyio
async def test_a_route_may_take_more_or_less_than_the_others() -> None:
    routes = [(Route("POST", "/small", max_body_bytes=2), echo), (Route("POST", "/large", max_body_bytes=2_000), echo)]
    async with Served(app(*routes, max_body_bytes=1_000)) as server:
        assert status(await server.exchange(post(b"123", path="/small", more=CLOSE))) == 413
        assert status(await server.exchange(post(b"1" * 2_000, path="/large", more=CLOSE))) == 200


@pytest.mark.anyio
async def test_what_may_be_asked_is_told() -> None:
    async with Served(app()) as server:
        for method in (b"PUT", b"OPTIONS"):
            answer = await server.exchange(method + b" /pay HTTP/1.1\r\nhost: a\r\n\r\n")
            assert b"allow: GET, HEAD, OPTIONS, POST\r\n" in answer


@pytest.mark.anyio
async def test_head_is_get_without_the_body() -> None:
    async with Served(app()) as server:
        answer = await server.exchange(b"HEAD /pay HTTP/1.1\r\nhost: a\r\n" + CLOSE + b"\r\n")
    assert status(answer) == 200
    assert body_of(answer) == b""
    assert b"content-length: " in answer


@pytest.mark.anyio
async def test_a_route_may_ignore_the_case_of_its_path() -> None:
    route = Route("POST", "/WebPay/Gateway.do", ignore_case=True)
    async with Served(app((route, echo))) as server:
        for path in ("/WebPay/Gateway.do", "/webpay/gateway.do", "/WEBPAY/GATEWAY.DO"):
            assert status(await server.exchange(post(b"", path=path, more=CLOSE))) == 200
        assert status(await server.exchange(b"GET /webpay/GATEWAY.do HTTP/1.1\r\nhost: a\r\n\r\n")) == 405


@pytest.mark.anyio
async def test_a_route_may_stand_for_all_names_under_its_path() -> None:
    under = Route("GET", "/qrpay/", ignore_case=True, prefix=True)
    exact = Route("GET", "/Doc/", prefix=True)
    async with Served(app((under, echo), (exact, echo), (Route("POST", "/qrpay/own"), echo))) as server:

        async def asked(method: str, path: str) -> int:
            return status(await server.exchange(f"{method} {path} HTTP/1.1\r\nhost: a\r\n".encode() + CLOSE + b"\r\n"))

        for path in ("/qrpay/1", "/QRPAY/a%2Fb?c=/d", "/Doc/1", "/qrpay/own"):
            assert await asked("GET", path) == 200
        for path in ("/qrpay", "/qrpay/", "/qrpay/1/2", "/qrpay/1/", "/doc/1", "/other/1"):
            assert await asked("GET", path) == 404
        assert await asked("POST", "/qrpay/1") == 405
        assert await asked("POST", "/qrpay/own") == 200


def test_a_path_that_names_are_added_to_ends_in_a_slash() -> None:
    with pytest.raises(ValueError, match="slash"):
        Route("GET", "/qrpay", prefix=True)


def test_two_routes_for_one_path_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two routes"):
        app((Route("POST", "/a"), echo), (Route("POST", "/a"), echo))
    with pytest.raises(ValueError, match="two routes"):
        app((Route("POST", "/a", ignore_case=True), echo), (Route("POST", "/A", ignore_case=True), echo))


@pytest.mark.anyio
async def test_a_bug_is_told_without_a_word_of_the_request_and_answered_by_the_route() -> None:
    async def broken(request: HttpRequest) -> HttpResponse:
        raise ValueError(request.body.decode())

    def sorry(_: HttpRequest) -> HttpResponse:
        return text("system error", status=200)

    def worse(request: HttpRequest) -> HttpResponse:
        raise KeyError(request.body)

    watch = Remembered()
    routes = [
        (Route("POST", "/plain"), broken),
        (Route("POST", "/kind", on_error=sorry), broken),
        (Route("POST", "/worse", on_error=worse), broken),
    ]
    async with Served(app(*routes, watch=watch)) as server:
        answers = [
            await server.exchange(post(b"canary=7f3e", path=path, more=CLOSE)) for path in ("/plain", "/kind", "/worse")
        ]
    assert [status(answer) for answer in answers] == [500, 200, 500]
    assert body_of(answers[1]) == b"system error"
    assert [fields["route"] for _, fields in watch.alarms] == [
        "POST /plain",
        "POST /kind",
        "POST /worse",
        "POST /worse",
    ]
    assert all(event == "bug" for event, _ in watch.alarms)
    assert "ValueError at" in str(watch.alarms[0][1]["trace"])
    assert "test_http_server.py" in str(watch.alarms[0][1]["trace"])
    assert "canary" not in str(watch.alarms) + str(answers)


@pytest.mark.anyio
async def test_too_many_at_once_are_refused_before_anything_is_read() -> None:
    may_end = asyncio.Event()
    started: list[HttpRequest] = []

    async def slow(request: HttpRequest) -> HttpResponse:
        started.append(request)
        await may_end.wait()
        return text("done")

    application = app((Route("POST", "/pay"), slow), max_in_flight=1)
    async with Served(application) as server:
        first = asyncio.ensure_future(server.exchange(post(b"1", more=CLOSE)))
        while not started:
            await asyncio.sleep(0)
        assert application.in_flight == 1
        # The body is announced and never sent, so only a server that does not wait for it can answer.
        assert status(await server.exchange(post(b"", length=10))) == 503
        may_end.set()
        assert body_of(await first) == b"done"
        assert status(await server.exchange(post(b"2", more=CLOSE))) == 200
    assert application.in_flight == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sent",
    [
        post(b"half", length=8),
        post(b"whole") + post(b"half", length=8),
        b"POST /pay HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n",
    ],
    ids=["first", "second", "chunked"],
)
async def test_a_body_that_does_not_come_is_given_up(sent: bytes) -> None:
    watch = Remembered()
    async with Served(app(watch=watch), limits=ConnectionLimits(body_timeout_s=0.01)) as server:
        answer = await server.exchange(sent)
    assert answer.endswith(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    assert watch.notes == [("http client gone", {})]
    assert watch.alarms == []


@pytest.mark.anyio
async def test_a_slow_handler_is_no_slow_body() -> None:
    async def slow(_: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0.005)
        return text("paid")

    limits = ConnectionLimits(body_timeout_s=0.001)
    async with Served(app((Route("POST", "/pay"), slow)), limits=limits) as server:
        assert body_of(await server.exchange(post(b"x", more=CLOSE))) == b"paid"


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [b"", b"POST /pa", b"POST /pay HTTP/1.1\r\nhost: a\r\nx: ", b"\r\n"])
async def test_a_head_that_does_not_come_is_given_up(sent: bytes) -> None:
    async with Served(app(), limits=ConnectionLimits(head_timeout_s=0.01)) as server:
        reader, writer = await server.connect()
        writer.write(sent)
        try:
            assert await asyncio.wait_for(reader.read(), timeout=60) == b""
        except ConnectionResetError:
            pass
        finally:
            await hang_up(writer)


@pytest.mark.anyio
async def test_line_ends_between_requests_do_not_hold_a_connection_open() -> None:
    limits = ConnectionLimits(head_timeout_s=60)
    async with Served(app(), limits=limits) as server:
        reader, writer = await server.connect()
        writer.write(post(b"one"))
        await reader.readuntil(b"b'one'")
        # Only now: the first head may take as long as this process is kept from running.
        object.__setattr__(limits, "head_timeout_s", 0.01)
        writer.write(b"\r\n")
        try:
            assert await asyncio.wait_for(reader.read(), timeout=60) == b""
        except ConnectionResetError:
            pass
        finally:
            await hang_up(writer)


@pytest.mark.anyio
@pytest.mark.parametrize("endless", [b"x: 1\r\n" * 20_000, b"x: " + b"1" * 100_000])
async def test_a_head_without_end_is_cut_off(endless: bytes) -> None:
    watch = Remembered()
    async with Served(app(watch=watch), limits=ConnectionLimits(max_head_bytes=10_000)) as server:
        reader, writer = await server.connect()
        writer.write(b"GET /pay HTTP/1.1\r\n" + endless)
        try:
            assert await asyncio.wait_for(reader.read(), timeout=60) == b""
        except ConnectionResetError:
            pass
        finally:
            await hang_up(writer)
    assert watch.notes == []


def test_an_address_holds_only_so_many_connections_but_this_machine_as_many_as_it_likes() -> None:
    guard = Guard(ConnectionLimits(max_per_address=2))
    assert [guard.admit("198.51.100.1") for _ in range(3)] == [True, True, False]
    assert guard.admit("198.51.100.2")
    assert all(guard.admit(address) for address in ["127.0.0.1", "::1"] * 5)
    guard.release("198.51.100.1")
    guard.release("198.51.100.1")
    assert guard.admit("198.51.100.1")


@pytest.mark.anyio
async def test_connections_beyond_the_limit_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "_is_this_machine", lambda _: False)
    async with Served(app(), limits=ConnectionLimits(max_per_address=1)) as server:
        _, first = await server.connect()
        reader, second = await server.connect()
        try:
            assert await asyncio.wait_for(reader.read(), timeout=60) == b""
        except ConnectionResetError:
            pass
        finally:
            await hang_up(second)
        first.write(post(b"", more=CLOSE))
        await hang_up(first)


@pytest.mark.anyio
async def test_a_client_that_goes_away_does_not_stop_its_handler() -> None:
    started, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def pay(_: HttpRequest) -> HttpResponse:
        started.set()
        await may_end.wait()
        ended.set()
        return text("paid")

    async with Served(app((Route("POST", "/pay"), pay))) as server:
        _, writer = await server.connect()
        writer.write(post(b"x"))
        await asyncio.wait_for(started.wait(), timeout=60)
        writer.transport.abort()
        await turns(50)
        may_end.set()
        await asyncio.wait_for(ended.wait(), timeout=60)


@pytest.mark.anyio
async def test_a_client_that_goes_away_within_its_body_reaches_no_handler() -> None:
    watch = Remembered()
    async with Served(app(watch=watch)) as server:
        _, writer = await server.connect()
        writer.write(post(b"half", length=8))
        await writer.drain()
        writer.close()
        while not watch.notes:
            await asyncio.sleep(0)
    assert watch.notes == [("http client gone", {})]
    assert watch.alarms == []


@pytest.mark.anyio
async def test_stopping_answers_what_is_in_flight_and_accepts_nothing_more() -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    async def pay(_: HttpRequest) -> HttpResponse:
        started.set()
        await may_end.wait()
        return text("paid")

    with kept_port() as port:
        async with Served(app((Route("POST", "/pay"), pay)), port=port) as server:
            exchange = asyncio.ensure_future(server.exchange(post(b"x")))
            await asyncio.wait_for(started.wait(), timeout=60)
            server.stop.set()
            while True:
                try:
                    await server.exchange(b"")
                except OSError:
                    break
            assert not server.task.done()
            may_end.set()
            assert body_of(await exchange) == b"paid"
            await asyncio.wait_for(server.task, timeout=60)


@pytest.mark.anyio
async def test_a_handler_that_never_ends_does_not_hold_up_the_stop_beyond_the_grace() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: HttpRequest) -> HttpResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    async with Served(app((Route("POST", "/pay"), hang)), grace_s=0) as server:
        exchange = asyncio.ensure_future(server.exchange(post(b"x")))
        await asyncio.wait_for(started.wait(), timeout=60)
        server.stop.set()
        await asyncio.wait_for(server.task, timeout=60)
        await asyncio.wait_for(cancelled.wait(), timeout=60)
        assert status(await exchange) == 500


@pytest.mark.anyio
async def test_a_port_that_is_taken_is_an_error_of_the_caller() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(app(), "127.0.0.1", taken.getsockname()[1], started=lambda _: None, stop=asyncio.Event())


@pytest.mark.anyio
async def test_the_port_may_be_told_to_a_coroutine_whose_fault_ends_the_server() -> None:
    async def started(port: int) -> None:
        assert port > 0
        raise LookupError

    with pytest.raises(LookupError):
        await serve(app(), "127.0.0.1", 0, started=started, stop=asyncio.Event())


def test_it_runs_on_the_fast_loop_too() -> None:
    async def story() -> bytes:
        async with Served(app()) as server:
            return await server.exchange(post(b"x", more=CLOSE))

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert status(runner.run(story())) == 200


async def answered(application: Application, path: str, query: bytes, chunks: list[bytes]) -> tuple[int, bytes]:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"transfer-encoding", b"chunked")],
        "client": None,
    }
    await application(scope, receive, send)
    code, body = sent[0]["status"], sent[1]["body"]
    assert isinstance(code, int)
    assert isinstance(body, bytes)
    return code, body


@pytest.mark.anyio
@given(chunks=st.lists(st.binary(max_size=12), max_size=6), query=st.binary(max_size=12))
async def test_any_bytes_in_any_pieces_give_an_answer(chunks: list[bytes], query: bytes) -> None:
    whole = b"".join(chunks)
    code, body = await answered(app(max_body_bytes=30), "/pay", query, chunks)
    try:
        query.decode()
    except UnicodeDecodeError:
        assert code == 400
    else:
        assert code == (413 if len(whole) > 30 else 200)
        if code == 200:
            assert body.decode().endswith(f" {len(whole)} {whole[:40]!r}")


def test_without_uvloop_the_standard_loop_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_event_loop()
    try:
        assert type(loop).__module__.startswith("asyncio")
    finally:
        loop.close()
