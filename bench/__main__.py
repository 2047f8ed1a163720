"""`python -m bench`: measure, print, write bench/result.json. Ends with 1 when a payment or a book was not right."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import asyncpg
import uvloop
from rich.console import Console

from bench import floors, report
from bench.plan import Bench, plan
from bench.processes import Failed, Others
from tests.postgres import NoServer, Server, open_directory, start_server

RESULT = Path(__file__).parent / "result.json"
_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


def main() -> int:
    """Run the measurement that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Payments a second, from end to end.")
    parser.add_argument("--full", action="store_true", help="more connections, longer and more rounds")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--seconds", type=float, help="how long each measurement lasts")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the figures go as JSON")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    progress = Console(stderr=True, style="dim")
    began = time.monotonic()
    with open_directory() as directory:
        server = _server(directory, progress)
        try:
            facts = report.machine_facts(floors.sync_us(directory), _version(server))
            others = Others(_pid(server, directory))
            chosen = plan(full=options.full, rounds=options.rounds, seconds=options.seconds)
            bench = Bench(chosen, directory, partial(progress.print, highlight=False), server, _pid(server, directory))
            results = bench.run()
            facts["others_cores"] = round(others.cores(), 2)
        except Failed as failed:
            console.print(f"[red]bench: {failed}[/]", soft_wrap=True)
            return 1
        finally:
            if server is not None:
                server.stop()
    report.show(results, facts, console)
    options.out.write_text(report.as_json(results, facts), encoding="utf-8")
    console.print(f"{time.monotonic() - began:.0f} s")
    return 0


def _server(directory: Path, progress: Console) -> Server | None:
    try:
        return start_server(directory, durable=True, settings=_SETTINGS)
    except NoServer as reason:
        progress.print(f"without PostgreSQL: {reason}")
        return None


def _pid(server: Server | None, directory: Path) -> int | None:
    if server is None:
        return None
    return int((directory / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def _version(server: Server | None) -> str:
    async def ask(dsn: str) -> str:
        connection = await asyncpg.connect(dsn)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    return uvloop.run(ask(server.dsn)) if server is not None else ""


if __name__ == "__main__":
    sys.exit(main())
