"""Where a register's options lead, before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from anytill.cli.ecr_line import Wanted, in_full, opened
from anytill.dialects.qfpay.sandbox import SANDBOX

SETTINGS = {"terminal": SANDBOX.login, "pos_key": SANDBOX.secret}


def settings(folder: Path, **more: str) -> Path:
    path = folder / "sandbox.json"
    path.write_text(json.dumps({"qfpay": {**SETTINGS, **more}}), encoding="utf-8")
    return path


def test_a_terminal_without_http_leaves_settings_for_its_other_lines(tmp_path: Path) -> None:
    found = settings(tmp_path, tcp_host="127.0.0.1", tcp_port="9002")
    assert opened(Wanted(tcp="127.0.0.1:9002", settings=found), patience_ms=1).address == "tcp://127.0.0.1:9002"
    assert opened(Wanted(serial="port", settings=found), patience_ms=1).address == "serial:port"


def test_without_any_address_nothing_is_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        opened(Wanted(settings=settings(tmp_path)), patience_ms=1)
    assert ended.value.exit_code == 2
    assert "one of --http, --tcp and --serial is needed" in capsys.readouterr().err


def test_settings_without_a_key_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps({"terminal": SANDBOX.login, "http_url": "http://127.0.0.1:9001"}), encoding="utf-8")
    with pytest.raises(typer.Exit) as ended:
        opened(Wanted(settings=path), patience_ms=1)
    assert ended.value.exit_code == 2
    assert "needs pos_key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("http://10.0.0.7", "http://10.0.0.7:9001"),
        ("https://POS.example/", "https://pos.example:9001"),
        ("tcp://10.0.0.7", "tcp://10.0.0.7:9002"),
        ("tcp://[::1]:9010", "tcp://[::1]:9010"),
        ("serial:/dev/ttyUSB0", "serial:/dev/ttyUSB0"),
    ],
)
def test_an_address_is_written_down_in_full(given: str, full: str) -> None:
    assert in_full(given) == full
    assert in_full(full) == full
