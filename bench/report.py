"""The table for people, the goals it is held against, and the same figures as JSON for machines.

Nothing here names this machine: cores, versions and the disk's speed are what a reader needs to compare.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.orders import ECHO
from bench.plan import POSTGRES, SQLITE, Figures, Results, Row, name

_PACKAGES = ("anytill", "uvicorn", "uvloop", "httptools", "asyncpg", "apsw", "orjson", "fast-query-parsers")
#: Above this load others are using the cores, and even ratios are worth little.
_QUIET = 0.7
#: The same for the cores that others had meanwhile, on average.
_QUIET_CORES = 0.1
NOTES = (
    "Each figure is the median of its rounds; rounds of all rows are interleaved.",
    "A payment is one HTTP request: signature checked, intent committed, wallet asked, result and ledger committed.",
    "It counts only when the answer says paid; when a gateway has ended, its books are audited.",
    "The sandbox wallet keeps its journal in memory here: the gateway is measured, not a wallet.",
    "Notices are written with the payment; they are sent only in the row that says so, to another process.",
    "A terminal takes one trade at a time: its rows are one till, one terminal, and a customer who acts at once.",
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
    return [goal for wished in _GOALS for goal in wished(_Measured(results))]


class _Measured:
    """The questions that goals ask of the figures. Whatever was not measured is None."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self.pgbench_per_s = median(results.pgbench_per_s) if results.pgbench_per_s else None

    def worst(self, value: Callable[[str], float | None], *, at_most: bool = False) -> float | None:
        """The worst dialect's value: the least, or the largest when less is better."""
        found = [each for dialect in sorted(self._results.codec_us) if (each := value(dialect)) is not None]
        return (max(found) if at_most else min(found)) if found else None

    def at(
        self, dialect: str, connections: int, store: str = POSTGRES, *, grouped: bool = True, processes: int = 1
    ) -> Figures | None:
        """The figures of a gateway."""
        return self._results.median(Row(dialect, store, grouped, connections, processes))

    def echo(self, connections: int) -> Figures | None:
        """The figures of a server that only echoes."""
        return _echo(self._results, connections)

    def codec_us(self, dialect: str) -> float:
        """What the codec alone takes for a payment."""
        return median(self._results.codec_us[dialect])

    def to_one_by_one(self, connections: int, store: str = POSTGRES) -> float | None:
        """How many times faster group commit is, at the worst."""
        return self.worst(
            lambda dialect: _ratio(
                _rate(self.at(dialect, connections, store)), _rate(self.at(dialect, connections, store, grouped=False))
            )
        )

    def p50_to_one_by_one(self, store: str, *connections: int) -> float | None:
        """How many times as long a payment takes with group commit, at the worst."""

        def slowest(dialect: str) -> float | None:
            found = [
                _ratio(_p50(self.at(dialect, number, store)), _p50(self.at(dialect, number, store, grouped=False)))
                for number in connections
            ]
            return max((each for each in found if each is not None), default=None)

        return self.worst(slowest, at_most=True)


def _beside_an_echo(measured: _Measured) -> Iterator[Goal]:
    def at(connections: int) -> float | None:
        echo = _rate(measured.echo(connections))
        return measured.worst(lambda dialect: _ratio(_rate(measured.at(dialect, connections)), echo))

    yield Goal(1, "group commit ÷ echo, PostgreSQL, 32 connections", 0.20, at(32))
    yield Goal(2, "the same, 128 connections", 0.30, at(128))


def _beside_pgbench(measured: _Measured) -> Iterator[Goal]:
    floor = measured.pgbench_per_s
    one = measured.worst(lambda dialect: _ratio(_rate(measured.at(dialect, 32)), floor))
    yield Goal(3, "group commit ÷ pgbench, 32 connections", 0.75, one)
    two = measured.worst(lambda dialect: _ratio(_rate(measured.at(dialect, 128, processes=2)), floor))
    yield Goal(4, "2 processes ÷ pgbench, 128 connections", 1.3, two)


def _worth_of_grouping(measured: _Measured) -> Iterator[Goal]:
    yield Goal(5, "group commit ÷ one by one, PostgreSQL, 128 connections", 1.8, measured.to_one_by_one(128))


def _cost_of_grouping(measured: _Measured) -> Iterator[Goal]:
    many = measured.p50_to_one_by_one(POSTGRES, 8, 32, 128)
    yield Goal(6, "p50: group commit ÷ one by one, PostgreSQL, 8 to 128 connections", 1.0, many, at_most=True)
    for store, title in ((POSTGRES, "PostgreSQL"), (SQLITE, "SQLite")):
        alone = measured.p50_to_one_by_one(store, 1)
        yield Goal(6, f"the same, {title}, 1 connection", 1.10, alone, at_most=True)


def _evenness(measured: _Measured) -> Iterator[Goal]:
    def spread(dialect: str) -> float | None:
        found = measured.at(dialect, 32)
        return _ratio(found.p99_ms, found.p50_ms) if found else None

    value = measured.worst(spread, at_most=True)
    yield Goal(7, "p99 ÷ p50, group commit, PostgreSQL, 32", 2.0, value, at_most=True)


def _worth_of_grouping_on_a_file(measured: _Measured) -> Iterator[Goal]:
    yield Goal(8, "SQLite: group commit ÷ one by one, 32 connections", 3.0, measured.to_one_by_one(32, SQLITE))


def _cost_of_a_codec(measured: _Measured) -> Iterator[Goal]:
    echo = measured.echo(32)
    floor_us = echo.server_cpu_us if echo else None
    value = measured.worst(lambda dialect: _ratio(measured.codec_us(dialect), floor_us), at_most=True)
    yield Goal(10, "codec ÷ the server's CPU for an echo", 1.0, value, at_most=True)


#: One for each thing that was wished for, in the order of their numbers.
_GOALS: Final[Sequence[Callable[[_Measured], Iterator[Goal]]]] = (
    _beside_an_echo,
    _beside_pgbench,
    _worth_of_grouping,
    _cost_of_grouping,
    _evenness,
    _worth_of_grouping_on_a_file,
    _cost_of_a_codec,
)


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
    if facts["others_cores"] > _QUIET_CORES:
        console.print(f"[yellow]Others used {facts['others_cores']} cores while this ran: measure again.[/]")
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
