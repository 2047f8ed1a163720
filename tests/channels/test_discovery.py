"""Channels are found by looking into the folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anytill import channels
from anytill.channels import load_channels
from anytill.transports.journal import MemoryJournal
from tests.channels.fakes import parts


def test_the_sandbox_is_found_and_opens_under_the_name_it_is_given() -> None:
    kind = load_channels()["sandbox"]
    channel = kind.open(parts("till-lab", MemoryJournal()))
    assert (kind.title, channel.name) == ("Sandbox wallet", "till-lab")


@pytest.mark.parametrize(
    "source",
    ["", "CHANNEL = 1", "from anytill.channels.sandbox import CHANNEL"],
    ids=["nothing", "no kind", "another folder's kind"],
)
def test_a_folder_that_does_not_declare_its_own_kind_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    put(tmp_path / "odd_folder", source)
    monkeypatch.setattr(channels, "__path__", [*channels.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "anytill.channels.odd_folder", raising=False)
    with pytest.raises(ValueError, match="channels/odd_folder"):
        load_channels()


def put(folder: Path, source: str) -> None:
    folder.mkdir()
    (folder / "__init__.py").write_text(source, encoding="utf-8")
