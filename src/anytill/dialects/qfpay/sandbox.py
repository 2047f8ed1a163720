"""The demo's published terminal, and where it listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from anytill.core.money import HKD
from anytill.dialects import SandboxAccess, Setting

HTTP_PORT: Final = 9001
TCP_PORT: Final = 9002
SANDBOX: Final = SandboxAccess(
    login="80000001",
    # The key that the document prints as every terminal's first one.
    secret="f46b1f08bec1f39104792cc79ec9aacd",  # noqa: S106 - published
    currency=HKD,
    password="demo-notify-key-80000001",  # noqa: S106 - published on purpose
    options={"plain": "on"},
)
#: Where the terminal listens is the terminal's affair, wherever the gateway is.
CLIENT_SETTINGS: Final[Mapping[str, Setting]] = {
    "http_url": Setting.OTHER,
    "tcp_host": Setting.OTHER,
    "tcp_port": Setting.OTHER,
    "terminal": Setting.LOGIN,
    "pos_key": Setting.SECRET,
    "notify_key": Setting.PASSWORD,
}


def terminal_settings(host: str, http_port: int, tcp_port: int) -> Mapping[str, str]:
    """What a client of the demo's terminal needs to be told."""
    netloc = f"[{host}]" if ":" in host else host
    values = (
        f"http://{netloc}:{http_port}",
        host,
        str(tcp_port),
        SANDBOX.login,
        SANDBOX.secret,
        SANDBOX.password,
    )
    return dict(zip(CLIENT_SETTINGS, values, strict=True))


def sandbox_settings(base_url: str) -> Mapping[str, str]:
    """The same for a demo whose gateway is there: its terminal listens at the vendor's own ports."""
    return terminal_settings(urlsplit(base_url).hostname or "127.0.0.1", HTTP_PORT, TCP_PORT)
