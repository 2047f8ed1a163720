"""The command line against a running demo: what it prints, what its exit codes say, and what `serve` refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Demo, command
from tests.acceptance.tills import Word


def asked(demo: Demo, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a command and the JSON object it printed."""
    run = command(*arguments, "--json", "--settings", str(demo.access_file))
    assert run.stdout, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return run.returncode, document


def test_sandbox_prints_what_a_till_needs(demo: Demo) -> None:
    run = command("sandbox", "--json", "--data", str(demo.folder / "data"))
    assert run.returncode == 0
    access = json.loads(run.stdout)
    assert access == demo.access
    assert {"base_url", "client_id", "client_secret"} <= set(access["teegon"])
    assert {"base_url", "agent_id", "key", "mch_id"} <= set(access["chaoying"])
    assert access["teegon"]["base_url"] == demo.url


def test_a_payment_from_pay_to_refund(demo: Demo) -> None:
    code, paid = asked(demo, "pay", "0.05", "135555550000000100", "--order-no", "CLI00001", "--dialect", "chaoying")
    assert (code, paid["state"], paid["amount"]) == (0, "PAID", "0.05")
    code, found = asked(demo, "query", "CLI00001")
    assert (code, found["state"], found["payment_id"]) == (0, "PAID", paid["payment_id"])
    code, back = asked(demo, "refund", "CLI00001", "0.02", "--refund-no", "CLI00001R")
    assert (code, back["state"], back["amount"]) == (0, "DONE", "0.02")
    (row,) = demo.book("CLI00001")
    assert (row["charged_fen"], row["refunded_fen"], row["net_fen"]) == (5, 2, 3)


def test_a_payment_through_teegon(demo: Demo) -> None:
    url = f"{demo.url}/sandbox/notify"
    arguments = ("pay", "0.01", "135555550000000200", "--order-no", "CLI00002", "--notify-url", url)
    code, paid = asked(demo, *arguments)
    assert (code, paid["state"]) == (0, "PAID")
    code, again = asked(demo, *arguments)
    assert (code, again["payment_id"]) == (0, paid["payment_id"])
    assert len(demo.book("CLI00002")) == 1


def test_what_is_not_paid_has_an_exit_code_of_its_own(demo: Demo) -> None:
    code, declined = asked(demo, "pay", "0.05", "135555550000000304", "--order-no", "CLI00003", "--dialect", "chaoying")
    assert (code, declined["verdict"]) == (1, "NOT_PAID")
    code, waiting = asked(
        demo, "pay", "0.05", "135555550000000403", "--order-no", "CLI00004", "--dialect", "chaoying", "--no-wait"
    )
    assert (code, waiting["verdict"]) == (1, "OPEN")
    _, cancelled = asked(demo, "cancel", "CLI00004")
    assert cancelled["verdict"] == "NOT_PAID"
    assert demo.book("CLI00004")[0]["state"] == "CANCELLED"


def test_what_went_wrong_is_told_in_a_sentence(demo: Demo, tmp_path: Path) -> None:
    settings = ("--settings", str(demo.access_file))
    run = command("query", "NOSUCH01", *settings)
    assert run.returncode == 2
    assert "refused" in run.stderr
    assert command("pay", "1e3", "135555550000000500", *settings).returncode == 2
    assert command("pay", "0.01", "135555550000000500", "--dialect", "morse", *settings).returncode == 2
    nobody = tmp_path / "nobody.json"
    nobody.write_text(json.dumps({"chaoying": demo.access["chaoying"] | {"base_url": "http://127.0.0.1:1"}}))
    run = command("query", "CLI00001", "--settings", str(nobody))
    assert run.returncode == 3
    assert "not known" in run.stderr
    for run in (command("query", "NOSUCH01", *settings), command("nothing")):
        assert "Traceback" not in run.stderr


def test_the_books_can_be_audited_while_the_gateway_runs(demo: Demo) -> None:
    demo.audit()
    assert demo.chaoying().pay("CLI00006", 1, "135555550000000600").word is Word.YES
    demo.audit()
    run = command("audit", "--store", f"sqlite:///{demo.folder / 'nothing.db'}")
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert not (demo.folder / "nothing.db").exists()


SETTINGS = """
[store]
url = "sqlite:///{folder}/shop.db"
[keys]
master_file = "{folder}/master.key"
[channel.wallet]
kind = "sandbox"
book = "{folder}/wallet.journal"
[[merchant]]
id = "shop"
name = "Corner Shop"
[[credential]]
dialect = "teegon"
login = "corner0shop0till0000001"
secret_env = "TILL_SECRET"
merchants = {{"" = "shop"}}
"""
GOOD_SECRET = "b1946ac92492d2347c6235b4d2611184"


@pytest.mark.parametrize(
    ("change", "secret", "sentence"),
    [
        (("corner0shop0till0000001", "sandbox0teegon0till00001"), GOOD_SECRET, "sandbox credential"),
        (("", ""), "sandbox0teegon0secret00000000001", "sandbox credential"),
        (("", ""), "short", "at least 16 characters"),
        (("", ""), "", "at least 16 characters"),
        (('dialect = "teegon"', 'dialect = "morse"'), GOOD_SECRET, "dialect must be one of"),
        (('kind = "sandbox"', 'kind = "cash"'), GOOD_SECRET, "kind must be one of"),
        (("[store]", "[stores]"), GOOD_SECRET, "there is no setting"),
        (("[store]", "[store"), GOOD_SECRET, "not TOML"),
        (("sqlite:///", "oracle://"), GOOD_SECRET, "sqlite:///"),
        (("sqlite:///{folder}/shop.db", "postgresql://nobody@127.0.0.1:1/none"), GOOD_SECRET, "store.url"),
        (("master.key", "no.such.key"), GOOD_SECRET, "master_file"),
    ],
)
def test_serve_refuses_what_cannot_work(tmp_path: Path, change: tuple[str, str], secret: str, sentence: str) -> None:
    (tmp_path / "master.key").write_text("00112233445566778899aabbccddeeff" * 2)
    config = tmp_path / "anytill.toml"
    text = SETTINGS.replace(*change) if change[0] else SETTINGS
    config.write_text(text.format(folder=tmp_path))
    run = command("serve", "--config", str(config), "--port", "0", environment={"TILL_SECRET": secret})
    assert (run.returncode, run.stdout) == (2, "")
    assert sentence in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not secret or secret not in run.stderr


def test_two_demos_cannot_share_a_folder(demo: Demo) -> None:
    run = command("demo", "--port", "0", "--data", str(demo.folder / "data"))
    assert run.returncode == 2
    assert "in use by another process" in run.stderr
    assert demo.access["teegon"]["base_url"] == demo.url
    assert demo.get("/readyz")[0] == 200


def test_a_port_that_is_taken(demo: Demo, tmp_path: Path) -> None:
    run = command("demo", "--port", str(demo.port), "--data", str(tmp_path / "other"))
    assert run.returncode == 2
    assert "in use" in run.stderr
    assert "Traceback" not in run.stderr


def test_serve_refuses_a_demos_store(own_demo: Demo, tmp_path: Path) -> None:
    assert own_demo.terminate() == 0
    config = tmp_path / "anytill.toml"
    config.write_text(SETTINGS.format(folder=tmp_path))
    environment = {"TILL_SECRET": GOOD_SECRET, "ANYTILL_STORE__URL": own_demo.store_url}
    environment["ANYTILL_KEYS__MASTER_FILE"] = own_demo.audit_environment["ANYTILL_KEYS__MASTER_FILE"]
    run = command("serve", "--config", str(config), "--port", "0", environment=environment)
    assert run.returncode == 2
    assert "demo" in run.stderr
    own_demo.start()
    assert own_demo.chaoying().pay("CLI00009", 1, "135555550000000900").fields["trade_state"] == "SUCCESS"
