"""https with a certificate made here: kept, renewed, trusted by who imported it and by nobody else."""

from __future__ import annotations

import asyncio
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from anytill.ports import Unreachable
from anytill.transports.http_client import open_send
from anytill.transports.http_server import Application, Route, serve
from anytill.transports.tls import IMPORTED, VALID_DAYS, client_tls, self_made_tls, server_tls
from anytill.wire.http import HttpRequest, HttpResponse, text
from tests.transports.fakes import Remembered

NAMES = ("localhost", "127.0.0.1")
DAY_MS = 24 * 60 * 60 * 1_000
#: Certificates are checked against the machine's own clock, so this must be about now.
NOW_MS = 1_795_000_000_000


def now_ms() -> int:
    import time  # noqa: PLC0415 - only what is checked by the TLS library itself needs the real time

    return time.time_ns() // 1_000_000


def made(path: Path, names: tuple[str, ...] = NAMES, at_ms: int = NOW_MS) -> bytes:
    self_made_tls(path, names, at_ms)
    return path.read_bytes()


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "new" / "terminal.pem"
    first = made(path)
    assert made(path) == first
    assert made(path, ("localhost",)) == first
    assert made(path, at_ms=NOW_MS + (VALID_DAYS - 31) * DAY_MS) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = path.with_suffix(IMPORTED).read_bytes()
    assert first.startswith(public)
    assert b"PRIVATE" in first
    assert b"PRIVATE" not in public


@pytest.mark.parametrize("days", [VALID_DAYS - 29, VALID_DAYS + 1, -2])
def test_it_is_made_anew_before_it_ends(tmp_path: Path, days: int) -> None:
    path = tmp_path / "terminal.pem"
    assert made(path) != made(path, at_ms=NOW_MS + days * DAY_MS)


def test_it_is_made_anew_when_a_name_is_missing_or_the_file_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "terminal.pem"
    first = made(path)
    second = made(path, (*NAMES, "192.0.2.7", "till.example"))
    assert second != first
    names = x509.load_pem_x509_certificate(second).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost", "till.example"]
    for broken in (b"", b"rubbish", second[:-100], first[: first.index(b"-----BEGIN PRIVATE")]):
        path.write_bytes(broken)
        assert made(path).count(b"-----BEGIN") == 2


def test_a_certificate_of_the_operators_own_may_stand_in_two_files(tmp_path: Path) -> None:
    both = made(tmp_path / "terminal.pem")
    at = both.index(b"-----BEGIN PRIVATE")
    (tmp_path / "a.crt").write_bytes(both[:at])
    (tmp_path / "a.key").write_bytes(both[at:])
    assert isinstance(server_tls(tmp_path / "a.crt", tmp_path / "a.key"), ssl.SSLContext)
    with pytest.raises(ssl.SSLError):
        server_tls(tmp_path / "a.crt")
    with pytest.raises(OSError):  # noqa: PT011 - in the system's words
        server_tls(tmp_path / "none")


@pytest.mark.anyio
async def test_https_for_who_imported_it(tmp_path: Path) -> None:
    async def hello(_: HttpRequest) -> HttpResponse:
        return text("hello")

    path = tmp_path / "terminal.pem"
    tls = self_made_tls(path, NAMES, now_ms())
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    app = Application([(Route("POST", "/"), hello)], watch=Remembered())
    serving = asyncio.ensure_future(serve(app, "127.0.0.1", 0, started=port.set_result, stop=stop, tls=tls))
    request = HttpRequest("POST", "/", "", {}, b"x", "")
    trusting = open_send(
        f"https://localhost:{await port}", timeout_ms=30_000, tls=client_tls(path.with_suffix(IMPORTED))
    )
    assert (await trusting(request)).body == b"hello"
    for origin, context in ((f"https://localhost:{await port}", None), (f"http://localhost:{await port}", None)):
        other = open_send(origin, timeout_ms=30_000, tls=context)
        with pytest.raises(Unreachable):
            await other(request)
        await other.aclose()
    await trusting.aclose()
    stop.set()
    await asyncio.wait_for(serving, timeout=60)
