"""A line to a payment terminal: its address, its key and how it is reached, made from what people wrote.

A question is answered at once, a trade when the person at the terminal has paid. So only trades and refunds have the
line's whole patience; whatever else is not answered within seconds is a broken line.

What cannot be a line ends the command with a sentence and exit code 2, before anything is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from anytill.bootstrap.terminals import TerminalSend, open_terminal_send
from anytill.cli.sentences import stop, text_of
from anytill.core.secret import Secret
from anytill.dialects import load_dialects
from anytill.dialects.qfpay import codec, words
from anytill.dialects.qfpay.client import Client
from anytill.dialects.qfpay.codec import KeyBytes, PosKey
from anytill.dialects.qfpay.ends import Patience
from anytill.dialects.qfpay.sandbox import HTTP_PORT, TCP_PORT, terminal_settings
from anytill.dialects.qfpay.words import FuncType
from anytill.ports import Unreachable
from anytill.transports.tls import client_tls
from anytill.wire.http import HttpRequest, HttpResponse

QUICK_S = 15
_USUAL_PORTS = {"http": HTTP_PORT, "https": HTTP_PORT, "tcp": TCP_PORT}
_SLOW_PATHS = {path for path, function in words.PATHS.items() if function in (FuncType.TRADE, FuncType.REFUND)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say; empty where they say nothing."""

    http: str = ""
    tcp: str = ""
    serial: str = ""
    settings: Path | None = None
    pos_key: str = ""
    pos_key_file: Path | None = None
    key_bytes: str = ""
    form: str = ""
    currency: str = ""
    ca: Path | None = None
    fingerprint: str = ""


class EcrLine:
    """A terminal's client, and what the command line knows of the line."""

    def __init__(self, settings: Mapping[str, str], address: str, send: TerminalSend) -> None:
        self.address = address
        self.settings = settings
        self._send = send
        self.client = Client(settings, self._ask)

    @property
    def terminal(self) -> str:
        """The address as the journal has it: written in full, so that it is the same however it was given."""
        return in_full(self.address)

    @property
    def patience(self) -> Patience:
        """How long a register waits here. Only a serial line has answers left for those who come after."""
        return Patience() if self.address.startswith("serial:") else Patience(late_ms=0)

    async def aclose(self) -> None:
        """Let go of the line."""
        await self._send.aclose()

    async def _ask(self, request: HttpRequest) -> HttpResponse:
        if request.path in _SLOW_PATHS:
            return await self._send(request)
        try:
            async with asyncio.timeout(QUICK_S):
                return await self._send(request)
        except TimeoutError:
            raise Unreachable("no answer in time") from None


def in_full(address: str) -> str:
    """A terminal's address with its port, whether that was given or not. Raises ValueError for one that is none."""
    parts = urlsplit(address)
    port = _USUAL_PORTS.get(parts.scheme)
    if port is None or not parts.hostname:
        return address
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or port}{parts.path.rstrip('/')}"


def opened(wanted: Wanted, *, patience_ms: int) -> EcrLine:
    """The line that the options describe."""
    kind = load_dialects()[words.NAME].terminal
    assert kind is not None, "its registers speak to terminals"
    settings = _settings(wanted)
    address = _address(wanted, settings)
    try:
        key = PosKey(Secret(settings["pos_key"]), KeyBytes(settings.get("key_bytes") or KeyBytes.ASCII))
        send = open_terminal_send(
            kind,
            address,
            timeout_ms=patience_ms,
            is_whole=lambda message: codec.is_whole(message, [key]),
            tls=_tls(wanted, address),
        )
        return EcrLine(settings, address, send)
    except (ValueError, OSError) as fault:
        stop(2, f"anytill: {fault}")


def _settings(wanted: Wanted) -> dict[str, str]:
    if len([given for given in (wanted.http, wanted.tcp, wanted.serial) if given]) > 1:
        stop(2, "anytill: give one of --http, --tcp and --serial")
    known = dict(_read(wanted.settings) if wanted.settings else terminal_settings("127.0.0.1", HTTP_PORT, TCP_PORT))
    if wanted.pos_key_file:
        known["pos_key"] = text_of("--pos-key-file", wanted.pos_key_file).strip()
    elif wanted.pos_key:
        known["pos_key"] = wanted.pos_key
    if (wanted.pos_key_file or wanted.pos_key) and not wanted.settings:
        # What is left of the demo's terminal has nothing to do with this one.
        known.pop("terminal", None)
    given = {"key_bytes": wanted.key_bytes, "form": wanted.form, "currency": wanted.currency}
    return known | {name: value for name, value in given.items() if value}


def _read(path: Path) -> Mapping[str, str]:
    """A terminal's settings in a file that holds them alone, or those of several dialects by name."""
    try:
        found = json.loads(text_of("--settings", path))
    except ValueError as fault:
        stop(2, f"--settings {path}: not JSON: {fault}")
    values = found.get(words.NAME, found) if isinstance(found, dict) else None
    if not isinstance(values, dict):
        stop(2, f"--settings {path}: one JSON object is expected, as `anytill sandbox --json` prints it")
    if not isinstance(values.get("pos_key"), str):
        stop(2, f"--settings {path}: {words.NAME} needs pos_key")
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _address(wanted: Wanted, settings: Mapping[str, str]) -> str:
    if wanted.serial:
        return f"serial:{wanted.serial}"
    if wanted.tcp:
        return f"tcp://{wanted.tcp}"
    if wanted.http:
        return wanted.http if "://" in wanted.http else f"http://{wanted.http}"
    if "http_url" not in settings:
        # It belongs to a terminal that listens on its other lines only.
        stop(2, f"--settings {wanted.settings}: without http_url one of --http, --tcp and --serial is needed")
    return settings["http_url"]


def _tls(wanted: Wanted, address: str) -> ssl.SSLContext | None:
    """Whom an https terminal must be: who has this certificate, or whose certificate has this fingerprint. Raises
    ValueError, OSError."""
    parts = urlsplit(address)
    if parts.scheme != "https":
        if wanted.ca or wanted.fingerprint:
            raise ValueError("--ca and --fingerprint are for https addresses: --http https://HOST:PORT")
        return None
    if wanted.fingerprint:
        return _pinned(parts.hostname or "", parts.port or HTTP_PORT, wanted.fingerprint)
    return client_tls(wanted.ca) if wanted.ca else None


def _pinned(host: str, port: int, fingerprint: str) -> ssl.SSLContext:
    """A context that trusts one certificate alone: the one that the server shows now, if it has this SHA-256."""
    pem = ssl.get_server_certificate((host, port), timeout=QUICK_S)
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    if shown != fingerprint.replace(":", "").lower():
        raise ValueError(f"the certificate of {host}:{port} has the fingerprint {shown}")
    context = ssl.create_default_context(cadata=pem)
    # It is this very certificate that is trusted, whatever name it bears and whoever signed it.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
