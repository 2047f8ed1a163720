"""A port that somebody else has is named together with the option that chose it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from pathlib import Path

import pytest

from anytill.bootstrap.terminals import Listens
from anytill.cli.machine import Machine
from anytill.cli.process import embedded_settings, port_is_taken
from anytill.config import SettingsError


@pytest.mark.parametrize(
    ("listens", "option"),
    [
        (lambda port: Listens(http_port=port, tcp_port=0), "--http"),
        (lambda port: Listens(http_port=None, tcp_port=port), "--tcp"),
        (lambda _port: Listens(http_port=0, tcp_port=0), "--port"),
    ],
)
def test_the_option_that_chose_the_port_is_told(tmp_path: Path, listens: object, option: str) -> None:
    assert callable(listens)
    settings = embedded_settings(tmp_path)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        machine = Machine("qfpay", settings, None, tmp_path, listens(port))
        with (
            pytest.raises(SettingsError, match=f"port {port} is taken: {option} 0 takes a free one"),
            port_is_taken(settings, machine.port_options),
        ):
            asyncio.run(serve_at(port))


async def serve_at(port: int) -> None:
    await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", port)
