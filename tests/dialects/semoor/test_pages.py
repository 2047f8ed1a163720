"""The pages for people tell every name and every text that is in the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytill.dialects.semoor import sandbox, words
from anytill.dialects.semoor.messages import ACTIONS, FORMS, NAMES, PAY_TYPES

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / language / "semoor.md" for language in ("en", "zh")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.parent.name))
def test_every_name_and_text_is_on_the_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    infos = [word.info for word in (*words.PAYMENT_WORDS.values(), *words.REFUND_WORDS.values())]
    wanted = [
        *(f"| {info} |" for info in (*infos, *words.REFUSALS.values(), *words.OWN_REFUSALS)),
        *(f"`{name.text}`" for name in NAMES if name.what.startswith("path ")),
        *(f"`{action}`" for action in ACTIONS),
        *(f"| {each.number} | `{each.word}` | {each.name} |" for each in PAY_TYPES.values()),
        *(f"`{option}`" for name, option in vars(sandbox).items() if name.startswith("OPTION_")),
    ]
    assert [each for each in wanted if each not in text] == []
    for form in FORMS.values():
        assert [name for name in form.names if name not in text] == []
