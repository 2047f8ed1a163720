"""Both pages tell every request, every code with its text, and every switch."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytill.dialects.yst import messages, words
from anytill.dialects.yst.calls import OPTION_NOTIFY_URL
from anytill.dialects.yst.words import Word

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_that_is_said_is_explained(language: str) -> None:
    text = (DOCS / language / "yst.md").read_text(encoding="utf-8")
    for told in words.TOLD:
        if isinstance(told, Word):
            assert f"| {told.code} | {told.result} | " in text, told.code
            assert f" | {told.msg} | " in text, told.code
        else:
            assert f"| {told.code} | {told.msg} | " in text, told.code
    for form in messages.FORMS:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{form.request_type}` |")]
        for field in form.rows:
            assert f"{field.name}{'*' if field.required else ''}" in row, (form.request_type, field.name)
    assert f"`{OPTION_NOTIFY_URL}`" in text
