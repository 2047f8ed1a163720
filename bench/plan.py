"""What is measured, in which order, and the measuring itself.

A round goes once through everything: the floors, then for each store, mode and dialect a new gateway on a new database,
loaded with ever more connections. Several rounds follow each other, and each figure is the median of its rounds; so a
change of the machine's mood touches all figures alike. When a gateway has ended, its books are audited.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import uvloop

from bench import books, floors, orders
from bench.codecs import codec_us
from bench.load import Load, Score
from bench.orders import ECHO
from bench.processes import Serving, cpu_of_family_s, cpu_s, run_load, started_server
from bench.server import HOST, RECEIVER
from tests.postgres import Server, fresh_database

#: More than are answered in a second; so many requests are signed beforehand in the first round. Later rounds know
#: better, and make ready so many times what was answered before.
_MOST_PER_S: Final = 16_000
_MOST_ECHOES_PER_S: Final = 45_000
_AMPLE: Final = 2
SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"
#: What grouping brings is the store's affair, so two dialects are enough to see it.
_ONE_BY_ONE_TOO: Final = ("teegon", "chaoying")


@dataclass(frozen=True, slots=True)
class Case:
    """A gateway to measure, and under how many connections, one after the other."""

    dialect: str
    store: str
    grouped: bool
    connections: tuple[int, ...]
    processes: int = 1
    deliver: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What a figure is about."""

    dialect: str
    store: str
    grouped: bool
    connections: int
    processes: int = 1
    deliver: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a row; times in milliseconds, CPU in microseconds a payment."""

    per_s: float
    p50_ms: float
    p99_ms: float
    server_cpu_us: float
    store_cpu_us: float = 0.0  # of the database's own processes


@dataclass(slots=True)
class Results:
    """All figures, round by round."""

    rows: dict[Row, list[Figures]] = field(default_factory=dict)
    pgbench_per_s: list[float] = field(default_factory=list)
    codec_us: dict[str, list[float]] = field(default_factory=dict)
    audited: int = 0  # payments whose books were found right

    def median(self, row: Row) -> Figures | None:
        """The middle of the rounds, figure by figure; None when it was not measured."""
        found = self.rows.get(row)
        if not found:
            return None
        names = Figures.__dataclass_fields__
        return Figures(**{name: statistics.median(getattr(each, name) for each in found) for name in names})


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    warm_up_s: float
    echo_connections: tuple[int, ...]
    cases: tuple[Case, ...]
    pgbench_s: int = 2


def plan(*, full: bool, rounds: int | None = None, seconds: float | None = None) -> Plan:
    """The quick plan, or the full one: more connections, longer and more rounds."""
    few, many = ((1, 8, 32, 128), (1, 8, 32, 128)) if full else ((1, 32, 128), (32, 128))
    cases: list[Case] = []
    for dialect in orders.dialects():
        modes = (False, True) if dialect in _ONE_BY_ONE_TOO else (True,)
        cases += [Case(dialect, SQLITE, grouped, few) for grouped in modes]
        cases += [Case(dialect, POSTGRES, grouped, many) for grouped in modes]
        if dialect in _ONE_BY_ONE_TOO:
            cases.append(Case(dialect, POSTGRES, True, (32, 128) if full else (128,), processes=2))
    # A terminal is at one trade at a time: more connections would be told that it is busy.
    cases += [Case(dialect, store, True, (1,)) for dialect in orders.terminals() for store in (SQLITE, POSTGRES)]
    # The only measured dialect whose till-side payments cause notices.
    if "teegon" in orders.dialects():
        cases.append(Case("teegon", POSTGRES, True, (32,), deliver=True))
    seconds = seconds or (3.0 if full else 1.0)
    return Plan(rounds or (5 if full else 3), seconds, 0.5 if full else 0.2, few, tuple(cases))


class Bench:
    """One measurement from beginning to end, with its files in `directory`.

    Without a server whatever needs PostgreSQL is left out; without its process number its CPU is not measured.
    """

    def __init__(
        self,
        plan: Plan,
        directory: Path,
        say: Callable[[str], None],
        postgres: Server | None = None,
        postgres_pid: int | None = None,
    ) -> None:
        self._plan = plan
        self._directory = directory
        self._postgres = postgres
        self._postgres_pid = postgres_pid
        self._say = say
        self._names = count(1)
        self.results = Results()

    def run(self) -> Results:
        """All rounds. Raises Failed as soon as a payment or a book is not right."""
        for number in range(self._plan.rounds):
            self._say(f"round {number + 1} of {self._plan.rounds}")
            self._floors()
            for case in self._plan.cases:
                if self._postgres is not None or case.store != POSTGRES:
                    self._measure(case)
        return self.results

    def _floors(self) -> None:
        for dialect in orders.dialects():
            self.results.codec_us.setdefault(dialect, []).append(codec_us(dialect))
        with started_server("echo") as server:
            for connections in self._plan.echo_connections:
                self._load(Row(ECHO, "", grouped=False, connections=connections), [server], 0)
        if self._postgres is not None:
            rate = floors.pgbench_per_s(self._postgres.dsn, self._directory, self._plan.pgbench_s)
            self.results.pgbench_per_s.append(uvloop.run(rate))

    def _measure(self, case: Case) -> None:
        kind = "terminal" if case.dialect in orders.terminals() else "gateway"
        with self._fresh_store(case.store) as url:
            answered, notice_url = 0, orders.NOTICE_URL
            with ExitStack() as stack:
                servers = [
                    stack.enter_context(started_server(kind, url, *_options(case))) for _ in range(case.processes)
                ]
                if case.deliver:
                    ear = stack.enter_context(started_server("echo"))
                    notice_url = f"http://{HOST}:{ear.port}{RECEIVER}"
                for connections in case.connections:
                    row = Row(case.dialect, case.store, case.grouped, connections, case.processes, case.deliver)
                    answered += self._load(row, servers, answered, notice_url)
            uvloop.run(books.check(url, answered))
            self.results.audited += answered

    def _load(self, row: Row, servers: Sequence[Serving], first: int, notice_url: str = orders.NOTICE_URL) -> int:
        """Load the servers, note the figures, return how many payments were answered."""
        most_per_s = _MOST_ECHOES_PER_S if row.dialect == ECHO else _MOST_PER_S
        if known := self.results.rows.get(row):
            most_per_s = _AMPLE * int(max(each.per_s for each in known))
        load = Load(
            name=row.dialect,
            ports=tuple(server.port for server in servers),
            connections=row.connections,
            warm_up_s=self._plan.warm_up_s,
            seconds=self._plan.seconds,
            first=first,
            most=int(most_per_s * (self._plan.warm_up_s + self._plan.seconds)) + row.connections,
            notice_url=notice_url,
        )
        before = self._cpu_s(row, servers)
        score = run_load(load)
        after = self._cpu_s(row, servers)
        server_us, store_us = ((after[n] - before[n]) / score.answered * 1e6 for n in range(2))
        self._note(row, score, server_us, store_us)
        return score.answered

    def _note(self, row: Row, score: Score, server_us: float, store_us: float) -> None:
        figures = Figures(score.per_s, score.p50_ms, score.p99_ms, server_us, store_us)
        self.results.rows.setdefault(row, []).append(figures)
        self._say(f"  {name(row):44} {row.connections:4} conn {score.per_s:9,.0f}/s")

    def _cpu_s(self, row: Row, servers: Sequence[Serving]) -> tuple[float, float]:
        store_s = 0.0
        if self._postgres_pid is not None and row.store == POSTGRES:
            store_s = cpu_of_family_s(self._postgres_pid)
        return sum(cpu_s(server.pid) for server in servers), store_s

    @contextmanager
    def _fresh_store(self, store: str) -> Iterator[str]:
        """The address of an empty store that goes away afterwards."""
        if store == SQLITE:
            path = self._directory / f"{next(self._names)}.db"
            try:
                yield f"sqlite:///{path}"
            finally:
                for file in self._directory.glob(f"{path.name}*"):
                    file.unlink()
        else:
            assert self._postgres is not None
            with fresh_database(self._postgres.dsn) as dsn:
                yield dsn


def name(row: Row) -> str:
    """The row in words, without its connections."""
    if row.dialect == ECHO:
        return "echo: the server alone"
    words = [row.dialect, row.store, "group commit" if row.grouped else "one by one"]
    words += ["2 processes"] if row.processes == 2 else []
    words += ["notices sent"] if row.deliver else []
    return ", ".join(words)


def _options(case: Case) -> list[str]:
    options: list[str] = []
    options += [] if case.grouped else ["--no-group-commit"]
    options += ["--deliver"] if case.deliver else []
    return options
