"""The connection: an answer leaves in one piece, and what is no answer leaves at once."""

from __future__ import annotations

import asyncio

import pytest

from anytill.transports.http_connection import GuardedProtocol
from anytill.transports.http_server import Application, Route
from anytill.wire.http import HttpRequest, HttpResponse, text
from tests.transports.fakes import Remembered, Served, hang_up


async def echo(request: HttpRequest) -> HttpResponse:
    return text(f"heard {request.body.decode()}")


APPLICATION = Application([(Route("POST", "/"), echo), (Route("GET", "/"), echo)], watch=Remembered())


class Watched(asyncio.Transport):
    """Passes on what is written, and remembers each piece."""

    def __init__(self, inner: asyncio.Transport, pieces: list[bytes]) -> None:
        super().__init__()
        self._inner = inner
        self._pieces = pieces

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self._pieces.append(data)
        self._inner.write(data)

    def close(self) -> None:
        self._inner.close()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._inner.get_extra_info(name, default)


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the connections of this test write, piece by piece."""
    written: list[bytes] = []
    made = GuardedProtocol.connection_made

    def connection_made(self: GuardedProtocol, transport: asyncio.Transport) -> None:
        made(self, Watched(transport, written))

    monkeypatch.setattr(GuardedProtocol, "connection_made", connection_made)
    return written


@pytest.mark.anyio
async def test_head_and_body_leave_together(pieces: list[bytes]) -> None:
    one = b"POST / HTTP/1.1\r\nhost: till\r\ncontent-length: 1\r\n\r\n"
    last = b"POST / HTTP/1.1\r\nhost: till\r\nconnection: close\r\ncontent-length: 1\r\n\r\n"
    async with Served(APPLICATION) as server:
        received = await server.exchange(one + b"1" + one + b"2" + last + b"3")
    assert [piece.rpartition(b"\r\n")[2] for piece in pieces] == [b"heard 1", b"heard 2", b"heard 3"]
    assert received == b"".join(pieces)


@pytest.mark.anyio
async def test_an_answer_without_a_body_leaves_too(pieces: list[bytes]) -> None:
    async with Served(APPLICATION) as server:
        received = await server.exchange(b"HEAD / HTTP/1.1\r\nhost: till\r\nconnection: close\r\n\r\n")
    assert received == b"".join(pieces)
    assert received.endswith(b"\r\n\r\n")


@pytest.mark.anyio
async def test_a_client_that_waits_with_its_body_is_told_to_go_on() -> None:
    async with Served(APPLICATION) as server:
        reader, writer = await server.connect()
        writer.write(
            b"POST / HTTP/1.1\r\nhost: till\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 3\r\n\r\n"
        )
        told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=60)
        assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"tea")
        assert (await asyncio.wait_for(reader.read(), timeout=60)).endswith(b"\r\n\r\nheard tea")
        await hang_up(writer)
