"""The table for people, the goals it is held against, and the same figures as JSON for machines.

Nothing here names this machine: cores, versions and the disk's speed are what a reader needs to compare.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.plan import ECHO, POSTGRES, SQLITE, Figures, Results, Row, name

_PACKAGES = ("anytill", "uvicorn", "uvloop", "httptools", "asyncpg", "apsw", "orjson", "fast-query-parsers")
#: Above this load others are using the cores, and even ratios are worth little.
_QUIET = 0.7
NOTES = (
    "Each figure is the median of its rounds; rounds of all rows are interleaved.",
    "A payment is one HTTP request: signature checked, intent committed, wallet asked, result and ledger committed.",
    "It counts only when the answer says paid; when a gateway has ended, its books are audited.",
    "The sandbox wallet keeps its journal in memory here: the gateway is measured, not a wallet.",
    "Notices are written with the payment; they are sent only in the row that says so, to another process.",
    "CPU is what the server's processes (plus the database's) used for one payment. Everything shares the cores.",
)


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio to reach: at least `goal`, or at most."""

    number: int
    title: str
    goal: float
    value: float | None
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        """None when it was not measured."""
        if self.value is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def goals(results: Results) -> list[Goal]:
    """What was wished for, with the worst dialect's value."""
    dialects = sorted(results.codec_us)

    def at(
        dialect: str, connections: int, store: str = POSTGRES, *, grouped: bool = True, n: int = 1
    ) -> Figures | None:
        return results.median(Row(dialect, store, grouped, connections, n))

    def worst(value: Callable[[str], float | None], *, at_most: bool = False) -> float | None:
        found = [each for dialect in dialects if (each := value(dialect)) is not None]
        return (max(found) if at_most else min(found)) if found else None

    def to_echo(connections: int) -> Callable[[str], float | None]:
        return lambda dialect: _ratio(_rate(at(dialect, connections)), _rate(_echo(results, connections)))

    def p50(store: str, *connections: int) -> Callable[[str], float | None]:
        def slowest(dialect: str) -> float | None:
            found = [
                _ratio(_p50(at(dialect, number, store)), _p50(at(dialect, number, store, grouped=False)))
                for number in connections
            ]
            return max((each for each in found if each is not None), default=None)

        return slowest

    def spread(dialect: str) -> float | None:
        found = at(dialect, 32)
        return _ratio(found.p99_ms, found.p50_ms) if found else None

    pgbench = median(results.pgbench_per_s) if results.pgbench_per_s else None
    echo = _echo(results, 32)
    return [
        Goal(1, "group commit ÷ echo, PostgreSQL, 32 connections", 0.20, worst(to_echo(32))),
        Goal(2, "the same, 128 connections", 0.30, worst(to_echo(128))),
        Goal(3, "group commit ÷ pgbench, 32 connections", 0.75, worst(lambda d: _ratio(_rate(at(d, 32)), pgbench))),
        Goal(
            4, "2 processes ÷ pgbench, 128 connections", 1.3, worst(lambda d: _ratio(_rate(at(d, 128, n=2)), pgbench))
        ),
        Goal(
            5,
            "group commit ÷ one by one, PostgreSQL, 128 connections",
            1.8,
            worst(lambda d: _ratio(_rate(at(d, 128)), _rate(at(d, 128, grouped=False)))),
        ),
        Goal(
            6,
            "p50: group commit ÷ one by one, PostgreSQL, 8 to 128 connections",
            1.0,
            worst(p50(POSTGRES, 8, 32, 128), at_most=True),
            True,
        ),
        Goal(6, "the same, PostgreSQL, 1 connection", 1.10, worst(p50(POSTGRES, 1), at_most=True), True),
        Goal(6, "the same, SQLite, 1 connection", 1.10, worst(p50(SQLITE, 1), at_most=True), True),
        Goal(7, "p99 ÷ p50, group commit, PostgreSQL, 32", 2.0, worst(spread, at_most=True), True),
        Goal(
            8,
            "SQLite: group commit ÷ one by one, 32 connections",
            3.0,
            worst(lambda d: _ratio(_rate(at(d, 32, SQLITE)), _rate(at(d, 32, SQLITE, grouped=False)))),
        ),
        Goal(
            10,
            "codec ÷ the server's CPU for an echo",
            1.0,
            worst(lambda d: _ratio(median(results.codec_us[d]), echo.server_cpu_us if echo else None), at_most=True),
            True,
        ),
    ]


def show(results: Results, facts: Mapping[str, Any], console: Console) -> None:
    """Print the table, the codecs, the goals and the notes."""
    pgbench = median(results.pgbench_per_s) if results.pgbench_per_s else None
    table = Table(title="Payments a second, from end to end", title_justify="left")
    table.add_column("what")
    for column in ("conn", "per s", "÷ echo", "÷ pgbench", "÷ one by one", "p50 ms", "p99 ms", "CPU µs"):
        table.add_column(column, justify="right")
    for row in sorted(results.rows, key=_order):
        found = results.median(row)
        assert found is not None
        alone = results.median(Row(row.dialect, row.store, False, row.connections)) if row.grouped else None
        table.add_row(
            name(row),
            str(row.connections),
            f"{found.per_s:,.0f}",
            _text(_ratio(found.per_s, _rate(_echo(results, row.connections)))),
            _text(_ratio(found.per_s, pgbench) if row.store == POSTGRES else None),
            _text(_ratio(found.per_s, _rate(alone))),
            f"{found.p50_ms:.2f}",
            f"{found.p99_ms:.2f}",
            f"{found.server_cpu_us:.0f}" + (f" + {found.store_cpu_us:.0f}" if found.store_cpu_us else ""),
        )
    console.print(table)
    if pgbench:
        console.print(f"pgbench, 32 clients, the same two commits: {pgbench:,.0f}/s")
    for dialect, took in sorted(results.codec_us.items()):
        console.print(f"codec of {dialect}: {median(took):.1f} µs a payment (read, check, order, answer, sign, write)")
    console.print(_goal_table(results))
    if facts["load_before"] > _QUIET:
        console.print(f"[yellow]The machine was busy when this began (load {facts['load_before']}): measure again.[/]")
    for note in NOTES:
        console.print(f"· {note}", soft_wrap=True)
    console.print(f"audited: {results.audited:,} payments, every book right")


def as_json(results: Results, facts: Mapping[str, Any]) -> str:
    """All figures, with every round's payments a second."""
    rows = [
        {
            **asdict(row),
            **{key: round(value, 3) for key, value in asdict(found).items()},
            "rounds_per_s": [round(each.per_s) for each in results.rows[row]],
        }
        for row in sorted(results.rows, key=_order)
        if (found := results.median(row))
    ]
    document = {
        "machine": dict(facts),
        "rows": rows,
        "pgbench_per_s": [round(each) for each in results.pgbench_per_s],
        "codec_us": {dialect: round(median(took), 1) for dialect, took in results.codec_us.items()},
        "goals": [
            {**asdict(goal), "value": goal.value and round(goal.value, 3), "met": goal.met} for goal in goals(results)
        ],
        "audited": results.audited,
        "notes": list(NOTES),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def machine_facts(sync_us: float, postgres: str) -> dict[str, Any]:
    """What a reader needs to compare: no names, no places."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "postgres": postgres,
        "packages": {package: version(package) for package in _PACKAGES},
        "disk_sync_us": round(sync_us),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _goal_table(results: Results) -> Table:
    table = Table(title="Goals (the worst dialect counts)", title_justify="left")
    for column in ("#", "ratio", "goal", "value", ""):
        table.add_column(column)
    for goal in goals(results):
        sign = "≤" if goal.at_most else "≥"
        verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: "not measured"}[goal.met]
        table.add_row(str(goal.number), goal.title, f"{sign} {goal.goal:g}", _text(goal.value), verdict)
    return table


def _order(row: Row) -> tuple[object, ...]:
    return (row.dialect != ECHO, row.dialect, row.store, row.deliver, row.processes, row.grouped, row.connections)


def _echo(results: Results, connections: int) -> Figures | None:
    return results.median(Row(ECHO, "", False, connections))


def _rate(figures: Figures | None) -> float | None:
    return figures.per_s if figures else None


def _p50(figures: Figures | None) -> float | None:
    return figures.p50_ms if figures else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
