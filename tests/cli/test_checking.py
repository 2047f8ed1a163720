"""`anytill parked`: each line says what waits for a person, and what it is about."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from anytill.cli import app
from anytill.core.notice import NoticeState
from anytill.storage import open_store
from tests.storage.conftest import VAULT
from tests.storage.samples import a_notice, add_paid, fetched


def test_notices_that_nobody_heard_say_what_they_are_about(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    asyncio.run(fill(url))
    run = CliRunner().invoke(app, ["parked", "--store", url], catch_exceptions=False)
    assert run.exit_code == 1
    unheard = "shop.example did not acknowledge 8 tries, last: HTTP 500"
    assert run.stdout.splitlines() == [
        f"notice N1 of 1001 about payment 10000000000000000001: {unheard}",
        f"notice N2 of 1001 about refund 20000000000000000007 of payment 10000000000000000001: {unheard}",
    ]


async def fill(url: str) -> None:
    """A payment with two notices, of itself and of a refund, that nobody heard."""
    store = await open_store(url, vault=VAULT)
    payment = await add_paid(store)
    for number, refund_id in ((1, ""), (2, "20000000000000000007")):
        notice = a_notice(
            payment,
            notice_id=f"N{number}",
            refund_id=refund_id,
            receiver="shop.example",
            created_at_ms=payment.created_at_ms + number,
        )
        now = await fetched(store, payment)
        assert await store.move_payment(now, now, notice=notice)
        exhausted = replace(notice, state=NoticeState.EXHAUSTED, tries=8, last_result="HTTP 500", due_at_ms=None)
        assert await store.move_notice(notice, exhausted)
    await store.close()
