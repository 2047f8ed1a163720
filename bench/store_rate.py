"""How many payments a second the store makes durable, on both engines, grouped and not.

A payment is what it is in life: one write of the intent, one of the result with its sale posting, each answered after
its commit. `python -m bench.store_rate [seconds]`; PostgreSQL is started with fsync on. Rounds are interleaved, so
that a change of the machine's mood hits all rows alike; the middle one of three is shown.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import uvloop

from anytill.core.ids import IdMaker
from anytill.core.ledger import sale
from anytill.core.lifecycle import PaymentState
from anytill.core.payment import Method, Payment
from anytill.core.wallet import Wallet
from anytill.storage import SqlStore, Vault, open_store
from tests.postgres import fresh_database, start_server

ROUNDS = 3
CONCURRENCY = (1, 32, 128)
VAULT = Vault(bytes(32))


def order(payment_id: str, now_ms: int) -> Payment:
    """A payment as a till's barcode order makes it."""
    return Payment(
        merchant_id="1001",
        payment_id=payment_id,
        order_no=f"T{payment_id}",
        method=Method.BARCODE,
        wallet=Wallet.WECHAT,
        state=PaymentState.SUBMITTED,
        amount_fen=1234,
        subject="咖啡",
        channel="sandbox",
        created_at_ms=now_ms,
        deadline_at_ms=now_ms + 60_000,
        dialect="teegon",
        login="till-7",
        order_digest="d" * 64,
        code_digest=payment_id * 3,
        code_hint="13**************12",
        due_at_ms=now_ms + 5_000,
    )


async def one_till(store: SqlStore, ids: IdMaker, until: float, took: list[float]) -> None:
    """Payment after payment, until the time is up."""
    while (began := time.perf_counter()) < until:
        now_ms = time.time_ns() // 1_000_000
        payment = order(ids.make(now_ms), now_ms)
        assert await store.add_payment(payment)
        paid = replace(payment, state=PaymentState.PAID, paid_fen=1234, paid_at_ms=now_ms, due_at_ms=None)
        assert await store.move_payment(payment, paid, [sale(paid, now_ms)])
        took.append(time.perf_counter() - began)


async def measure(store: SqlStore, tills: int, seconds: float) -> list[float]:
    """How long each payment took, with so many tills at once."""
    ids = IdMaker()
    ids.grant(0, 2**62)
    took: list[float] = []
    await asyncio.gather(*(one_till(store, ids, time.perf_counter() + 0.3, []) for _ in range(tills)))
    await asyncio.gather(*(one_till(store, ids, time.perf_counter() + seconds, took) for _ in range(tills)))
    return took


@asynccontextmanager
async def opened(url: str, group_commit: bool) -> AsyncIterator[SqlStore]:
    store = await open_store(url, vault=VAULT, group_commit=group_commit)
    try:
        yield store
    finally:
        faults = await store.audit()
        await store.close()
        assert not faults, faults[:3]


async def main(seconds: float, directory: Path, postgres: str) -> None:
    results: dict[tuple[str, bool, int], list[list[float]]] = {}
    for turn in range(ROUNDS):
        for engine in ("sqlite", "postgres"):
            for grouped in (False, True):
                for tills in CONCURRENCY:
                    took = await one_round(
                        engine, grouped, tills, seconds, directory / f"{turn}{grouped}{tills}.db", postgres
                    )
                    results.setdefault((engine, grouped, tills), []).append(took)
    print(f"{'engine':10}{'grouped':9}{'tills':>6}{'payments/s':>12}{'p50 ms':>9}{'p99 ms':>9}")
    for (engine, grouped, tills), rounds in results.items():
        took = sorted(rounds, key=len)[len(rounds) // 2]
        p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
        print(f"{engine:10}{grouped!s:9}{tills:6}{len(took) / seconds:12,.0f}{p50 * 1e3:9.2f}{p99 * 1e3:9.2f}")


async def one_round(engine: str, grouped: bool, tills: int, seconds: float, path: Path, postgres: str) -> list[float]:
    if engine == "sqlite":
        async with opened(f"sqlite:///{path}", grouped) as store:
            return await measure(store, tills, seconds)
    with fresh_database(postgres) as dsn:
        async with opened(dsn, grouped) as store:
            return await measure(store, tills, seconds)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o711)
        server = start_server(directory, durable=True, settings={"shared_buffers": "512MB", "max_wal_size": "4GB"})
        try:
            uvloop.run(main(float(sys.argv[1]) if sys.argv[1:] else 2.0, directory, server.dsn))
        finally:
            server.stop()
