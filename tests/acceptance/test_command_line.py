"""The command line against a running demo: what it prints, what its exit codes say, and what `serve` refuses."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Demo, Serve, command, running
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
    code, paid = asked(demo, "pay", "0.05", "135555550000000100", "--order-no", "CLI00001")
    assert (code, paid["state"], paid["amount"]) == (0, "PAID", "0.05")
    code, found = asked(demo, "query", "CLI00001")
    assert (code, found["state"], found["payment_id"]) == (0, "PAID", paid["payment_id"])
    code, back = asked(demo, "refund", "CLI00001", "0.02", "--refund-no", "CLI00001R")
    assert (code, back["state"], back["amount"]) == (0, "DONE", "0.02")
    (row,) = demo.book("CLI00001")
    assert (row["charged_fen"], row["refunded_fen"], row["net_fen"]) == (5, 2, 3)


def test_a_payment_through_teegon(demo: Demo) -> None:
    arguments = ("pay", "0.01", "135555550000000200", "--order-no", "CLI00002", "--dialect", "teegon")
    code, paid = asked(demo, *arguments)
    assert (code, paid["state"]) == (0, "PAID")
    code, again = asked(demo, *arguments)
    assert (code, again["payment_id"]) == (0, paid["payment_id"])
    assert len(demo.book("CLI00002")) == 1


def test_what_is_not_paid_has_an_exit_code_of_its_own(demo: Demo) -> None:
    code, declined = asked(demo, "pay", "0.05", "135555550000000304", "--order-no", "CLI00003")
    assert (code, declined["verdict"]) == (1, "NOT_PAID")
    code, waiting = asked(demo, "pay", "0.05", "135555550000000403", "--order-no", "CLI00004", "--no-wait")
    assert (code, waiting["verdict"]) == (1, "OPEN")


def test_an_order_that_is_taken_back_is_a_success(demo: Demo) -> None:
    asked(demo, "pay", "0.05", "135555550000000703", "--order-no", "CLI00007", "--no-wait")
    run = command("cancel", "CLI00007", "--settings", str(demo.access_file))
    assert (run.returncode, run.stderr.strip()) == (0, "taken back")
    assert "verdict=NOT_PAID" in run.stdout
    assert demo.book("CLI00007")[0]["state"] == "CANCELLED"


@pytest.mark.parametrize(
    ("amount", "state", "sentence"),
    [("0.92", "FAILED", "under a new number"), ("0.93", "RETURNED_TO_CASH", "pay the payer by hand")],
)
def test_a_refund_that_did_not_reach_the_payer_says_what_to_do(
    demo: Demo, amount: str, state: str, sentence: str
) -> None:
    number = f"CLI8{amount[2:]}"
    asked(demo, "pay", "5.00", f"1355555500000{amount[2:]}800", "--order-no", number)
    run = command("refund", number, amount, "--settings", str(demo.access_file))
    assert run.returncode == 1
    assert f"state={state}" in run.stdout
    assert sentence in run.stderr


@contextmanager
def server_that_hangs_up() -> Iterator[int]:
    """Takes a request in and closes the connection without an answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def settings_at(demo: Demo, url: str, folder: Path) -> str:
    file = folder / "elsewhere.json"
    file.write_text(json.dumps({name: values | {"base_url": url} for name, values in demo.access.items()}))
    return str(file)


def test_nothing_sent_and_nothing_heard_are_told_apart(demo: Demo, tmp_path: Path) -> None:
    run = command("query", "CLI00001", "--settings", settings_at(demo, "http://127.0.0.1:1", tmp_path))
    assert run.returncode == 3
    assert "cannot connect to http://127.0.0.1:1" in run.stderr
    assert "Nothing was sent" in run.stderr
    with server_that_hangs_up() as port:
        file = settings_at(demo, f"http://127.0.0.1:{port}", tmp_path)
        run = command("pay", "0.01", "135555550000000900", "--settings", file)
    assert run.returncode == 3
    assert "not known" in run.stderr
    assert "Nothing was sent" not in run.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "no such file"),
        ("{", "not JSON"),
        ("[]", "one JSON object is expected"),
        ('{"chaoying": 1}', "one JSON object is expected"),
        ('{"chaoying": {"key": "k"}}', "chaoying needs base_url"),
    ],
)
def test_a_settings_file_that_makes_no_client(tmp_path: Path, text: str | None, sentence: str) -> None:
    file = tmp_path / "settings.json"
    if text is not None:
        file.write_text(text)
    run = command("pay", "0.01", "135555550000000900", "--settings", str(file))
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"--settings {file}: ")
    assert sentence in run.stderr
    assert len(run.stderr.splitlines()) == 1  # no order number: nothing was tried


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:1/x", "http://127.0.0.1:port", "ftp://127.0.0.1"])
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    run = command("pay", "0.01", "135555550000000900", "--url", url, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith(f"--url {url}: ")
    assert len(run.stderr.splitlines()) == 1


def test_a_dialect_that_asks_by_the_gateways_number_only(demo: Demo) -> None:
    run = command("query", "CLI00001", "--dialect", "teegon", "--settings", str(demo.access_file))
    assert run.returncode == 2
    assert "give --payment-id" in run.stderr


def test_no_demo_is_announced_where_none_runs(demo: Demo, tmp_path: Path) -> None:
    running_one = command("sandbox", "--data", str(demo.folder / "data")).stdout
    assert f"anytill demo at {demo.url}" in running_one
    none = command("sandbox", "--url", "http://127.0.0.1:1", "--data", str(tmp_path)).stdout
    assert "a demo would be at http://127.0.0.1:1" in none
    assert "Ctrl-C" not in none


def test_what_went_wrong_is_told_in_a_sentence(demo: Demo) -> None:
    settings = ("--settings", str(demo.access_file))
    run = command("query", "NOSUCH01", *settings)
    assert run.returncode == 2
    assert "refused" in run.stderr
    assert command("pay", "1e3", "135555550000000500", *settings).returncode == 2
    assert command("pay", "0.01", "135555550000000500", "--dialect", "morse", *settings).returncode == 2
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
        (
            ('name = "Corner Shop"', 'name = "x"\nchannels = {{"" = "walet"}}'),
            GOOD_SECRET,
            "no channel walet; there is wallet",
        ),
        (
            ('name = "Corner Shop"', 'name = "x"\nchannels = {{GOLD = "wallet"}}'),
            GOOD_SECRET,
            "there is no wallet GOLD",
        ),
        (
            ("[keys]", '[channels]\ndefault = "walet"\n[keys]'),
            GOOD_SECRET,
            "channels.default: there is no channel walet",
        ),
        (
            ('{{"" = "shop"}}', '{{"" = "shap"}}'),
            GOOD_SECRET,
            "[[credential]] teegon corner0shop0till0000001: there is no merchant shap",
        ),
        (("TILL_SECRET", "TILL_SECRETS"), GOOD_SECRET, "the environment variable TILL_SECRETS is not set"),
        (
            (
                'kind = "sandbox"',
                'kind = "upstream"\ndialect = "chaoying"\nsecret_name = "key"\nsecret_env = "BANK_KEY"',
            ),
            GOOD_SECRET,
            "[channel.wallet]: the environment variable BANK_KEY is not set",
        ),
        (("[store]", "[stores]"), GOOD_SECRET, "there is no setting"),
        (("[store]", "[store"), GOOD_SECRET, "not TOML"),
        (("sqlite:///", "oracle://"), GOOD_SECRET, "sqlite:///"),
        (
            ("sqlite:///{folder}/shop.db", "postgresql://u:pass@127.0.0.1:1/none"),
            GOOD_SECRET,
            "store.url: 127.0.0.1:1: ",
        ),
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
    # Without a terminal: the vendor's ports may be somebody's too.
    alone = ("--terminal-http", "-1", "--terminal-tcp", "-1")
    run = command("demo", "--port", str(demo.port), *alone, "--data", str(tmp_path / "other"))
    assert run.returncode == 2
    assert run.stderr.strip() == f"anytill: port {demo.port} is taken: --port 0 takes a free one"


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


@pytest.mark.parametrize("arguments", [("serve",), ("audit",), ("parked",)])
def test_a_settings_file_that_is_not_there(arguments: tuple[str, ...], tmp_path: Path) -> None:
    run = command(*arguments, "--config", "nope.toml", cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "--config nope.toml: no such file\n")


def test_a_gateway_says_where_it_listens_and_that_it_has_stopped(tmp_path: Path) -> None:
    serve = Serve(tmp_path, store=f"sqlite:///{tmp_path / 'shop.db'}")
    with running(serve):
        told = f"listening on {serve.url}, 1 merchant, 4 credentials, channel wallet\n"
        assert told in serve.printed()
        file = tmp_path / "till.json"
        till = {"base_url": serve.url, "client_id": "corner0shop0till0000001"}
        file.write_text(json.dumps(till | {"client_secret": serve.secrets["TEEGON_SECRET"]}))
        run = command("pay", "0.01", "135555550000000100", "--dialect", "teegon", "--settings", str(file))
        assert run.returncode == 2
        assert "give --notify-url" in run.stderr
    assert serve.printed().endswith("stopped\n")


def test_a_credential_may_speak_for_a_merchant_of_before(tmp_path: Path) -> None:
    serve = Serve(tmp_path, store=f"sqlite:///{tmp_path / 'shop.db'}")
    with running(serve):
        pass
    text = serve.config.read_text()
    serve.config.write_text(
        text.replace("[[merchant]]", "").replace('id = "shop"', "").replace('name = "Corner Shop"', "")
    )
    with running(serve):
        assert serve.chaoying().pay("CLI00010", 1, "135555550000001000").word is Word.YES


@pytest.mark.parametrize("sign", ["?", "/", "#", "@", ":", "%"])
def test_no_part_of_a_databases_password_is_told(sign: str) -> None:
    run = command("audit", "--store", f"postgresql://user:hushed{sign}silent@127.0.0.1:1/none")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("anytill: store.url: ")
    assert "hushed" not in run.stderr
    assert "silent" not in run.stderr
