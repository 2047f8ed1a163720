"""The bench does not rot: all of it runs for a moment, and what must end a measurement does. No figure is looked at."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from anytill.core.payment import Verdict
from anytill.dialects import load_dialects
from bench import books, codecs, orders, report
from bench.load import Load, Tills, read, written
from bench.plan import POSTGRES, SQLITE, Bench, Case, Plan, Row, plan
from bench.processes import Failed, Others, run_load, started_server
from tests.postgres import Server

pytestmark = pytest.mark.timeout(600)

DIALECTS = orders.dialects()
TERMINALS = orders.terminals()
FACTS = {"cores": 2, "load_before": 9.0, "others_cores": 0.5}


def moment(*cases: Case) -> Plan:
    return Plan(rounds=1, seconds=0.05, warm_up_s=0.0, echo_connections=(2,), cases=cases, pgbench_s=1)


def load(dialect: str, port: int, **changes: object) -> Load:
    few = Load(dialect, (port,), connections=2, warm_up_s=0.0, seconds=30.0, first=0, most=6)
    return replace(few, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_codec_alone_is_measured(dialect: str) -> None:
    assert codecs.codec_us(dialect, requests=2) > 0


def test_every_dialect_is_measured() -> None:
    assert {*DIALECTS, *TERMINALS} == {*load_dialects()}
    assert TERMINALS == ["qfpay"]


@pytest.mark.parametrize("dialect", [*DIALECTS, *TERMINALS])
def test_no_two_requests_are_alike(dialect: str) -> None:
    form = orders.order(dialect)
    assert len({form.fill(number) for number in range(100)}) == 100


@pytest.mark.parametrize("dialect", [*DIALECTS, *TERMINALS])
def test_only_an_answer_that_says_so_is_paid(dialect: str) -> None:
    form = orders.order(dialect)
    for answer in (b"", b"success", form.fill(1)):
        assert not form.is_paid(answer)


def test_a_load_survives_the_way_to_its_process() -> None:
    there = load(DIALECTS[0], 1234)
    assert read(written(there)) == there


@pytest.mark.parametrize(
    ("dialect", "grouped"), [("teegon", False), ("chaoying", True), ("semoor", True), ("yst", True)]
)
def test_a_gateway_on_sqlite_is_measured_and_audited(dialect: str, grouped: bool, tmp_path: Path) -> None:
    said: list[str] = []
    results = Bench(moment(Case(dialect, SQLITE, grouped, (1, 2))), tmp_path, said.append).run()
    assert {row.connections for row in results.rows if row.dialect == dialect} == {1, 2}
    assert results.audited >= 3
    assert list(tmp_path.iterdir()) == []
    assert said[0] == "round 1 of 1"


def test_a_terminal_is_measured_and_audited(tmp_path: Path) -> None:
    results = Bench(moment(Case("qfpay", SQLITE, True, (1,))), tmp_path, lambda _: None).run()
    assert results.median(Row("qfpay", SQLITE, True, 1)) is not None
    assert results.audited >= 1


def test_a_gateway_on_postgres_is_measured_and_reported(postgres_server: Server, tmp_path: Path) -> None:
    cases = (
        Case("teegon", POSTGRES, True, (2,)),
        Case("teegon", POSTGRES, True, (2,), deliver=True),
        Case("chaoying", POSTGRES, True, (2,), processes=2),
    )
    results = Bench(moment(*cases), tmp_path, lambda _: None, postgres_server).run()
    assert results.pgbench_per_s[0] > 0
    assert results.median(Row("chaoying", POSTGRES, True, 2, processes=2)) is not None
    shown = io.StringIO()
    report.show(results, FACTS, Console(file=shown, width=160))
    assert "notices sent" in shown.getvalue()
    assert "every book right" in shown.getvalue()
    assert "busy when this began (load 9.0)" in shown.getvalue()
    assert "Others used 0.5 cores" in shown.getvalue()
    document = json.loads(report.as_json(results, FACTS))
    assert len(document["rows"]) == 4
    assert {goal["number"] for goal in document["goals"]} == {1, 2, 3, 4, 5, 6, 7, 8, 10}


def test_an_answer_that_does_not_say_paid_ends_the_measurement() -> None:
    with started_server("echo") as server, pytest.raises(Failed, match="6 answers did not say"):
        run_load(load("chaoying", server.port))


def test_an_encrypted_answer_that_does_not_say_paid_ends_it_too() -> None:
    with started_server("echo") as server, pytest.raises(Failed, match="6 answers did not say"):
        run_load(load("yst", server.port))


@pytest.mark.anyio
async def test_books_that_hold_another_number_end_the_measurement(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    with started_server("gateway", url) as server:
        score = await Tills(load(DIALECTS[0], server.port)).run()
    assert score.answered == 6
    await books.check(url, 6)
    with pytest.raises(Failed, match="7 payments were told as paid; the store holds 6"):
        await books.check(url, 7)


def test_a_server_that_does_not_start_ends_the_measurement() -> None:
    with pytest.raises(Failed, match="did not start"), started_server("gateway", "file:///nowhere"):
        pass


def test_both_plans_measure_both_modes_of_both_stores() -> None:
    for chosen in (plan(full=False), plan(full=True)):
        seen = {(case.store, case.grouped) for case in chosen.cases}
        assert seen == {(store, grouped) for store in (SQLITE, POSTGRES) for grouped in (False, True)}
        assert {case.dialect for case in chosen.cases} == {*DIALECTS, *TERMINALS}
        assert {case.connections for case in chosen.cases if case.dialect in TERMINALS} == {(1,)}


def test_what_children_of_ours_take_is_not_taken_by_others() -> None:
    others = Others(None)
    subprocess.run([sys.executable, "-c", "sum(range(30_000_000))"], check=True)
    whole, ours, _ = others._now_s()
    assert whole > others._began[0]
    assert ours > others._began[1]
    assert 0 <= others.cores() <= (os.cpu_count() or 1)


def test_a_ready_gateway_tells_a_paid_payment() -> None:
    ready = codecs.ReadyGateway(load_dialects()[DIALECTS[0]])
    assert ready.payment.verdict is Verdict.PAID
