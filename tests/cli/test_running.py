"""What `anytill demo` and `anytill sandbox` print is copied by hand, so it stands whole, each value beside its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from anytill.cli import app
from anytill.dialects import load_dialects

URL = "http://127.0.0.1:18000"


@pytest.mark.parametrize("name", sorted(load_dialects()))
def test_what_a_till_is_told_fits_a_window_of_eighty_columns(tmp_path: Path, name: str) -> None:
    printed = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["sandbox", "--url", URL, "--data", str(tmp_path)]).output
    lines = [line.split() for line in printed.splitlines()]
    for setting, value in load_dialects()[name].sandbox_settings(URL).items():
        assert any(line[-2:] == [setting, str(value)] for line in lines), setting
