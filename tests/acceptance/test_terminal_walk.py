"""A newcomer's walk: a terminal in one window, `anytill ecr` in another, over TCP and over a serial cable; the demo's
terminal; and a terminal of a shop, whose key is in the store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.books import verdict
from tests.acceptance.harness import Demo, Serve, command, until
from tests.acceptance.qfpay_register import Form, Http, Key, QfpayTill, Tcp
from tests.acceptance.receiver import Notice, Receiver, listening
from tests.acceptance.terminals import PUBLISHED_KEY, Ecr, Terminal, cable, sale, serving, well_before_midnight
from tests.acceptance.tills import Word
from tests.postgres import fresh_database

pytestmark = pytest.mark.timeout(900)


def test_two_windows(tmp_path: Path) -> None:
    well_before_midnight()
    with cable() as joined:
        terminal = Terminal(tmp_path, serial=joined.terminal)
        with serving(terminal):
            titles = terminal.spoken().splitlines()
            assert titles[0] == (
                f"QFPay ECR 4.33 · 80000001: http://127.0.0.1:{terminal.port}, "
                f"tcp://127.0.0.1:{terminal.tcp_port}, serial:{joined.terminal}"
            )
            orders = {
                "NEW-TCP": ("--tcp", f"127.0.0.1:{terminal.tcp_port}"),
                "NEW-PTY": ("--serial", joined.register),
            }
            for number, way in orders.items():
                ecr = Ecr(terminal, lambda way=way: way, tmp_path / "ecr.journal")  # type: ignore[misc]
                paid = ecr.run("pay", "12.50", "--order-no", number)
                assert paid.returncode == 0, paid
                first, *more = paid.stderr.splitlines()
                assert first == f"order {number}: 12.50 HKD, wx; the terminal asks the payer"
                # On a serial line an acknowledgement may come late, and there is more to say.
                assert not more or way[0] == "--serial", more
                assert re.fullmatch(
                    rf"order_no={number}  payment_id=[0-9]+  state=PAID  verdict=PAID  amount=12\.50\n", paid.stdout
                )
                screen = [line[9:] for line in terminal.spoken().splitlines() if number in line]
                assert screen == [
                    f"ASKING WeChat Pay HKD 12.50 {number}",
                    f"SENDING WeChat Pay HKD 12.50 {number}",
                    f"DONE WeChat Pay HKD 12.50 {number} Transaction successful",
                ]
            ecr = Ecr(terminal, lambda: ("--serial", joined.register), tmp_path / "ecr.journal")
            receipt = ecr.asked("receipt", "NEW-PTY")
            assert (receipt.returncode, receipt.stderr) == (0, "printed\n")
            assert "NEW-PTY" in terminal.slips()[-1]
            assert terminal.slips()[-1].strip() in terminal.spoken()
            assert ecr.asked("summary").returncode == 0
            assert "25.00" in terminal.slips()[-1]
            terminal.terminate()
        sales = [sale(number, 1_250, told=[Word.YES]) for number in orders]
        assert verdict(terminal.store_url, terminal.journal, sales) == []


def test_the_demo_has_a_terminal_beside_it(own_demo: Demo) -> None:
    """A payer whose phone asks for a password, seen by another vendor's till and by the wallet; the clock is moved."""
    access = own_demo.access["qfpay"]
    assert (access["terminal"], access["pos_key"]) == ("80000001", PUBLISHED_KEY)
    by_http = QfpayTill(Http(lambda: int(access["http_url"].rpartition(":")[2])), Key(access["pos_key"]), Form.LOOSE)
    by_tcp = QfpayTill(Tcp(lambda: int(access["tcp_port"])), Key(access["pos_key"]))
    with ThreadPoolExecutor(1) as threads:
        began_ms = own_demo.now_ms()
        paying = threads.submit(by_tcp.pay, "DEMO-1", 1_201)
        until(lambda: by_http.query("DEMO-1").fields.get("syssn") is not None, "the payer is asked")
        word = by_http.query("DEMO-1").word
        assert word is Word.OPEN or own_demo.now_ms() - began_ms > 9_000  # after ten seconds he has paid by himself
        own_demo.advance(11)
        told = paying.result()
    assert (told.word, told.fields["txamt"]) == (Word.YES, "1201")
    (row,) = own_demo.book("DEMO-1")
    assert (row["state"], row["charged_fen"]) == ("PAID", 1_201)
    assert own_demo.control("clock", advance_s=1)["offset_s"] == 12
    # A shown code is paid by the payer's own hand: the customer leaves sums that end in 03 alone.
    with ThreadPoolExecutor(1) as threads:
        paying = threads.submit(by_tcp.pay, "DEMO-2", 903, "fps")
        until(lambda: bool(own_demo.book("DEMO-2")), "the code is shown")
        own_demo.control("pay", merchant_order="DEMO-2")
        assert paying.result().word is Word.YES
    assert by_http.refund("DEMO-2").word is Word.YES
    assert own_demo.book("DEMO-2")[0]["net_fen"] == 0
    by_tcp.close()


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """A shop's settings on each store in turn; nobody serves yet."""
    if request.param == "sqlite":
        yield Serve(tmp_path / "shop", store=f"sqlite:///{tmp_path / 'shop.db'}")
        return
    with fresh_database(request.getfixturevalue("postgres_server").dsn) as dsn:
        yield Serve(tmp_path / "shop", store=dsn)


class ShopTerminal(Terminal):
    """`anytill terminal` for a device that is registered in a shop's store."""

    gateway: Serve

    @property
    def store_url(self) -> str:
        return self.gateway.store

    @property
    def audit_environment(self) -> dict[str, str]:
        return dict(self.gateway.audit_environment)

    @property
    def journal(self) -> Path:
        return self.gateway.journal

    @property
    def environment(self) -> dict[str, str]:
        # Its key is in the store, and nowhere in what it is started with.
        return {**self.gateway.secrets, "ANYTILL_STORE__URL": self.gateway.store}


def _desk(shop: Serve, *arguments: str) -> dict[str, str]:
    """What a command over the shop's store prints."""
    done = command(*arguments, "--config", str(shop.config), "--store", shop.store, "--json", environment=shop.secrets)
    assert done.returncode == 0, done
    told: dict[str, str] = json.loads(done.stdout)
    return told


def _added(shop: Serve, folder: Path, *options: str) -> tuple[ShopTerminal, dict[str, str]]:
    """A merchant's new device, and what was told once of it."""
    _desk(shop, "merchant", "add", "harbour", "Harbour Shop", "--currency", "HKD")
    issued = _desk(shop, "device", "add", "qfpay", "harbour", "--name", "desk 1", *options)
    device = ("--config", str(shop.config), "--device", issued["terminal"])
    terminal = ShopTerminal(folder / "terminal", options=device, key=Key(issued["pos_key"]))
    terminal.gateway = shop
    return terminal, issued


def test_a_shops_own_terminal(shop: Serve, tmp_path: Path) -> None:
    """The device is added beside the store and gets its key once. Switched off, its register is told; a terminal that
    nobody registered does not start."""

    terminal, issued = _added(shop, tmp_path)
    number, key = issued["terminal"], terminal.key
    with serving(terminal):
        assert terminal.spoken().startswith(f"QFPay ECR 4.33 · {number}: http://")
        assert not terminal.settings.exists(), "a shop's key is told to nobody"
        till = terminal.by_tcp()
        told = till.pay("SHOP-1", 1_800, "card_payment")
        assert (told.word, told.fields["mchntnm"], told.fields["udid"]) == (Word.YES, "Harbour Shop", number)
        strange = QfpayTill(till.line, Key(PUBLISHED_KEY))
        assert strange.pay("SHOP-2", 100).code == "4003"
        in_the_open = QfpayTill(till.line, key, Form.PLAIN)
        assert in_the_open.pay("SHOP-3", 100).code == "4003"
        _desk(shop, "device", "off", "qfpay", number)
        until(lambda: till.pay("SHOP-4", 100).code == "4007", "the device is off")
        _desk(shop, "device", "on", "qfpay", number)
        until(lambda: till.query("SHOP-1").word is Word.YES, "it is on")
        terminal.hang_up()
        assert terminal.terminate() == 0
    nobody = command("terminal", "--auto", "--http", "0", "--tcp", "0", "--data", str(tmp_path / "other"), "--config",
                     str(shop.config), "--device", "80000001",
                     environment=terminal.environment)  # fmt: skip
    assert (nobody.returncode, "no terminal 80000001" in nobody.stderr, "Traceback" in nobody.stderr) == (
        2,
        True,
        False,
    )


def _different(merchant: Receiver) -> list[Notice]:
    """What it heard, without what it heard once more because it was slow to answer."""
    return list({notice.body: notice for notice in merchant.heard}.values())


@pytest.mark.parametrize("kind", ["cancel", "refund"])
def test_a_shop_hears_of_its_terminals_payments_and_refunds(shop: Serve, tmp_path: Path, kind: str) -> None:
    hears = Receiver(answer=lambda _nth: (200, b"SUCCESS"), read=lambda body: dict(json.loads(body)))
    with listening(hears) as merchant:
        chosen = () if kind == "cancel" else ("--option", f"refund_notify_type={kind}")
        terminal, issued = _added(shop, tmp_path, "--option", f"notify_url={merchant.url}", *chosen)
        with serving(terminal):
            till = terminal.by_http()
            paid = till.pay("HEAR-1", 1_800, "wx")
            until(lambda: len(_different(merchant)) == 1, "the payment's notice")
            back = till.refund("HEAR-1", 500)
            until(lambda: len(_different(merchant)) == 2, "the refund's notice")
    of_payment, of_refund = (notice.fields for notice in _different(merchant))
    assert (of_payment["notify_type"], of_payment["out_trade_no"], of_payment["txamt"]) == ("payment", "HEAR-1", "1800")
    assert of_payment["syssn"] == paid.fields["syssn"]
    assert (of_refund["notify_type"], of_refund["orig_out_trade_no"], of_refund["txamt"]) == (kind, "HEAR-1", "500")
    assert (of_refund["syssn"], of_refund["orig_syssn"]) == (back.fields["syssn"], paid.fields["syssn"])
    for notice in _different(merchant):
        signed = hashlib.md5(notice.body + issued["notify_key"].encode(), usedforsecurity=False).hexdigest()
        assert notice.headers["x-qf-sign"] == signed.upper()
