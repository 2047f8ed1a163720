"""Channels are found by looking into the folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anytill import channels
from anytill.channels import ChannelParts, load_channels
from tests.channels.fakes import CountingChance, MemoryJournal, StandingClock


def test_the_sandbox_is_found_and_opens_under_the_name_it_is_given() -> None:
    kind = load_channels()["sandbox"]
    channel = kind.open(ChannelParts("till-lab", StandingClock(), CountingChance(), MemoryJournal()))
    assert (kind.title, channel.name) == ("Sandbox wallet", "till-lab")


def test_a_folder_that_declares_no_kind_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "plain_folder", "")
    monkeypatch.setattr(channels, "__path__", [*channels.__path__, str(tmp_path)])
    assert "sandbox" in load_channels()
    assert "plain_folder" not in load_channels()


@pytest.mark.parametrize(
    "source",
    ["CHANNEL = 1", "from anytill.channels.sandbox import CHANNEL"],
    ids=["no kind", "another folder's kind"],
)
def test_a_folder_that_declares_something_else_is_a_mistake(
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
