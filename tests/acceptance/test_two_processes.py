"""Two processes on one PostgreSQL store, with one wallet behind both: a third gateway, which sees every charge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.acceptance.harness import Demo, Serve, running
from tests.acceptance.shop import payment_id
from tests.acceptance.tills import Told, Word

AT_ONCE = 40
SANDBOX = 'kind = "sandbox"'


@pytest.fixture
def pair(own_demo: Demo, postgres_dsn: str, tmp_path: Path) -> Iterator[Sequence[Serve]]:
    """The same shop served twice; the demo is its bank."""
    first = Serve(tmp_path / "first", store=postgres_dsn)
    second = Serve(tmp_path / "second", store=postgres_dsn, secrets=first.secrets, master_key=first.master_key)
    access = own_demo.access["chaoying"]
    first.secrets |= {"BANK_KEY": access["key"]}  # type: ignore[operator]
    bank = {"kind": "upstream", "dialect": "chaoying", "secret_name": "key", "secret_env": "BANK_KEY"}
    bank |= {name: value for name, value in access.items() if name != "key"}
    for serve in (first, second):
        text = serve.config.read_text()
        assert SANDBOX in text
        lines = [line for line in text.splitlines() if not line.strip().startswith("book =")]
        settings = "\n".join(f"{name} = {json.dumps(value)}" for name, value in bank.items())
        serve.config.write_text("\n".join(lines).replace(SANDBOX, settings))
    with running(first), running(second):
        yield first, second


def together(serves: Sequence[Serve], code: str) -> Sequence[Told]:
    """What the shop's one Semoor device is told that asks both at one moment."""
    tills = [serve.semoor() for serve in serves]
    start = Barrier(AT_ONCE)

    def one(number: int) -> Told:
        start.wait(30)
        return tills[number % len(tills)].pay("", 100, code)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, range(AT_ONCE)))


def test_what_has_no_number_is_done_once(pair: Sequence[Serve], own_demo: Demo) -> None:
    for number in range(1, 6):
        code = f"1399999900000{number:03d}00"
        told = together(pair, code)
        assert {each.word for each in told} <= {Word.YES, Word.OPEN}
        (ours,) = {payment_id(each) for each in told}
        for serve in pair:
            assert payment_id(serve.semoor().pay("", 100, code)) == ours
            assert serve.semoor().query_lost(code=code).word is Word.YES
            assert serve.semoor().refund(f"dm{ours}", 30).word is Word.YES
        totals = own_demo.totals()
        assert [totals[name] for name in ("orders", "charged_fen", "refunded_fen")] == [
            number,
            100 * number,
            30 * number,
        ]
