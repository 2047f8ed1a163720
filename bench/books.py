"""The audit after a run: whatever was told as paid must stand in the store as paid, and the books must agree."""

from __future__ import annotations

import apsw
import asyncpg

from anytill.storage import open_store
from bench.processes import Failed
from bench.server import VAULT

_PAID = "SELECT count(*) FROM payment WHERE state = 'PAID'"
_ALL = "SELECT count(*) FROM payment"


async def check(store_url: str, answered: int) -> None:
    """Raises Failed unless the store holds exactly the answered payments, all paid, with books that agree."""
    store = await open_store(store_url, vault=VAULT)
    try:
        faults = await store.audit()
    finally:
        await store.close()
    if faults:
        raise Failed(f"the books disagree: {faults[:3]}")
    paid, written = await _count(store_url, _PAID), await _count(store_url, _ALL)
    if (paid, written) != (answered, answered):
        raise Failed(f"{answered} payments were told as paid; the store holds {paid} paid of {written}")


async def _count(store_url: str, query: str) -> int:
    if store_url.startswith("sqlite:///"):
        connection = apsw.Connection(store_url.removeprefix("sqlite:///"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            [[found]] = connection.execute(query)
        finally:
            connection.close()
        return int(found)
    link = await asyncpg.connect(store_url)
    try:
        return int(await link.fetchval(query))
    finally:
        await link.close()
